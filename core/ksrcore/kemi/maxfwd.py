"""Kamailio's maxfwd: Max-Forwards (RFC 3261 16.3 and 16.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.lumps import Lump
from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

_MISSING = -1
_BAD = -2


def _number(body: str) -> int:
    """The value of a Max-Forwards body, an empty one 0, or _BAD."""
    if not body:
        return 0
    if len(body) > 9 or not (body.isascii() and body.isdigit()):
        return _BAD
    return int(body)


class Maxfwd(Module):
    """Decrements, adds and tests Max-Forwards."""

    name = "maxfwd"
    max_limit = Param(70, "the value a larger Max-Forwards is cut to: int, 1 to 256")

    def _value(self, msg: SipMessage) -> int:
        done = msg.extra.get("maxfwd")
        if done is not None:
            return done[1]  # type: ignore[index,no-any-return]
        header = msg.index.get("max-forwards")
        return _MISSING if header is None else header.parsed(_number)

    @export
    def process_maxfwd(self, run: Run, limit: int) -> int:
        """Decrement Max-Forwards, or add one of ``limit`` (0 to 255) where there is none.

        1 decremented, 2 added, -1 it is 0 already (or a bad ``limit``), -2 it is no number. A value above
        ``max_limit`` is cut to that instead.
        """
        if not 0 <= limit <= 255:
            return -1
        msg = run.msg
        header = msg.index.get("max-forwards")
        if header is None:
            msg.lumps.insert(msg.head_at, f"Max-Forwards: {limit}\r\n", "max-forwards")
            return 2
        done = msg.extra.get("maxfwd")
        value: int = header.parsed(_number) if done is None else done[1]  # type: ignore[index]
        if value <= 0:
            return -1 if value == 0 else -2
        body = header.body
        new = value - 1 if value <= self.max_limit else self.max_limit
        # Kamailio writes into the message: the field keeps its length.
        text = str(new).rjust(len(body))
        if done is not None and done[0] in msg.lumps.items:  # type: ignore[index]
            msg.lumps.items.remove(done[0])  # type: ignore[index]
        offset = msg.offset_of(header) + header.body_start
        lump = Lump(offset, len(body), text, "max-forwards")
        msg.lumps.items.append(lump)
        msg.extra["maxfwd"] = (lump, new)
        return 1

    @export
    def is_maxfwd_lt(self, run: Run, limit: int) -> int:
        """1 when Max-Forwards is less than ``limit`` (0 to 255), -1 when not, -2 when absent, -3 when no number."""
        if not 0 <= limit <= 255:
            return -1
        value = self._value(run.msg)
        if value == _MISSING:
            return -2
        if value == _BAD:
            return -3
        return 1 if value < limit else -1
