"""Renderables to text: plain for pipes, logs and ``repr``, with colours for the terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import StringIO
from typing import Any

from rich.console import Console

# A hostile message may hold terminal escapes: everything from the wire passes through `clean` before it is shown.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """``text`` with control characters, bidirectional overrides and lone surrogates as ``\\x1b``, ``\\u202e``."""
    return _CONTROL.sub(lambda m: m.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def flat(text: str) -> str:
    """:func:`clean`, on one line: for cells of tables and labels."""
    return clean(text).replace("\n", "\\n").replace("\t", " ")


def wire_text(data: str) -> str:
    """Text of the wire (a character a byte) for people: UTF-8 read, other bytes as ``\\xff``, line ends as newlines."""
    return clean(data.encode("latin-1", "replace").decode("utf-8", "backslashreplace").replace("\r\n", "\n"))


def width() -> int:
    """Columns of the terminal; 80 when there is none."""
    return shutil.get_terminal_size((80, 24)).columns


_share: ContextVar[int] = ContextVar("share", default=1)


def height() -> int:
    """Lines of the terminal for one value; 24 when there is no terminal."""
    return shutil.get_terminal_size((80, 24)).lines // _share.get()


@contextmanager
def sharing(values: int) -> Iterator[None]:
    """So many values share the terminal's lines."""
    token = _share.set(max(1, values))
    try:
        yield
    finally:
        _share.reset(token)


def plain(renderable: Any, columns: int | None = None, *, wrap: bool = True) -> str:
    """Without colours, trailing blanks or a final newline. ``wrap=False`` leaves long lines to the terminal."""
    return _text(renderable, columns, colour=False, wrap=wrap)


def coloured(renderable: Any, columns: int | None = None, *, wrap: bool = True) -> str:
    """With the colours that the terminal has (none when ``NO_COLOR`` is set or it is a dumb one)."""
    return _text(renderable, columns, colour=True, wrap=wrap)


def _text(renderable: Any, columns: int | None, *, colour: bool, wrap: bool) -> str:
    console = Console(
        file=StringIO(),
        width=columns or width(),
        force_terminal=colour,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    # Lines that must not be broken (a message's) are longer than the terminal, which wraps them for itself.
    console.print(renderable, soft_wrap=not wrap, crop=False)
    out = console.file
    assert isinstance(out, StringIO)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))
