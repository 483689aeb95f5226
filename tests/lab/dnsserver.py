"""A small DNS server over UDP on loopback, in a thread: for code that waits for its answers."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

__all__ = ["DnsServer"]


class DnsServer:
    """``with DnsServer({"a.test. A": ["10.0.0.1"]}) as server``: answers at ``server.port``; ``asked`` lists them."""

    def __init__(self, zone: dict[str, list[str]]) -> None:
        self.zone = zone
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="dns server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            name = question.name.to_text()
            kind = dns.rdatatype.to_text(question.rdtype)
            self.asked.append(f"{name} {kind}")
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.RA
            if values := self.zone.get(f"{name} {kind}"):
                reply.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *values))
            elif not any(key.startswith(f"{name} ") for key in self.zone):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(reply.to_wire(), peer)
