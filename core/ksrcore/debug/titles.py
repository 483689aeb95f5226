"""How held messages and their stops are called, in lists, events and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError

if TYPE_CHECKING:
    from ..sip.message import SipMessage
    from .held import Live
    from .hold import Hold


def id_of(live: Live) -> int:
    """The message it began with, 0 for none."""
    return live.record.id if live.record is not None else 0


def reason_of(live: Live, cause: Hold | None) -> str:
    """Why it stops: the hold's place, what was seen to change, or ``step``."""
    if cause is None:
        return "step"
    if live.change is not None:
        name, old, new = live.change
        return f"{name} changed: {old!r} -> {new!r}"
    return str(cause.place)


def title_of(msg: SipMessage) -> str:
    """``INVITE alice -> bob`` or ``180 to INVITE``."""
    if not msg.is_request:
        return f"{msg.status} to {msg.method}"
    try:
        from_, to = msg.from_, msg.to
    except SipError:
        return msg.method
    names = [_user(each.uri) if each is not None else "?" for each in (from_, to)]
    return f"{msg.method} {names[0]} -> {names[1]}"


def _user(uri: str) -> str:
    rest = uri.partition(":")[2] or uri
    return rest.partition("@")[0] if "@" in rest else rest
