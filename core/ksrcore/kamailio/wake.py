"""Waking idle workers: a message to the server's own sockets, which the agent in the worker that gets it eats.

A worker of Kamailio looks at nothing while it waits for a message. The kernel gives datagrams to waiting processes in
turn, so that a few reach all of them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from ..net.address import AddressError, Listen, ip_family, parse_listen
from .ksragent.agent import WAKE
from .seal import ours

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Waker:
    """Sends to ``udp:HOST:PORT``, ``tcp:HOST:PORT`` texts. ``secret``: the state page's."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._count = 0
        self._streams: list[socket.socket] = []

    def wake(self, where: Iterable[str], times: int) -> None:
        """``times`` messages to each. What cannot be sent is no error: who was not woken has not answered."""
        self._let_go()
        for text in where:
            try:
                listen = parse_listen(text)
            except AddressError:
                continue
            host = _ANY.get(listen.host, listen.host)
            with suppress(OSError), ours():
                # A standby listens on an address that another machine has now: nothing goes there.
                if not _here(host):
                    continue
                if listen.proto == "udp":
                    self._datagrams(listen, host, times)
                for _ in range(times if listen.proto == "tcp" else 0):
                    self._stream(listen, host)

    def message(self, listen: Listen, here: tuple[str, int]) -> bytes:
        self._count += 1
        own = f"[{here[0]}]:{here[1]}" if ":" in here[0] else f"{here[0]}:{here[1]}"
        return (
            f"{WAKE} sip:{listen.uri_host}:{listen.port} SIP/2.0\r\n"
            f"Via: SIP/2.0/{listen.proto.upper()} {own};branch=z9hG4bK{os.getpid()}.{self._count}\r\n"
            f"From: <sip:ksrshell@{listen.uri_host}>;tag={self._count}\r\nTo: <sip:{listen.uri_host}>\r\n"
            f"Call-ID: {self.secret}\r\nCSeq: {self._count} {WAKE}\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
        ).encode("latin-1")

    def _datagrams(self, listen: Listen, host: str, times: int) -> None:
        with socket.socket(ip_family(host), socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(("", 0))
            message = partial(self.message, listen, (host, sock.getsockname()[1]))
            for _ in range(times):
                sock.sendto(message(), (host, listen.port))

    def _stream(self, listen: Listen, host: str) -> None:
        sock = socket.socket(ip_family(host), socket.SOCK_STREAM)
        self._streams.append(sock)
        sock.settimeout(0.5)  # it is this machine's own
        sock.connect((host, listen.port))
        sock.setblocking(False)
        sock.send(self.message(listen, sock.getsockname()[:2]))

    def _let_go(self) -> None:
        """Connections of before: their messages have been read by now."""
        for sock in self._streams:
            sock.close()
        self._streams.clear()

    def close(self) -> None:
        self._let_go()


def _here(host: str) -> bool:
    """Whether that address is this machine's: what goes to one of its own, the kernel sends from the same."""
    family = ip_family(host)
    if host.startswith("127.") or host == "::1":
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((host, 9))  # asks the routing table; nothing is sent
        own = str(sock.getsockname()[0])
    return socket.inet_pton(family, own.partition("%")[0]) == socket.inet_pton(family, host.partition("%")[0])
