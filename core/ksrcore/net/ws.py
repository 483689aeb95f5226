"""WebSocket on a stream: the answer to a key, frames in and out, fragments (RFC 6455 4.2.2, 5). Sans-IO.

What the frames mean is the websocket module's business; here they are cut out of the stream, unmasked and joined.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final, NamedTuple, Protocol

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "MAX_MESSAGE",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "FrameReader",
    "Fragments",
    "FrameError",
    "Link",
    "accept_key",
    "close_payload",
    "encode",
]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

#: The largest message that fragments may come to, bytes: Kamailio's BUF_SIZE.
MAX_MESSAGE: Final = 65535

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FrameError(Exception):
    """A stream of frames that cannot be read on; the text is one line for the log."""


class Link(Protocol):
    """What takes over a stream connection after its handshake.

    ``proto``: what messages of it go by, "ws" or "wss". :meth:`feed` is given what comes, with the time in monotonic
    seconds, and returns how many messages that were; :meth:`wrap` turns a message into the bytes of the wire, None
    when it cannot be sent now; :meth:`lost` is called once, when the connection is gone.
    """

    proto: str

    def feed(self, data: bytes, now: float) -> int: ...

    def wrap(self, data: bytes) -> bytes | None: ...

    def lost(self) -> None: ...


class Frame(NamedTuple):
    """One frame, its payload unmasked. ``reserved`` are the three bits for extensions."""

    fin: bool
    reserved: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def control(self) -> bool:
        return self.opcode >= CLOSE


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key, which is taken as it is (RFC 6455 4.2.2)."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def encode(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes = b"") -> bytes:
    """A frame with the shortest form of its length. ``mask``: four bytes, which only clients use."""
    size = len(payload)
    first = opcode | (0x80 if fin else 0)
    bit = 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + mask + _masked(payload, mask) if mask else head + payload


def close_payload(code: int, reason: bytes) -> bytes:
    """The payload of a close frame. ``code`` is cut to its 16 bits."""
    return struct.pack("!H", code & 0xFFFF) + reason


def _masked(payload: bytes, mask: bytes) -> bytes:
    # One operation on long integers: many times faster than a loop over the bytes.
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


class FrameReader:
    """Frames out of a byte stream. A frame that is longer than ``max_size`` with its header ends the reading."""

    __slots__ = ("_buf", "error", "max_size")

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self.error: FrameError | None = None
        self._buf = b""

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buf)

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; return the complete frames. After an error nothing comes any more."""
        found: list[Frame] = []
        if self.error is not None:
            return found
        if self._buf:
            data = self._buf + data
        pos = 0
        size = len(data)
        while size - pos >= 2:
            first, second = data[pos], data[pos + 1]
            length = second & 0x7F
            at = pos + 2
            if length >= 126:
                wide = 2 if length == 126 else 8
                if size - at < wide:
                    break
                length = int.from_bytes(data[at : at + wide])
                at += wide
            masked = second >= 0x80
            if masked:
                at += 4
            if at - pos + length > self.max_size:
                self.error = FrameError(f"a frame of {length} bytes, the limit is {self.max_size} (tcp_rd_buf_size)")
                self._buf = b""
                return found
            end = at + length
            if end > size:
                break
            payload = data[at:end]
            if masked:
                payload = _masked(payload, data[at - 4 : at])
            found.append(Frame(first >= 0x80, first >> 4 & 7, first & 0xF, masked, payload))
            pos = end
        self._buf = data[pos:]
        return found


class Fragments:
    """A message that comes in parts. Control frames and whole messages between them leave it alone, as in Kamailio."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, frame: Frame) -> bytes | None:
        """A data frame; the whole message when it completes one. Raises :class:`FrameError`.

        As Kamailio: a first fragment drops what was begun, a continuation of nothing is the message itself.
        """
        if frame.opcode != CONTINUATION:
            if frame.fin:
                return frame.payload
            self.clear()
        self._size += len(frame.payload)
        if self._size > MAX_MESSAGE:
            size = self._size
            self.clear()
            raise FrameError(f"a message of {size} bytes or more in fragments, the limit is {MAX_MESSAGE}")
        self._parts.append(frame.payload)
        if not frame.fin:
            return None
        message = b"".join(self._parts)
        self.clear()
        return message

    def clear(self) -> None:
        self._parts.clear()
        self._size = 0
