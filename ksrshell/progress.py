"""How far long work has come: one line in a terminal, a bar in a notebook, nothing where nobody looks."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: Seconds before anything is shown, and between two updates.
PATIENCE = 0.5
EVERY = 0.2

#: ``report(what, done, total)``; total 0: not known; done -1: it has ended. A front end puts its own here.
Report = Callable[[str, int, int], None]


_line = False


def terminal(what: str, done: int, total: int) -> None:
    """A line on standard error that is written over, when that is a terminal."""
    global _line
    if not sys.stderr.isatty():
        return
    of = f" of {total}" if total else ""
    text = f"{what}: {done}{of}  (Ctrl-C ends it)" if done >= 0 else ""
    _line = bool(text)
    sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
    sys.stderr.flush()


def make_room() -> None:
    """Something else is written: the line goes, and comes again with the next piece of the work."""
    if _line:
        terminal("", -1, 0)


report: Report = terminal


class Progress:
    """Counts; shows itself only when the work takes long. ``step()`` after each piece."""

    def __init__(self, what: str, total: int = 0) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.shown = False
        self._next = time.monotonic() + PATIENCE

    def step(self, by: int = 1) -> None:
        self.done += by
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            self.shown = True
            report(self.what, self.done, self.total)

    def close(self) -> None:
        if self.shown:
            report(self.what, -1, self.total)
            self.shown = False


@contextmanager
def progress(what: str, total: int = 0) -> Iterator[Progress]:
    """``with progress("tried", 500) as p: ... p.step()``. What was shown is taken away at the end, however it came."""
    made = Progress(what, total)
    try:
        yield made
    finally:
        made.close()


def each(things: Iterable[T], what: str) -> Iterator[T]:
    """The things, one by one, with progress."""
    total = len(things) if isinstance(things, Sized) else 0
    with progress(what, total) as shown:
        for thing in things:
            yield thing
            shown.step()
