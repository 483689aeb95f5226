"""Which address of a capture is the proxy's, and so which messages came to it and which it sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..net.address import Listen, bracketed
from .captured import Captured

__all__ = ["Parties"]

Address = tuple[str, int]

_VIA: Final = re.compile(
    rb"^(?:Via|v)[ \t]*:[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*\w+[ \t]+"
    rb"(\[[^\]\r\n]+\]|[^\s;,:]+)(?::[ \t]*(\d{1,5}))?",
    re.IGNORECASE | re.MULTILINE,
)
#: Addresses that are counted; a capture of a whole network has more.
_MOST: Final = 50_000
#: More than any address passes on: the capture says itself which address is the proxy's.
_SAID: Final = 1 << 40


def _top_via(data: bytes) -> Address | None:
    """Host and port of the topmost Via."""
    found = _VIA.search(data)
    if found is None:
        return None
    return found.group(1).decode("latin-1").strip("[]").lower(), int(found.group(2) or 5060)


class Parties:
    """The proxy's addresses: ``given`` ones, or guessed from what was counted.

    The proxy is who both receives and sends most; of two such, who passes messages on (they have two Vias), or else
    gets requests.
    """

    def __init__(self, given: Iterable[Address] = (), hosts: Iterable[str] = ()) -> None:
        self.given = set(given)
        #: Hosts of which any port is the proxy's.
        self.hosts = set(hosts)
        #: Ports from which it opened TCP connections.
        self._opened: set[Address] = set()
        self._counts: dict[Address, list[int]] = {}
        self._protos: dict[Address, set[str]] = {}
        self._taken: Address | None = None

    # -- counting -------------------------------------------------------------------------------------------------

    def count(self, message: Captured) -> None:
        """See a message, for the guess."""
        for place, address in enumerate(((message.dst_ip, message.dst_port), (message.src_ip, message.src_port))):
            found = self._counts.get(address)
            if found is None:
                if len(self._counts) >= _MOST:
                    continue
                found = self._counts[address] = [0, 0, 0, 0]
                self._protos[address] = set()
            found[place] += 1
            self._protos[address].add(message.proto)
            request = not message.data.startswith(b"SIP/2.0")
            if message.out is not None and place == message.out:
                found[3] += _SAID
            elif place == request and message.data.count(b"SIP/2.0/") > 1:
                found[3] += 1
            if not place and request:
                found[2] += 1
            # Counts only grow, so only who was counted can overtake.
            if self._taken is None or (address != self._taken and self._rank(address) > self._rank(self._taken)):
                self._taken = address

    @property
    def address(self) -> Address | None:
        """The address that is taken for the proxy's when none was given."""
        return self._taken

    def _rank(self, address: Address) -> tuple[int, int, int, int]:
        received, sent, requests, passed = self._counts[address]
        return passed // _SAID, min(received, sent), passed % _SAID, requests

    @property
    def addresses(self) -> list[Address]:
        """The proxy's addresses, as far as they have ports."""
        if self.given or self.hosts:
            seen = [each for each in self._counts if each in self.given or each[0] in self.hosts]
            return sorted(self.given) or seen
        return [self.address] if self.address is not None else []

    def listens(self) -> list[Listen]:
        """Sockets on the proxy's addresses, for the transports that were seen there."""
        found = []
        for ip, port in self.addresses:
            protos = self._protos.get((ip, port), set()) & {"udp", "tcp", "tls", "ws", "wss"}
            found += [Listen(proto, ip, port) for proto in sorted(protos or {"udp"}, reverse=True)]
        return found

    @property
    def text(self) -> str:
        """The addresses, for people."""
        return ", ".join(f"{bracketed(ip)}:{port}" for ip, port in self.addresses)

    # -- telling --------------------------------------------------------------------------------------------------

    def mine(self, address: Address) -> bool:
        if self.given or self.hosts:
            return address in self.given or address[0] in self.hosts or address in self._opened
        return address == self.address or address in self._opened

    def direction(self, message: Captured) -> bool | None:
        """True when the proxy sent it, False when it was sent to the proxy, None when it has nothing to do with it."""
        if message.out is not None:
            return message.out
        src, dst = (message.src_ip, message.src_port), (message.dst_ip, message.dst_port)
        if self.mine(src):
            return True
        if self.mine(dst):
            return False
        if message.proto == "udp":
            return None
        # Over TCP the proxy sends from a port of the moment; its Via tells who it is.
        via = _top_via(message.data)
        if via is None or not self.mine(via):
            return None
        request = not message.data.startswith(b"SIP/2.0")
        end = src if request else dst
        if end[0] != via[0]:
            return None
        self._opened.add(end)
        return request
