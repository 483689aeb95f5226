"""SIP messages out of a byte stream (RFC 3261 18.3, RFC 5626 4.4.1). Sans-IO.

A message is a header section, ended by an empty line (CRLF or bare LF), and Content-Length bytes of body. Between
messages CR and LF are skipped; CRLF CRLF is a keepalive ping, which the owner answers with CRLF.

As Kamailio's tcp_read does: a message without Content-Length is an error unless ``accept_no_cl`` (Kamailio's
tcp_accept_no_cl), and so is one larger than the read buffer. Stricter than Kamailio: two Content-Length headers that
differ, or a value too large for the buffer, end the connection at once instead of leaving it waiting. Wider: a
folded value (``Content-Length:`` CRLF SP ``3``) is read, and a continuation line is never taken for a header.

HTTP comes over the same streams. Its requests usually lack Content-Length and need ``accept_no_cl``; a body in chunks
(RFC 9112 7.1) is put together, and a client that waits for ``100 Continue`` with its body (RFC 9110 10.1.1) is noted.
"""

from __future__ import annotations

import enum
from typing import Final

from .chunked import Chunks, is_chunked
from .framingerror import FramingError, FramingKind

#: Kamailio's tcp_rd_buf_size: the largest message, in bytes.
MAX_MESSAGE: Final = 65536

__all__ = ["MAX_MESSAGE", "Framer", "FramingError", "FramingKind", "Keepalive", "content_length"]

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
    #: An HTTP client holds its body back until it is told to go on.
    CONTINUE = "continue"


class Framer:
    """Cut one stream into messages.

    ``error`` is None until the stream turns out unreadable; then ``feed`` returns what came before the fault, and
    nothing from there on. What comes out does not depend on how the stream was cut into chunks, but for ``CONTINUE``:
    only a body that is not there yet is asked for.
    """

    __slots__ = ("_body", "_buf", "_need", "_ping", "_scan", "accept_no_cl", "error", "max_size")

    def __init__(self, max_size: int = MAX_MESSAGE, accept_no_cl: bool = False) -> None:
        self.max_size = max_size
        self.accept_no_cl = accept_no_cl
        self.error: FramingError | None = None
        self._buf = bytearray()
        self._body: Chunks | None = None  # of the message at the buffer's start, when it comes in chunks
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
                        if self._body is not None and self._body.first_look and _waits(data, pos):
                            out.append(Keepalive.CONTINUE)
                        break
                end = pos + self._need
                if end > size:
                    # Only a message just measured comes here: later ones wait above until they are complete.
                    if _waits(data, pos):
                        out.append(Keepalive.CONTINUE)
                    break
                if self._body is None:
                    out.append(bytes(data[pos:end]))
                else:
                    out.append(bytes(data[pos : pos + self._body.head]) + b"".join(self._body.parts))
                    self._body = None
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
        """The size of the message at pos, or 0 while its header section, or a body in chunks, is incomplete."""
        if self._body is not None:
            return self._body.measure(data, pos)
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
                raise FramingError(
                    FramingKind.NO_LENGTH,
                    f"a stream needs it to find the next message, after {line!r} (core:tcp_accept_no_cl=1 takes it)",
                )
            if is_chunked(data, pos, end):
                self._scan = head
                self._body = Chunks(head, self.max_size)
                return self._body.measure(data, pos)
            length = 0
        if head + length > self.max_size:
            raise FramingError(
                FramingKind.TOO_LARGE, f"{head} bytes of headers and {length} of body, the limit is {self.max_size}"
            )
        return head + length


def _waits(data: bytes | bytearray, pos: int) -> bool:
    """Whether the HTTP request at pos, whose body is incomplete, waits for 100 Continue."""
    line = data.find(b"\n", pos)
    if b"HTTP/1." not in data[max(pos, line - 10) : line].upper():
        return False
    end = min((at for at in (data.find(mark, line) for mark in (b"\n\r\n", b"\n\n")) if at >= 0), default=line)
    for field in bytes(data[line + 1 : end]).split(b"\n"):
        name, _, value = field.partition(b":")
        if name.strip().lower() == b"expect":
            return value.strip().lower() == b"100-continue"
    return False


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
