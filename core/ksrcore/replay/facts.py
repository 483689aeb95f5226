"""What of a message tells which others it belongs to, and which message made a proxy send it."""

from __future__ import annotations

from typing import NamedTuple

from ..sip.errors import SipError
from ..sip.message import SipMessage

__all__ = ["Causes", "Facts", "read_facts"]


class Facts(NamedTuple):
    """``number`` and ``method`` of CSeq; ``status`` 0 for a request; ``branch`` of the topmost Via, '' without one;
    ``first`` is the first line without the version."""

    callid: str
    number: int
    method: str
    status: int
    branch: str
    tag: str
    first: str

    @property
    def key(self) -> tuple[str, int, str, int]:
        return self.callid, self.number, self.method, self.status


def read_facts(text: str) -> Facts | None:
    """None for what cannot be read so far."""
    try:
        msg = SipMessage(text)
        cseq, via = msg.cseq, msg.via
        if cseq is None:
            return None
        if msg.is_request:
            first = f"{msg.method} {msg.ruri}"
        else:
            first = f"{msg.status} {msg.reason}"
        branch = via.branch if via is not None else ""
        method = msg.method if msg.is_request else cseq.method
        return Facts(msg.callid, cseq.number, method, msg.status, branch or "", msg.to_tag, first)
    except SipError:
        return None


class Causes:
    """Which message that came in made the proxy send another, told from the messages alone.

    So it can be told alike for what a capture shows and for what a script sends, where the real causes are known for
    one of them only. Messages that came in have numbers, in their order.
    """

    def __init__(self) -> None:
        self._latest: dict[tuple[str, int, str, int], int] = {}
        self._finals: dict[str, int] = {}

    def came(self, facts: Facts, number: int, branches: tuple[str, ...] = ()) -> None:
        """A message came in. ``branches``: that of its topmost Via, in all the forms it has."""
        self._latest[facts.key] = number
        if facts.status >= 300 and facts.method == "INVITE":
            for branch in (*branches, facts.branch):
                self._finals[branch] = number

    def of(self, facts: Facts) -> int:
        """The number of the message that made the proxy send this one; 0 when none is known."""
        latest = self._latest
        callid, number, method, status = facts.key
        if status and method == "CANCEL":
            return latest.get((callid, number, method, 0), 0)  # hop by hop (RFC 3261 9.2): always the proxy's own
        if status:
            # A reply that was passed on, or else the proxy's own.
            return latest.get(facts.key) or latest.get((callid, number, method, 0), 0)
        if method == "ACK" and facts.branch in self._finals:
            return self._finals[facts.branch]  # hop by hop (RFC 3261 17.1.1.3)
        found = latest.get((callid, number, method, 0), 0)
        if not found and method == "CANCEL":
            found = latest.get((callid, number, "INVITE", 0), 0)
        return found
