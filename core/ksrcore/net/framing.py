"""SIP messages out of a byte stream (RFC 3261 18.3, RFC 5626 4.4.1). Sans-IO.

A message is a header section, ended by an empty line (CRLF or bare LF), and Content-Length bytes of body. Between
messages CR and LF are skipped; CRLF CRLF is a keepalive ping, which the owner answers with CRLF.

As Kamailio's tcp_read does: a message without Content-Length is an error unless ``accept_no_cl`` (Kamailio's
tcp_accept_no_cl), and so is one larger than the read buffer. Stricter than Kamailio: two Content-Length headers that
differ, or a value too large for the buffer, end the connection at once instead of leaving it waiting. Wider: a
folded value (``Content-Length:`` CRLF SP ``3``) is read, and a continuation line is never taken for a header.
"""

from __future__ import annotations

import enum
from typing import Final

#: Kamailio's tcp_rd_buf_size: the largest message, in bytes.
MAX_MESSAGE: Final = 65536

_WS: Final = b" \t"
_CR: Final = 13
_LF: Final = 10
_COLON: Final = 58
# What a method or "SIP/2.0" can begin with (RFC 3261 25.1 token).
_TOKEN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
_PING: Final = b"\r\n\r\n"


class Keepalive(enum.Enum):
    """What may stand between messages and asks for an answer."""

    PING = "ping"


class FramingKind(enum.Enum):
    """Why a stream cannot be read further."""

    NOT_SIP = "not SIP"
    TOO_LARGE = "message too large"
    NO_LENGTH = "no Content-Length"
    BAD_LENGTH = "bad Content-Length"


class FramingError(Exception):
    """The stream cannot be read further; only closing the connection helps. ``kind`` is for programs."""

    def __init__(self, kind: FramingKind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind


class Framer:
    """Cut one stream into messages.

    ``error`` is None until the stream turns out unreadable; then ``feed`` returns what came before the fault, and
    nothing from there on. What comes out does not depend on how the stream was cut into chunks.
    """

    __slots__ = ("_buf", "_need", "_ping", "_scan", "accept_no_cl", "error", "max_size")

    def __init__(self, max_size: int = MAX_MESSAGE, accept_no_cl: bool = False) -> None:
        self.max_size = max_size
        self.accept_no_cl = accept_no_cl
        self.error: FramingError | None = None
        self._buf = bytearray()
        self._need = 0  # size of the message at the buffer's start, 0 while its header section is incomplete
        self._scan = 0  # where the search for the empty line goes on
        self._ping = 0  # how many bytes of CRLF CRLF were seen

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buf)

    def feed(self, chunk: bytes) -> list[bytes | Keepalive]:
        """Take what arrived; return the complete messages and pings in their order."""
        out: list[bytes | Keepalive] = []
        if self.error is not None:
            return out
        buf = self._buf
        data: bytes | bytearray
        if buf:
            buf += chunk
            if len(buf) < self._need:
                return out
            data = buf
        else:
            data = chunk  # the usual case, whole messages a chunk: nothing is copied but the messages
        pos = 0
        size = len(data)
        try:
            while pos < size:
                if not self._need:
                    if not self._scan:
                        pos = self._skip(data, pos, out)
                        if pos == size:
                            break
                    self._need = self._measure(data, pos)
                    if not self._need:
                        break
                end = pos + self._need
                if end > size:
                    break
                out.append(bytes(data[pos:end]))
                pos = end
                self._need = self._scan = 0
        except FramingError as err:
            self.error = err
            buf.clear()
            return out
        if data is buf:
            del buf[:pos]
        elif pos < size:
            buf += chunk[pos:]
        return out

    def _skip(self, data: bytes | bytearray, pos: int, out: list[bytes | Keepalive]) -> int:
        """Step over CR and LF between messages, noting pings."""
        ping = self._ping
        for at in range(pos, len(data)):
            byte = data[at]
            if byte == _PING[ping]:
                ping += 1
                if ping == 4:
                    out.append(Keepalive.PING)
                    ping = 0
            elif byte == _CR:
                ping = 1
            elif byte == _LF:
                ping = 0
            elif byte in _TOKEN:
                self._ping = 0
                return at
            else:
                hint = "a TLS handshake on a plain socket?" if byte == 22 else "a method or SIP/2.0 was expected"
                raise FramingError(FramingKind.NOT_SIP, f"first byte 0x{byte:02x}, {hint}")
        self._ping = ping
        return len(data)

    def _measure(self, data: bytes | bytearray, pos: int) -> int:
        """The size of the message at pos, or 0 while its header section is incomplete."""
        start = pos + self._scan
        lines = data.find(b"\n\r\n", start)
        bare = data.find(b"\n\n", start, lines + 2 if lines >= 0 else len(data))
        if bare >= 0:
            end = bare + 2
        elif lines >= 0:
            end = lines + 3
        else:
            have = len(data) - pos
            if have >= self.max_size:
                raise FramingError(FramingKind.TOO_LARGE, f"no end of the header section within {self.max_size} bytes")
            self._scan = max(have - 2, 1)
            return 0
        head = end - pos
        if head > self.max_size:
            raise FramingError(FramingKind.TOO_LARGE, f"no end of the header section within {self.max_size} bytes")
        length = content_length(data[pos:end])
        if length is None:
            if not self.accept_no_cl:
                line = bytes(data[pos:end]).split(b"\n", 1)[0].rstrip(b"\r")[:80].decode("latin-1")
                raise FramingError(FramingKind.NO_LENGTH, f"a stream needs it to find the next message, after {line!r}")
            length = 0
        if head + length > self.max_size:
            raise FramingError(
                FramingKind.TOO_LARGE, f"{head} bytes of headers and {length} of body, the limit is {self.max_size}"
            )
        return head + length


def content_length(head: bytes | bytearray) -> int | None:
    """The value of Content-Length in a header section, None when there is none; raises FramingError."""
    low = head.lower()
    found: int | None = None
    for name in (b"\ncontent-length", b"\nl"):
        at = low.find(name)
        while at >= 0:
            colon = at + len(name)
            while low[colon] in _WS:
                colon += 1
            if low[colon] == _COLON:
                value = _length(low, colon + 1)
                if found is not None and found != value:
                    raise FramingError(FramingKind.BAD_LENGTH, f"two that differ, {found} and {value}")
                found = value
            at = low.find(name, at + 1)
    return found


def _length(low: bytes | bytearray, start: int) -> int:
    """The number in the header value at start, folding undone."""
    stop = low.find(b"\n", start)
    while low[stop + 1 : stop + 2] in (b" ", b"\t"):
        stop = low.find(b"\n", stop + 1)
    text = bytes(low[start:stop]).strip(b" \t\r\n")
    if not text.isdigit():
        shown = text[:40].decode("latin-1")
        raise FramingError(FramingKind.BAD_LENGTH, f"expected a number, got {shown!r}")
    digits = text.lstrip(b"0") or b"0"
    # Twelve digits are more than any limit; int() of a longer text costs quadratic time or raises.
    return int(digits[:12])
