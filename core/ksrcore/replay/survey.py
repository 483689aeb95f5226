"""A first look at a capture: whose address is the proxy's, where names led to, which nonces the proxy gave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..capture.captured import Captured
from ..capture.parties import Address, Parties
from ..net.address import canonical_ip
from ..sip.errors import SipError
from ..sip.message import SipMessage
from ..sip.uri import parse_uri

__all__ = ["Survey"]

_NONCE = re.compile(
    rb'^(?:WWW|Proxy)-Authenticate[ \t]*:[^\r\n]*?\bnonce[ \t]*=[ \t]*"([^"]+)"', re.IGNORECASE | re.MULTILINE
)
_MOST = 100_000


class Survey:
    """What a capture says of its proxy. ``parties`` tells the directions; call :meth:`look` for each message first."""

    def __init__(self, parties: Parties) -> None:
        self.parties = parties
        self.messages = 0
        self.begin = 0.0
        self._names: dict[tuple[str, Address], tuple[str, str, int]] = {}
        self._nonces: dict[Address, set[str]] = {}

    def look(self, message: Captured) -> None:
        self.parties.count(message)
        self.messages += 1
        if not self.begin or message.time < self.begin:
            self.begin = message.time
        data = message.data
        src = message.src_ip, message.src_port
        if data.startswith(b"SIP/2.0"):
            if data[8:11] in (b"401", b"407"):
                found = self._nonces.setdefault(src, set())
                if len(found) < _MOST:
                    found.update(nonce.decode("latin-1") for nonce in _NONCE.findall(data))
            return
        host = _next_host(data.decode("latin-1"))
        if host and not canonical_ip(host) and len(self._names) < _MOST:
            self._names[host, src] = (message.proto, message.dst_ip, message.dst_port)

    def _ours(self, src: Address) -> bool:
        # Over TCP the proxy sends from a port of the moment.
        return self.parties.mine(src) or any(src[0] == ip for ip, _ in self.parties.addresses)

    def nonces(self) -> set[str]:
        """The nonces of the proxy's challenges."""
        return {nonce for src, found in self._nonces.items() if self._ours(src) for nonce in found}

    def resolver(self) -> Callable[[str, int, str, Callable[[list[tuple[str, str, int]]], None]], None]:
        """Resolves a name to where the proxy of the capture sent what was for it."""
        names: dict[str, tuple[str, str, int]] = {}
        for (host, src), target in self._names.items():
            if self._ours(src) or host not in names:
                names[host] = target

        def resolve(host: str, port: int, proto: str, done: Callable[[list[tuple[str, str, int]]], None]) -> None:
            target = names.get(host.lower())
            done([(proto or target[0], target[1], port or target[2])] if target is not None else [])

        return resolve


def _next_host(text: str) -> str:
    """The host that a request's next hop names: of the topmost Route, else of the R-URI (RFC 3261 8.1.2)."""
    try:
        msg = SipMessage(text)
        routes = msg.nameaddrs("route")
        return parse_uri(routes[0].uri if routes else msg.ruri).host.lower()
    except SipError:
        return ""


def survey(messages: Iterable[Captured], parties: Parties) -> Survey:
    """Look at all of them."""
    found = Survey(parties)
    for message in messages:
        found.look(message)
    return found
