"""Progress of long work as a bar below the cell; it goes away when the work is done."""

from __future__ import annotations

from typing import Any, cast

from IPython import display as _display

from ksrshell.render.html.markup import tag
from ksrshell.render.html.page import page


class _Shown:
    """What the bar is at a moment; empty when the work has ended."""

    def __init__(self, what: str, done: int, total: int) -> None:
        self.what, self.done, self.total = what, done, total

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if self.done < 0:
            return {"text/plain": "", "text/html": ""}
        text = f"{self.what}: {self.done}" + (f" of {self.total}" if self.total else "")
        value = {"value": self.done, "max": self.total} if self.total else {}
        bar = page(tag("label", tag("progress", **value), " ", text + "; interrupt ends it"))
        return {"text/plain": text, "text/html": bar}


class Bar:
    """``progress.report`` of the kernel: one bar at a time."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        shown = _Shown(what, done, total)
        if self._handle is None:
            self._handle = cast(Any, _display).display(shown, display_id=True)
        else:
            self._handle.update(shown)
        if done < 0:
            self._handle = None
