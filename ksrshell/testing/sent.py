"""A message that the proxy sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksrcore.net.address import DEFAULT_PORTS, AddressError, bracketed, canonical_ip, parse_host_port
from ksrcore.sip.errors import SipError
from ksrcore.sip.uri import Uri, parse_uri

from .headers import Headers, split_message

if TYPE_CHECKING:
    from ksrcore.net.address import Dest

__all__ = ["Sent"]

__tracebackhide__ = True


class Sent:
    """``proto``, ``ip`` and ``port`` say where to, ``at`` when: seconds since the test began.

    Of a request: ``method``, ``uri``; of a reply: ``code``, ``reason`` and the CSeq's ``method``. ``headers``,
    ``body``, ``text`` (lines end in a newline) and ``wire`` (latin-1, as it left). ``again``: the very same went there
    before, it is a retransmission.
    """

    def __init__(self, wire: str, dest: Dest, at: float, again: bool) -> None:
        self.wire = wire
        self.at = at
        self.again = again
        self.proto, self.ip, self.port, self.conid = dest.proto, dest.ip, dest.port, dest.conid
        self.first, fields, self.body = split_message(wire)
        self.headers = Headers(fields)
        self.is_request = not self.first.upper().startswith(("SIP/", "HTTP/"))
        self.code = 0
        self.reason = self.uri = ""
        if self.is_request:
            self.method, _, rest = self.first.partition(" ")
            self.uri = rest.rpartition(" ")[0]
        else:
            _, code, self.reason, *_ = (*self.first.split(" ", 2), "", "")
            self.code = int(code) if code.isdigit() else 0
            self.method = self.headers.get("CSeq", "").rpartition(" ")[2]

    @property
    def text(self) -> str:
        return self.wire.encode("latin-1").decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    @property
    def to(self) -> str:
        """Where it was sent: ``udp:10.0.0.2:5060``."""
        return f"{self.proto}:{bracketed(self.ip)}:{self.port}"

    @property
    def relayed(self) -> bool:
        """Whether it is a request of somebody else; our own (CANCEL, ACK of a negative reply) has our Via only."""
        if not self.is_request:
            return False
        vias = self.headers.all("Via")
        return len(vias) > 1 or any("," in via for via in vias)

    def went_to(self, target: str) -> bool:
        """Whether that is its Request-URI, or where it was sent.

        A URI: user, host, port and what parameters it names must be those of the Request-URI. Without a user also
        ``10.0.0.2``, ``10.0.0.2:5060``, ``udp:10.0.0.2:5060``: the address it was sent to.
        """
        if self.is_request:
            if target == self.uri:
                return True
            wanted, mine = _uri(target), _uri(self.uri)
            if wanted is not None and mine is not None and _same(wanted, mine):
                return True
        return self._address(target)

    def _address(self, target: str) -> bool:
        proto, colon, rest = target.partition(":")
        if colon and proto.lower() in DEFAULT_PORTS:
            if proto.lower() != self.proto:
                return False
            target = rest
        elif proto.lower() in ("sip", "sips"):
            if "@" in rest or ";" in rest:
                return False
            target = rest
        try:
            host, port = parse_host_port(target)
        except AddressError:
            return False
        return (canonical_ip(host) or host) == self.ip and port in (0, self.port)

    def __repr__(self) -> str:
        return f"<{self.first.removeprefix('SIP/2.0 ').removesuffix(' SIP/2.0')} to {self.to}>"


def _uri(text: str) -> Uri | None:
    try:
        return parse_uri(text)
    except SipError:
        return None


def _same(wanted: Uri, mine: Uri) -> bool:
    if (wanted.scheme.lower(), wanted.user, wanted.host.lower()) != (mine.scheme.lower(), mine.user, mine.host.lower()):
        return False
    if (wanted.port_no or 5060) != (mine.port_no or 5060):
        return False
    theirs = {part.lower() for part in mine.params.split(";")}
    return all(part.lower() in theirs for part in wanted.params.split(";") if part)
