"""The ng protocol of rtpengine: a dictionary out, a dictionary back, in bencode, over UDP.

Each datagram begins with a cookie, which the reply repeats, so that a command can be sent again: rtpengine answers a
repeated cookie with the same reply. A call waits for its reply; several threads may call at once. Texts are latin-1
``str``: one character is one byte.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from itertools import count
from secrets import token_hex
from time import monotonic
from typing import TypeAlias

__all__ = ["Dictionary", "NgSocket", "NgValue", "bdecode", "bencode", "parse_ng_url"]

#: What bencode carries; a request's dictionaries may be a :class:`Dictionary`.
NgValue: TypeAlias = "int | str | Sequence[NgValue] | Mapping[str, NgValue] | Dictionary"

#: What a reply may be at most (bytes of a datagram).
_SIZE = 65535
#: One number a command, whatever socket it goes to: two of them may be the same rtpengine, which repeats what it has
#: answered to a cookie before. What is in front keeps them apart from those of other processes.
_cookies = count()
_PREFIX = f"{token_hex(5)}_"
#: How deep lists and dictionaries of a reply may be nested.
_DEPTH = 64


class Dictionary:
    """A dictionary in the order of its entries; a key may stand in it more than once, as requests have it."""

    __slots__ = ("items",)

    def __init__(self, *items: tuple[str, NgValue]) -> None:
        self.items: list[tuple[str, NgValue]] = list(items)

    def add(self, key: str, value: NgValue) -> None:
        self.items.append((key, value))

    def copy(self) -> Dictionary:
        return Dictionary(*self.items)


def bencode(value: NgValue) -> str:
    """``i5e``, ``3:abc``, ``l...e``, ``d...e``; dictionaries are not sorted."""
    parts: list[str] = []
    _encode(value, parts)
    return "".join(parts)


def _encode(value: NgValue, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(f"{len(value)}:{value}")
    elif isinstance(value, int):
        parts.append(f"i{value}e")
    elif isinstance(value, (Dictionary, Mapping)):
        parts.append("d")
        for key, item in value.items if isinstance(value, Dictionary) else value.items():
            parts.append(f"{len(key)}:{key}")
            _encode(item, parts)
        parts.append("e")
    else:
        parts.append("l")
        for item in value:
            _encode(item, parts)
        parts.append("e")


def bdecode(text: str) -> NgValue:
    """The value at the start of ``text``; what follows it is ignored, as rtpengine's clients do. Raises ValueError."""
    try:
        return _decode(text, 0, 0)[0]
    except IndexError:
        raise ValueError("it ends in the middle of a value") from None


def _number(text: str, what: str) -> int:
    digits = text.removeprefix("-") if what == "an integer" else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        raise ValueError(f"expected {what}, got {text[:40]!r}")
    return int(text)


def _decode(text: str, at: int, depth: int) -> tuple[NgValue, int]:
    """The value at ``at`` and the offset after it."""
    if depth > _DEPTH:
        raise ValueError(f"more than {_DEPTH} lists and dictionaries in each other")
    kind = text[at]
    if kind == "i":
        end = text.index("e", at)
        return _number(text[at + 1 : end], "an integer"), end + 1
    if kind == "l":
        items: list[NgValue] = []
        at += 1
        while text[at] != "e":
            item, at = _decode(text, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == "d":
        found: dict[str, NgValue] = {}
        at += 1
        while text[at] != "e":
            key, at = _decode(text, at, depth + 1)
            if not isinstance(key, str):
                raise ValueError(f"the key of a dictionary is a string, got {key!r:.40}")
            item, at = _decode(text, at, depth + 1)
            found.setdefault(key, item)
        return found, at + 1
    colon = text.index(":", at)
    size = _number(text[at:colon], "the length of a string")
    end = colon + 1 + size
    if end > len(text):
        raise ValueError(f"a string of {size} bytes, only {len(text) - colon - 1} are left")
    return text[colon + 1 : end], end


def parse_ng_url(url: str) -> tuple[str, str, int]:
    """(udp or udp6, host, port) of ``udp:127.0.0.1:2223``, ``udp6:[::1]:2223``; without a port 22222.

    Raises ValueError with what was expected.
    """
    scheme, colon, rest = url.partition(":")
    if scheme in ("ws", "wss"):
        raise ValueError(f"rtpengine over WebSocket is not supported, got {url!r}: use its UDP socket, udp:HOST:PORT")
    if colon and scheme in ("udp", "udp6"):
        host, middle, port = rest.rpartition(":")
        if not middle or rest.endswith("]"):
            host, port = rest, "22222"
        if host[:1] == "[" and host[-1:] == "]":
            host = host[1:-1]
        if host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return scheme, host, int(port)
    raise ValueError(f"expected udp:HOST:PORT or udp6:[HOST]:PORT, got {url!r}")


class NgSocket:
    """Sends commands to one rtpengine. Raises OSError when it cannot be reached or does not answer in time.

    ``tos``: the type of service of the datagrams, -1 for the system's own. ``interface``: the address they are sent
    from, '' for any.
    """

    def __init__(self, url: str, *, tos: int = -1, interface: str = "") -> None:
        self.kind, self.host, self.port = parse_ng_url(url)
        self.tos = tos
        self.interface = interface
        #: Sockets nobody uses now: several calls may wait at once, in threads of their own.
        self._sockets: list[socket.socket] = []

    def close(self) -> None:
        while self._sockets:
            self._sockets.pop().close()

    def ask(self, text: str, *, timeout: float, attempts: int) -> str:
        """The reply to ``text``, without the cookie. Each of the attempts has ``timeout`` seconds."""
        try:
            sock = self._sockets.pop()
        except IndexError:
            sock = self._open()
        try:
            reply = self._ask(sock, text, timeout, attempts)
        except BaseException:
            sock.close()
            raise
        self._sockets.append(sock)
        return reply

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if self.kind == "udp6" else socket.AF_INET
        address = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_DGRAM)[0][4]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if 0 <= self.tos <= 255:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, self.tos)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, self.tos)
            if self.interface and (":" in self.interface) == (family == socket.AF_INET6):
                own = socket.getaddrinfo(self.interface, 0, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4]
                sock.bind(own)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _ask(self, sock: socket.socket, text: str, timeout: float, attempts: int) -> str:
        cookie = f"{_PREFIX}{next(_cookies)}"
        packet = f"{cookie} {text}".encode("latin-1")
        for _ in range(max(1, attempts)):
            sock.send(packet)
            end = monotonic() + timeout
            while (left := end - monotonic()) > 0:
                sock.settimeout(left)
                try:
                    got = sock.recv(_SIZE).decode("latin-1")
                except TimeoutError:
                    break
                seen, _, reply = got.partition(" ")
                if seen == cookie:
                    return reply
        raise TimeoutError(f"no reply to {max(1, attempts)} times the command, {timeout:g} s each")
