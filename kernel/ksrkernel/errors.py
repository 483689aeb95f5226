"""Errors as notebooks have them: a user's mistake in a line, everything else with the user's frames only."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from types import TracebackType

import ipykernel
import IPython

import ksrcore
import ksrshell
from ksrshell.errors import KsrShellError
from ksrshell.render.console import clean
from ksrshell.runner import user_line

#: Folders whose frames are machinery.
_MACHINERY = tuple(
    str(Path(str(module.__file__)).parent) + os.sep for module in (ksrcore, ksrshell, IPython, ipykernel)
) + (str(Path(__file__).parent) + os.sep,)

RED, DIM, END = "\x1b[31m", "\x1b[2m", "\x1b[0m"


def is_machinery(filename: str) -> bool:
    return filename.startswith(_MACHINERY)


def lines(error: BaseException, ended: str = "") -> list[str] | None:
    """The traceback of an error that is told in a line; None for one that is not ours to tell.

    ``ended``: how the notebook's own proxy ended, when it did.
    """
    if isinstance(error, KeyboardInterrupt):
        return [f"{RED}interrupted{END}{_at(error.__traceback__)}"]
    if not isinstance(error, KsrShellError):
        return None
    made = [f"{RED}{clean(ended or str(error))}{END}{_at(error.__traceback__)}"]
    script = str(getattr(error, "traceback", "") or "")
    if script:
        made += [f"{DIM}{clean(line)}{END}" for line in script.rstrip("\n").split("\n")]
    return made


def _at(tb: TracebackType | None) -> str:
    cells = [frame.filename for frame in traceback.extract_tb(tb) if is_cell(frame.filename)]
    return user_line(tb, cells[-1]) if cells else ""


def is_cell(filename: str) -> bool:
    """Whether a file's name is that which ipykernel gives a cell."""
    return os.sep + "ipykernel_" in filename or filename.startswith("<ipython-input")


def pruned(tb: TracebackType | None) -> TracebackType | None:
    """The traceback without machinery: its frames, and what lies below it (a library that it called)."""
    kept: list[TracebackType] = []
    inside = False
    while tb is not None:
        filename = tb.tb_frame.f_code.co_filename
        if is_cell(filename):
            inside = False
        elif is_machinery(filename):
            # Before the first cell it is what runs cells; after it, what the cell has called.
            inside = bool(kept)
        elif not kept:
            inside = False  # asyncio and its kin, below ipykernel
            tb = tb.tb_next
            continue
        if not inside and not is_machinery(filename):
            kept.append(tb)
        tb = tb.tb_next
    made: TracebackType | None = None
    for each in reversed(kept):
        made = TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made
