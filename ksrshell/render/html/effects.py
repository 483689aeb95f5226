"""What KSR calls in a sandbox would have done: the difference in the message, what was sent, what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..console import clean, wire_text
from ..effects import state_lines
from .diff import block
from .markup import Html, heading, join, tag
from .text import sip, spans

if TYPE_CHECKING:
    from ...effects import Effects, Sent


def effects(view: Effects, would: str = "would send") -> Html:
    parts = [sent(each, would) for each in view.sent]
    if view.diff:
        parts += [tag("h4", "the message, as it came and as it would leave"), block(view.diff.text)]
    elif view.diff.unknown:
        parts += [
            tag("h4", "the message, as it came and as it would leave"),
            tag("div", clean(view.diff.unknown), class_="dim"),
        ]
    state = state_lines(view)
    if state.plain:
        parts += [tag("h4", "routing state"), tag("pre", spans(state))]
    if view.writes:
        parts += [tag("h4", "would write"), tag("pre", clean("\n".join(view.writes)))]
    if not parts:
        parts = [tag("div", "no effects: nothing sent, nothing changed", class_="dim")]
    if view.about:
        parts.insert(0, heading(tag("span", clean(view.about), class_="dim")))
    return join(parts)


def sent(view: Sent, would: str = "would send", **attributes: object) -> Html:
    first = wire_text(view.data).partition("\n")[0]
    head = tag("summary", tag("span", f"{would} to {view.proto}:{view.dst}: ", class_="yellow"), clean(first))
    return tag("details", head, sip(view.data), class_="card", **attributes)
