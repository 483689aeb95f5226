"""The SDP of a message for rtpengine: where it stands, and whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.sdp import parse_sdp
from .textops_body import content_type, parts_of

if TYPE_CHECKING:
    from ..sip.message import SipMessage

__all__ = ["FRAGMENT", "has_sdp", "sdp_span"]

#: SDP of which only candidates are there (RFC 8840).
FRAGMENT = "application/trickle-ice-sdpfrag"


def sdp_span(msg: SipMessage) -> tuple[int, int, bool] | None:
    """(start, end, whether it is a fragment) of the SDP in the message; None without one.

    The body when its type is that of SDP or not said, or the part of a multipart/mixed body. Its content is not looked
    at.
    """
    start, end = msg.body_at, len(msg.buf)
    if start >= end:
        return None
    kind = content_type(msg)
    if kind in ("application/sdp", FRAGMENT):
        return start, end, kind == FRAGMENT
    found = parts_of(msg) if kind == "multipart/mixed" else None
    for part in found[1] if found is not None else ():
        if part.type in ("application/sdp", FRAGMENT):
            blank = msg.buf.find("\r\n\r\n", part.head - 2, part.end)
            if blank < 0:
                return None
            end = part.end
            # The line end before the delimiter belongs to it.
            if msg.buf[end - 1 : end] == "\n":
                end -= 1
            if msg.buf[end - 1 : end] == "\r":
                end -= 1
            return blank + 4, max(end, blank + 4), part.type == FRAGMENT
    return None


def has_sdp(msg: SipMessage) -> bool:
    """Whether ``rtpengine_manage`` takes the message for one with SDP: its type is said, and it has a stream."""
    if "content-type" not in msg.index:
        return False
    span = sdp_span(msg)
    if span is None or span[2]:
        return False
    try:
        return bool(parse_sdp(msg.buf[span[0] : span[1]]).media)
    except SipError:
        return False
