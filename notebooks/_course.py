"""What the notebooks of the course share: checks of exercises, and two things side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ksrshell.namespace import Line
from ksrshell.render.html import inner
from ksrshell.render.html.markup import Html, tag
from ksrshell.render.html.page import page
from ksrshell.view import View

if TYPE_CHECKING:
    from rich.console import RenderableType


def check(*conditions: tuple[Callable[[], object], str | Callable[[], str]]) -> Line:
    """The first of (condition, hint) that does not hold, as "Not yet" with its hint; or "Right".

    A hint that can be called is made when it is needed.
    """
    for condition, hint in conditions:
        try:
            held = bool(condition())
            why = ""
        except Exception as error:
            held, why = False, f" ({type(error).__name__}: {error})"
        if not held:
            return Line(f"Not yet: {hint() if callable(hint) else hint}{why}", False)
    return Line("Right.", True)


class Beside(View):
    """Two views beside each other where there is room, below each other elsewhere."""

    def __init__(self, left: View, right: View) -> None:
        self.left = left
        self.right = right

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        return Group(self.left, "", self.right)

    def to_json(self) -> Any:
        return [self.left.to_json(), self.right.to_json()]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        sides = [tag("div", inner(view), style="flex: 1 1 26em; min-width: 0") for view in (self.left, self.right)]
        both = tag("div", *sides, style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start")
        return {"text/plain": repr(self), "text/html": page(Html(both))}


def beside(left: View, right: View) -> Beside:
    return Beside(left, right)
