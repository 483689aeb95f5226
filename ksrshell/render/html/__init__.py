"""The same values for notebooks: HTML with what is known of their meaning, never anything from the network.

:func:`html` gives the HTML of a view. Everything that came over the wire is escaped where it becomes HTML (``text.py``,
:func:`.markup.tag`); scripts get data as JSON in attributes and put it into the page as text only. Without scripts, as
where a saved notebook is not trusted, all is there to be read: what scripts do is to sort, to pick and to step.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from .convert import convert
from .markup import Html
from .page import page

if TYPE_CHECKING:
    from ...view import View

#: The views that have a picture of their own, by class name: "module:function" in this package. All others are made
#: from what the terminal shows, tables as tables that sort.
PICTURES: dict[str, str] = {
    "Message": "message:message",
    "Messages": "message:messages",
    "Made": "message:made",
    "Diff": "diff:diff",
    "Effects": "effects:effects",
    "Sent": "effects:sent",
    "Flow": "ladder:flow",
    "Sending": "ladder:sending",
    "Trace": "trace:trace",
    "Routed": "trace:routed",
    "State": "step:step",
    "Latency": "plots:latency",
    "Traffic": "plots:traffic",
}


def html(view: View) -> str:
    """The HTML of a view, whole: with its style and, where it has any, its script."""
    return page(inner(view))


def inner(view: View) -> Html:
    """The HTML of a view as a part of another's."""
    picture = _picture(type(view))
    return picture(view) if picture is not None else convert(view.__rich__())


def _picture(kind: type) -> Callable[[View], Html] | None:
    for each in kind.__mro__:
        if each.__module__.startswith("ksrshell.") and each.__name__ in PICTURES:
            module, _, name = PICTURES[each.__name__].partition(":")
            found: Callable[[View], Html] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    return None


__all__ = ["html", "inner"]
