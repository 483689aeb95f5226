"""The control socket of an RTPproxy: one command out, one line back.

Over UDP a command carries a cookie, which the reply repeats, so that it can be sent again. A call waits for its reply;
several threads may call at once. Unlike in Kamailio (``rtpproxy_tout`` seconds for each of
``rtpproxy_retr`` + 1 attempts) all attempts together have ``timeout`` seconds. Where nobody listens the system says so
at once.
"""

from __future__ import annotations

import os
import socket
from itertools import count
from time import monotonic

__all__ = ["RtppSocket", "parse_rtpp_url"]


def parse_rtpp_url(url: str) -> tuple[str, str, int]:
    """(udp or udp6 or unix, host or path, port) of ``udp:127.0.0.1:7722``, ``udp6:[::1]:7722``, ``unix:/path``, a path.

    Raises ValueError with what was expected.
    """
    scheme, colon, rest = url.partition(":")
    if url[:1] == "/":
        return "unix", url, 0
    if colon and scheme == "unix" and rest[:1] == "/":
        return "unix", rest, 0
    if colon and scheme in ("udp", "udp6"):
        host, _, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "22222")
        if not host:
            host, port = port, "22222"
        if host[:1] == "[" and host[-1:] == "]":
            host = host[1:-1]
        if host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return scheme, host, int(port)
    raise ValueError(f"expected udp:HOST:PORT, udp6:[HOST]:PORT or unix:/PATH, got {url!r}")


class RtppSocket:
    """Sends commands to one RTPproxy. Raises OSError when it cannot be reached or does not answer in time."""

    def __init__(self, url: str, *, timeout: float, attempts: int) -> None:
        self.kind, self.host, self.port = parse_rtpp_url(url)
        self.timeout = timeout
        self.attempts = max(1, attempts)
        #: Sockets nobody uses now: several calls may wait at once, in threads of their own.
        self._sockets: list[socket.socket] = []
        self._cookies = count()
        self._prefix = f"{os.getpid()}_"

    def close(self) -> None:
        while self._sockets:
            self._sockets.pop().close()

    def command(self, text: str) -> str:
        """The reply to a command, without cookie and line end."""
        try:
            return self._unix(text) if self.kind == "unix" else self._udp(text)
        except OSError:
            self.close()
            raise

    def _unix(self, text: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self.timeout)
            sock.connect(self.host)
            sock.sendall(text.encode("latin-1"))
            return sock.recv(4096).decode("latin-1").strip()

    def _udp(self, text: str) -> str:
        try:
            sock = self._sockets.pop()
        except IndexError:
            sock = self._open()
        try:
            reply = self._ask(sock, text)
        except BaseException:
            sock.close()
            raise
        self._sockets.append(sock)
        return reply

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if self.kind == "udp6" else socket.AF_INET
        address = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_DGRAM)[0][4]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.connect(address)
        return sock

    def _ask(self, sock: socket.socket, text: str) -> str:
        cookie = f"{self._prefix}{next(self._cookies)}"
        packet = f"{cookie} {text}".encode("latin-1")
        pause = self.timeout / self.attempts
        end = monotonic() + self.timeout
        for attempt in range(1, self.attempts + 1):
            sock.send(packet)
            until = end if attempt == self.attempts else min(end, monotonic() + pause)
            while (left := until - monotonic()) > 0:
                sock.settimeout(left)
                try:
                    got = sock.recv(4096).decode("latin-1")
                except TimeoutError:
                    break
                seen, _, reply = got.partition(" ")
                if seen == cookie:
                    return reply.strip()
        raise TimeoutError(f"no reply within {self.timeout:g} s")
