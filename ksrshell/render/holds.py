"""Holds and held messages: tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from .console import clean, flat
from .source import window
from .tables import table, user

if TYPE_CHECKING:
    from ..holds import Held, Hold


def holds_table(
    holds: Sequence[Hold], none: str = "no hold is armed; hold('ksr_route_relay') arms one"
) -> RenderableType:
    """One line a hold; ``none`` when there is none."""
    if not holds:
        return Text(none, "bright_black")
    made = table(">id", "where", "if", ">hits", ">held", "what")
    made.columns[1].min_width = 12
    made.columns[2].ratio = 1
    made.expand = True
    for hold in holds:
        data = hold.to_json()
        what = [f"log {data['log']!r}"] if data["log"] else [f"{data['timeout']:g} s"]
        if data["wanted"] > 1:
            what.append(f"from hit {data['wanted']}")
        if data["once"]:
            what.append("once")
        if data["keep"]:
            what.append("kept")
        if data["missed"]:
            what.append(f"{data['missed']} missed")
        if data["lost"]:
            what = [f"lost: {data['lost']}"]
        made.add_row(
            str(hold.id), clean(hold.where), flat(hold.if_), str(hold.hits), str(hold.held), flat(", ".join(what))
        )
    return made


def held_table(held: Sequence[Held]) -> RenderableType:
    """One line a message that waits."""
    if not held:
        return Text("no message is held", "bright_black")
    made = table("", ">id", "message", "at", ">left", "waiting")
    made.columns[2].ratio = 2
    made.columns[5].ratio = 1
    made.expand = True
    for n, each in enumerate(held):
        made.add_row(
            f"held[{n}]",
            str(each.id),
            flat(_what(each)),
            f"{clean(each.function)}:{each.line}",
            f"{each.left:.1f} s",
            flat(", ".join(each.waiting)),
        )
    return made


def held_view(held: Held) -> RenderableType:
    """Where it stands: the line, the source around it, locals, what to do next."""
    state = held.state
    head = Text.assemble(
        (f"held {held.id}  ", "bold"),
        (clean(held.function), "bold cyan"),
        f" line {state['line']}  {flat(_what(held))}  ",
        (f"{held.left:.1f} s left", "yellow"),
    )
    parts: list[RenderableType] = [head, Text(flat(held.why), "bright_black")]
    if state["source"]:
        parts.append(window(state["source"], state["first_line"], state["line"], around=3))
    shown = "  ".join(f"{n}={clean(v)}" for n, v in state["locals"].items() if n not in ("self", "msg"))
    if shown:
        parts.append(Text(shown, "magenta", no_wrap=True, overflow="ellipsis"))
    if held.waiting:
        parts.append(Text(f"behind it: {flat(', '.join(held.waiting))}", "bright_black"))
    parts.append(Text(".step()  .KSR  .locals  .edit(...)  .resume()  .drop()  .answer(486)", "bright_black"))
    return Group(*parts)


def _what(held: Held) -> str:
    m = held.message
    if not m.method:
        return "event"
    who = f"{user(m.from_uri)} -> {user(m.to_uri)}"
    return f"{m.method} {who}" if m.is_request else f"{m.status} to {m.method} {who}"
