"""The destination set as Contacts of a redirect reply (RFC 3261 8.1.3.4, 21.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sip.message import SipMessage


def redirect_contacts(msg: SipMessage, rich: int = 0) -> str:
    """The Contact field of a 3xx reply: the Request-URI if the script changed it, and the branches. '' for none.

    ``rich``: a sum of 1 (branch flags as a parameter) and 2 (paths as Route headers of the URI).
    """
    found: list[tuple[str, int, int, str]] = []
    if msg.new_uri and msg.new_uri != msg.ruri:
        found.append((msg.new_uri, msg.q, msg.bflags, msg.path))
    found.extend((b.uri, b.q, b.flags, b.path) for b in msg.branches)
    values = []
    for uri, q, flags, path in found:
        if rich & 2 and path:
            uri = f"{uri}?Route={_escape(path)}"
        text = f"<{uri}>"
        if q >= 0:
            text += f";q={_q(q)}"
        if rich & 1 and flags:
            text += f";flags={flags}"
        values.append(text)
    return f"Contact: {', '.join(values)}\r\n" if values else ""


def _q(q: int) -> str:
    if q >= 1000:
        return "1"
    return "0" if q <= 0 else f"0.{q:03d}".rstrip("0")


def _escape(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_.!~*'()[]/:&+$" else f"%{ord(c):02X}" for c in text)
