"""Bodies of HTTP in chunks (RFC 9112 7.1). Sans-IO."""

from __future__ import annotations

from .framingerror import FramingError, FramingKind

_HEX = frozenset(b"0123456789abcdefABCDEF")
#: The longest line that gives a chunk's size, with its extensions, or a trailer field.
_MAX_LINE = 4096


def is_chunked(data: bytes | bytearray, start: int, end: int) -> bool:
    """Whether the header section at start, to end, is HTTP's and says ``Transfer-Encoding: chunked`` and no more.

    Other codings are not undone: as in Kamailio the message is taken to have no body.
    """
    first, *fields = bytes(data[start:end]).split(b"\n")
    if b" HTTP/1." not in first.upper():
        return False
    for field in fields:
        name, _, value = field.partition(b":")
        if name.strip().lower() == b"transfer-encoding":
            return value.strip().lower() == b"chunked"
    return False


class Chunks:
    """The chunked body of one message whose header section has ``head`` bytes. ``parts``: what its chunks hold."""

    __slots__ = ("_at", "_last", "_looks", "_max", "_size", "head", "parts")

    def __init__(self, head: int, max_size: int) -> None:
        self.head = head
        self.parts: list[bytes] = []
        self._at = head  # where the next chunk begins, from the message's start
        self._last = False  # the chunk of size 0 was seen: trailer fields follow
        self._size = head  # of the message put together
        self._max = max_size
        self._looks = 0

    @property
    def first_look(self) -> bool:
        """Whether :meth:`measure` was called once."""
        return self._looks == 1

    def measure(self, data: bytes | bytearray, pos: int) -> int:
        """The bytes that the message at pos takes in the stream, 0 while they are incomplete. Raises FramingError."""
        self._looks += 1
        while True:
            start = pos + self._at
            stop = data.find(b"\n", start, start + _MAX_LINE)
            if stop < 0:
                if len(data) - start >= _MAX_LINE:
                    raise FramingError(FramingKind.BAD_CHUNK, f"a line of more than {_MAX_LINE} bytes")
                return 0
            line = bytes(data[start:stop]).rstrip(b"\r")
            after = stop + 1
            if not self._last:
                size = _size(line)
                self._size += size
                if self._size > self._max:
                    raise FramingError(FramingKind.TOO_LARGE, f"a body in chunks, the limit is {self._max}")
                if size:
                    end = after + size
                    if len(data) < end + 2:
                        self._size -= size  # read again when the rest is here
                        return 0
                    if data[end : end + 2] != b"\r\n":
                        raise FramingError(FramingKind.BAD_CHUNK, f"no CRLF after {size} bytes")
                    self.parts.append(bytes(data[after:end]))
                    after = end + 2
                else:
                    self._last = True
            elif not line:
                return after - pos
            self._at = after - pos
            if self._at > 4 * self._max:
                raise FramingError(FramingKind.TOO_LARGE, f"more than {4 * self._max} bytes of chunks with trailers")


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b" \t")
    # Eight digits are more than any limit.
    if not digits or len(digits) > 8 or not _HEX.issuperset(digits):
        shown = line[:40].decode("latin-1")
        raise FramingError(FramingKind.BAD_CHUNK, f"expected its size in hexadecimal, got {shown!r}")
    return int(digits, 16)
