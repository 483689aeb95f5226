"""What calls in a sandbox would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ..view import unwire
from .colours import sip
from .console import clean, wire_text
from .message import value

if TYPE_CHECKING:
    from ..effects import Effects, Sent


def effects_view(effects: Effects) -> RenderableType:
    """Sent messages in full, then the difference in the message, the routing state, what would have been written."""
    parts: list[RenderableType] = []
    parts += [sent_view(sent) for sent in effects.sent]
    if effects.diff or effects.diff.unknown:
        parts.append(Text("the message, as it came and as it would leave", "bold"))
        parts.append(effects.diff.__rich__())
    state = state_lines(effects)
    if state.plain:
        parts.append(Text("routing state", "bold"))
        parts.append(state)
    if effects.writes:
        parts.append(Text("would write", "bold"))
        parts.append(Text("\n".join(f"  {clean(write)}" for write in effects.writes)))
    return Group(*parts) if parts else Text("no effects: nothing sent, nothing changed", "bright_black")


def sent_view(sent: Sent) -> RenderableType:
    """Where to, and the message in full."""
    return Group(Text(f"would send to {sent.proto}:{clean(sent.dst)}", "bold"), sip(wire_text(sent.data).strip("\n")))


def state_lines(effects: Effects) -> Text:
    """The routing state that differs from how the message came, one line each."""
    out = Text()
    for name, each in effects.state.items():
        out.append(f"  {clean(name)}: {clean(unwire(each).strip()) if isinstance(each, str) else value(each)}\n")
    out.rstrip()
    return out
