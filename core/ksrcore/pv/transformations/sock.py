"""``{sock.*}``: parts of a socket description ``[proto:]host[:port]`` (Kamailio's corex module), or null."""

from __future__ import annotations

from collections.abc import Callable

from .registry import Value, text

_PROTOS = ("udp", "tcp", "tls", "sctp", "ws", "wss")

Socket = tuple[str, str, str]


def split_socket(value: str) -> Socket | None:
    """(proto, host, port) as written, '' for what is missing; None when ``value`` is no socket description."""
    proto, colon, rest = value.partition(":")
    if not colon or proto.lower() not in _PROTOS:
        proto, rest = "", value
    if rest[:1] == "[":
        host, closed, tail = rest.partition("]")
        if not closed or (tail and tail[0] != ":"):
            return None
        host, port = host + "]", tail[1:]
    else:
        host, _, port = rest.partition(":")
    if not value or (port and not (len(port) <= 5 and port.isascii() and port.isdigit())):
        return None
    return proto, host, port


def _sock(name: str, read: Callable[[Socket], Value]) -> None:
    @text("sock." + name)
    def operation(value: str) -> Value:
        socket = split_socket(value)
        return read(socket) if socket is not None else None


def _touri(socket: Socket) -> Value:
    proto, host, port = socket
    if not host:
        return ""
    return f"sip:{host}{':' + port if port else ''}{';transport=' + proto if proto else ''}"


_sock("host", lambda socket: socket[1])
_sock("port", lambda socket: socket[2])
_sock("proto", lambda socket: socket[0])
_sock("touri", _touri)
