"""What trying a swap and saving swaps came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session


class Difference(View):
    """A message that the new code treats differently: ``message``, ``raises`` (it raises only now), ``parts``: what
    differs by what it is about, as (before, after): ``raises``, ``ends``, ``sends``, ``headers of INVITE``, ``calls``.
    """

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        from .messages import Message

        self._data = data
        self.message = Message(session, dict(data))
        self.raises = bool(data.get("raises"))
        self.parts = {
            str(part["what"]): (unwire(str(part["old"])), unwire(str(part["new"])))
            for part in data.get("differences") or []
        }

    def __rich__(self) -> RenderableType:
        from .render.trial import difference_view

        return difference_view(self)

    def to_json(self) -> Any:
        return {"id": self.message.id, "raises": self.raises, "differences": self._data.get("differences")}


class Trial(View, Sequence[Difference]):
    """The messages that new code treats differently, of the ``tried`` ones; ``same``: how many it does not.

    ``skipped``: id and reason of those that could not be tried; ``raises``: ids of those it breaks.
    """

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._data = data
        self.tried = int(data.get("tried") or 0)
        self.same = int(data.get("same") or 0)
        self.skipped = [(int(each["id"]), str(each["why"])) for each in data.get("skipped") or []]
        self._found = [Difference(session, each) for each in data.get("differ") or []]

    @property
    def raises(self) -> list[int]:
        return [each.message.id for each in self._found if each.raises]

    @overload
    def __getitem__(self, index: int) -> Difference: ...
    @overload
    def __getitem__(self, index: slice) -> list[Difference]: ...
    def __getitem__(self, index: int | slice) -> Difference | list[Difference]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Difference]:
        return iter(self._found)

    def __rich__(self) -> RenderableType:
        from .render.trial import trial_table

        return trial_table(self)

    def to_json(self) -> Any:
        return dict(self._data)


def merged(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several answers to ``ksr.try``, of messages that were tried one batch after the other, as one."""
    if len(answers) == 1:
        return dict(answers[0])
    numbers = {name: sum(int(answer.get(name) or 0) for answer in answers) for name in ("tried", "same")}
    lists = {name: [each for answer in answers for each in answer.get(name) or ()] for name in ("skipped", "differ")}
    return {**numbers, **lists}


class Saved(View):
    """What ``save()`` wrote: ``path``, the names ``saved``, the ``diff``; ``written`` is False where it only shows."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        from .effects import Diff

        self._data = data
        self.path = str(data.get("path") or "")
        self.saved = [str(name) for name in data.get("saved") or []]
        self.diff = Diff(str(data.get("diff") or ""))
        self.written = bool(data.get("written"))

    def __rich__(self) -> RenderableType:
        from .render.trial import saved_view

        return saved_view(self)

    def to_json(self) -> Any:
        return dict(self._data)
