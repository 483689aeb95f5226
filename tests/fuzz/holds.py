"""What a target raises when its invariant is broken, and the bounds of time and memory every target has."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

#: Seconds one input may take.
PATIENCE: Final = 20
#: RSS may grow by this share from 10 % to 100 % of a target's inputs: the bounded caches fill late.
LEVEL: Final = 1.25
#: Fewer inputs than this say nothing about memory.
LEAST: Final = 5000


class Broken(AssertionError):
    """An invariant does not hold; the text says which, and shows the input's part in it."""


def check(holds: bool, what: str, *shown: object) -> None:
    if not holds:
        raise Broken(what + "".join(f" | {value!r}"[:400] for value in shown))


class Endless(BaseException):
    """An input keeps its target busy. No Exception: the core's last resorts must not take it for one of theirs."""


def _endless(number: int, frame: FrameType | None) -> None:
    raise Endless(f"no end after {PATIENCE} s\n{''.join(traceback.format_stack(frame)[-6:])}")


@contextmanager
def patience() -> Iterator[None]:
    """Endless is raised out of what runs longer than PATIENCE in here."""
    before = signal.signal(signal.SIGALRM, _endless)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def rss() -> float:
    """Resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def level(inputs: int, memory: dict[int, float]) -> bool:
    """Whether ``memory``, MiB by per cent of the inputs, stays within LEVEL; few inputs say nothing."""
    return inputs < LEAST or not {10, 100} <= memory.keys() or memory[100] <= memory[10] * LEVEL


def shown(memory: dict[int, float]) -> str:
    """``MiB at 0/10/50/100 %: 48/55/58/60``."""
    return f"MiB at {'/'.join(map(str, memory))} %: {'/'.join(f'{mib:.0f}' for mib in memory.values())}"
