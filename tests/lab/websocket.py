"""A WebSocket client's side, by hand: the request of the handshake, frames out and in (RFC 6455)."""

from __future__ import annotations

from typing import NamedTuple

from ksrcore.net.ws import FrameReader, encode

#: RFC 6455 1.3, with its answer.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"


def handshake(path: str = "/", *, drop: str = "", **fields: str) -> bytes:
    """The request; ``fields`` by header name with ``_`` for ``-`` replace or add, ``drop`` is a name to leave out."""
    headers = {
        "Host": "example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Protocol": "sip",
        "Sec-WebSocket-Version": "13",
    }
    headers |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != drop)
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """A frame as a client sends it, or as it must not."""
    data = encode(opcode, payload, fin=fin, mask=MASK if masked else b"")
    return bytes([data[0] | reserved << 4]) + data[1:]


class Came(NamedTuple):
    """A frame of the server's."""

    opcode: int
    payload: bytes


class Reader:
    """Frames out of what a server sent; the answer to the handshake goes first, into ``answer``."""

    def __init__(self) -> None:
        self.answer = b""
        self._head = b""
        self._frames = FrameReader(1 << 20)

    def feed(self, data: bytes) -> list[Came]:
        if not self.answer:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return []
            self.answer, data = self._head[: end + 4], self._head[end + 4 :]
        found = []
        for came in self._frames.feed(data):
            assert came.fin and not came.masked and not came.reserved, came
            found.append(Came(came.opcode, came.payload))
        assert self._frames.error is None, self._frames.error
        return found
