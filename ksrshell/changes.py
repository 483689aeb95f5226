"""Where something changed in a run: what ``when()`` finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType


class Where(View):
    """Where a step stands: ``function``, ``file``, ``line`` (0 after the end of the run)."""

    def __init__(self, function: str, file: str, line: int) -> None:
        self.function = function
        self.file = file
        self.line = line

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        if not self.line:
            return Text(f"{self.function}: the run has ended")
        return Text(f"{self.function}, line {self.line} of {self.file}")

    def to_json(self) -> Any:
        return {"function": self.function, "file": self.file, "line": self.line}


class Change(View):
    """A step at which something changed: ``position`` (the change is seen there), ``where`` it was made, ``before`` and
    ``after`` (None: not there)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.position = int(data["position"])
        self.where = Where(str(data["function"]), str(data["file"]), int(data["line"]))
        self.before = shown(data["before"])
        self.after = shown(data["after"])
        #: The KSR call that made it, where that is known.
        self.call = str(data.get("call") or "")

    def __rich__(self) -> RenderableType:
        from .render.step import change_line

        return change_line(self)

    def to_json(self) -> Any:
        return dict(self._data)


class Changes(View, Sequence[Change]):
    """Where something changed, in order: ``s.when("$du")``. ``s.goto(changes[0].position)`` goes there."""

    def __init__(self, what: str, changes: Sequence[Mapping[str, Any]]) -> None:
        self.what = what
        self._changes = [Change(change) for change in changes]

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> list[Change]: ...
    def __getitem__(self, index: int | slice) -> Change | list[Change]:
        return self._changes[index]

    def __len__(self) -> int:
        return len(self._changes)

    def __rich__(self) -> RenderableType:
        from .render.step import changes_table

        return changes_table(self)

    def to_json(self) -> Any:
        return [change.to_json() for change in self._changes]


def shown(value: Any) -> Any:
    if isinstance(value, list):
        return [unwire(each) for each in value]
    return unwire(value) if isinstance(value, str) else value
