"""Kamailio's maxfwd: Max-Forwards (RFC 3261 16.3 and 16.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..run import Run

_MISSING = -1
_BAD = -2
_LIMITS = range(256)


def _number(body: str) -> int:
    """The value of a Max-Forwards body, an empty one 0, or _BAD."""
    body = body.lstrip(" ")
    if not body:
        return 0
    if len(body) > 9 or not (body.isascii() and body.isdigit()):
        return _BAD
    return int(body)


class Maxfwd(Module):
    """Decrements, adds and tests Max-Forwards."""

    name = "maxfwd"
    max_limit = Param(70, "the value a larger Max-Forwards is cut to: int, 1 to 256")

    def start(self) -> None:
        # Kamailio writes into the message: the field keeps its length.
        self._next = {str(n): str(min(n - 1, self.max_limit)).rjust(len(str(n))) for n in range(1, 257)}

    @export
    def process_maxfwd(self, run: Run, limit: int) -> int:
        """Decrement Max-Forwards, or add one of ``limit`` (0 to 255) where there is none.

        1 decremented, 2 added, -1 it is 0 already (or a bad ``limit``), -2 it is no number. A value above
        ``max_limit`` is cut to that instead.
        """
        if limit not in _LIMITS:
            return -1
        msg = run.msg
        header = msg.index.get("max-forwards")
        if header is None:
            msg.lumps.insert(msg.head_at, f"Max-Forwards: {limit}\r\n", "max-forwards")
            return 2
        body = header.body
        text = self._next.get(body)
        if text is None:
            value = header.parsed(_number)
            if value <= 0:
                return -1 if value == 0 else -2
            text = str(value - 1 if value <= self.max_limit else self.max_limit).rjust(len(body))
        msg.overwrite(header, text)
        return 1

    @export
    def is_maxfwd_lt(self, run: Run, limit: int) -> int:
        """1 when Max-Forwards is less than ``limit`` (0 to 255), -1 when not, -2 when absent, -3 when no number."""
        if limit not in _LIMITS:
            return -1
        header = run.msg.index.get("max-forwards")
        value = _MISSING if header is None else header.parsed(_number)
        if value == _MISSING:
            return -2
        if value == _BAD:
            return -3
        return 1 if value < limit else -1
