"""Where a stepped run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..console import clean
from ..message import call_line, title
from ..step import null
from .effects import effects
from .markup import Html, Part, heading, join, tag
from .source import source
from .text import spans

if TYPE_CHECKING:
    from ...stepper import State

#: KSR calls that are shown, the last ones.
CALLS = 12


def step(view: State) -> Html:
    where = view.where
    line = f"line {where.line}" if where.line and not view.done else ""
    place = f"step {view.position} of {view.length - 1}" if not view.at_end else ""
    head = heading(
        tag("span", clean(where.function), class_="b cyan"),
        tag("span", line) if line else None,
        tag("span", place, class_="yellow") if place else None,
        tag("span", spans(title(view.message))),
    )
    left: list[Part] = []
    if view.source.lines and not view.done:
        lines = source(view.source.lines, view.source.first, here=view.source.line)
        left.append(tag("pre", *lines, class_="scroll src", tabindex="0", role="region", aria_label="source"))
    if len(view.stack) > 1:
        callers = ", ".join(f"{clean(name)}:{number}" for name, number in view.stack[1:])
        left.append(tag("div", f"called from {callers}", class_="dim"))
    right: list[Part] = []
    shown = {name: text for name, text in view.locals.items() if name not in ("self", "msg")}
    if shown and not view.done:
        right += [tag("h4", "variables"), values(shown, view.changed)]
    if view.watches:
        right += [tag("h4", "pseudo-variables"), values({name: null(v) for name, v in view.watches.items()})]
    calls = list(view.calls)
    if calls:
        skipped = max(0, len(calls) - CALLS)
        items = [tag("li", spans(call_line(call))) for call in calls[skipped:]]
        right += [tag("h4", "KSR calls"), tag("ol", *items, class_="calls", start=skipped + 1)]
    below: list[Part] = [effects(view.effects, "sent" if view.live else "would send")] if view.effects else []
    return tag("div", head, ending(view), tag("div", tag("div", *left), tag("div", *right), class_="panes"),
               join(below), class_="card", data_kind='step')  # fmt: skip


def ending(view: State) -> Html | None:
    """What is to be said of it beside: an exception, what is returned, that it has ended."""
    said = []
    if view.exception:
        said.append(tag("pre", clean(view.exception), class_="red b"))
    elif view.done:
        said.append(tag("div", f"the run has ended, result {clean(str(view.result))}", class_="green"))
    elif view.event == "return":
        said.append(tag("div", f"returns {clean(str(view.result))}", class_="yellow"))
    elif view.coming:
        said.append(tag("div", f"about to call {clean(view.coming)}", class_="cyan"))
    if view.note:
        said.append(tag("div", clean(view.note), class_="yellow"))
    return join(said) if said else None


def values(shown: dict[str, str], changed: list[str] | None = None) -> Html:
    rows = [
        tag("tr", tag("td", clean(name)), tag("td", clean(text), class_="v"),
            class_="chg" if name in (changed or ()) else None)
        for name, text in shown.items()
    ]  # fmt: skip
    return tag("table", tag("tbody", *rows))
