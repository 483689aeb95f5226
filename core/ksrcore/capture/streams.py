"""TCP connections of a capture put together again, and the SIP messages in them.

Each direction is a stream of its own: segments are brought into order, what comes again is left out, and the core's
own framing cuts messages. A capture may begin in the middle of a connection, or lack packets: reading goes on with
the next segment that begins with a message.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final, NamedTuple

from ..net.framing import Framer, Keepalive

__all__ = ["Segment", "Streams", "parse_tcp"]

#: Directions of connections that are followed at once; the one that was quiet longest goes first.
_MAX_STREAMS: Final = 20_000
#: What one direction may keep while a segment is missing: segments and bytes. What is missing then was not captured.
_MAX_AHEAD: Final = 128
_MAX_AHEAD_BYTES: Final = 512 * 1024
_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1

_FIN, _SYN, _RST = 1, 2, 4

#: Where a message begins: a status line, or a request line (RFC 3261 7.1).
_START: Final = re.compile(
    rb"(?:^|\r?\n\r?\n)(?=SIP/2\.0 [1-6]\d\d |[A-Z]{3,16} [a-zA-Z]{2,5}:[^\r\n]{1,2000} SIP/2\.0\r?\n)"
)


_LONGEST_LINE: Final = 2100


class Segment(NamedTuple):
    src_port: int
    dst_port: int
    seq: int
    flags: int
    data: bytes


def parse_tcp(data: bytes) -> Segment | None:
    """The segment of an IP packet's data, None when its header is cut off."""
    if len(data) < 20:
        return None
    start = (data[12] >> 4) * 4
    if start < 20 or start > len(data):
        return None
    return Segment(
        (data[0] << 8) | data[1], (data[2] << 8) | data[3], int.from_bytes(data[4:8], "big"), data[13], data[start:]
    )


class _Stream:
    """One direction. ``next``: the sequence number that is due, -1 before the first segment. ``framer`` is None while
    no message has begun."""

    __slots__ = ("ahead", "ahead_bytes", "conid", "framer", "head", "next")

    def __init__(self, conid: int) -> None:
        self.conid = conid
        self.next = -1
        self.framer: Framer | None = None
        #: What may be the beginning of a first line.
        self.head = b""
        self.ahead: dict[int, bytes] = {}
        self.ahead_bytes = 0

    def begin(self, seq: int) -> None:
        self.next = seq
        self.lose()
        self.ahead.clear()
        self.ahead_bytes = 0

    def lose(self) -> None:
        """What comes next does not go on with what came."""
        self.framer = None
        self.head = b""


#: Both addresses and ports of a direction.
Key = tuple[bytes, bytes, int, int]


class Streams:
    """All connections of a capture. ``lost``: how often a segment that was missing was given up."""

    def __init__(self) -> None:
        self._streams: OrderedDict[Key, _Stream] = OrderedDict()
        self._connections = 0
        self.lost = 0

    def feed(self, src: bytes, dst: bytes, segment: Segment, cut: int) -> tuple[int, list[bytes]]:
        """Take a segment; the number of its connection and the messages that it completes. ``cut``: bytes of it that
        were not captured."""
        key = (src, dst, segment.src_port, segment.dst_port)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._open(key)
        else:
            self._streams.move_to_end(key)
        if segment.flags & _SYN:
            start = (segment.seq + 1) & _MASK
            if stream.next >= 0 and stream.next != start:
                stream = self._open(key)  # the ports are used again
            if stream.next < 0:
                stream.begin(start)
        found: list[bytes] = []
        if segment.data or cut:
            if stream.next < 0:
                stream.begin(segment.seq)
            self._take(stream, segment.seq, segment.data, cut, found)
        if segment.flags & (_FIN | _RST):
            while stream.ahead:
                self._skip(stream, found)
            if segment.flags & _RST:
                del self._streams[key]
        return stream.conid, found

    def _open(self, key: Key) -> _Stream:
        back = self._streams.get((key[1], key[0], key[3], key[2]))
        old = self._streams.pop(key, None)
        if back is not None and (old is None or old.conid != back.conid):
            conid = back.conid
        else:
            self._connections += 1
            conid = self._connections
        if len(self._streams) >= _MAX_STREAMS:
            self._streams.popitem(last=False)
        stream = self._streams[key] = _Stream(conid)
        return stream

    def _take(self, stream: _Stream, seq: int, data: bytes, cut: int, found: list[bytes]) -> None:
        distance = (seq - stream.next) & _MASK
        if distance >= _HALF:  # begins before what is due
            behind = (1 << 32) - distance
            if behind >= len(data) + cut:
                if behind > 1 << 24:
                    stream.begin(seq)  # far behind: the numbers began anew and the SYN was not captured
                else:
                    return
            else:
                data, seq = data[behind:], stream.next
        elif distance:
            if distance > 1 << 26:
                self.lost += 1
                stream.begin(seq)
            else:
                if len(stream.ahead.get(seq, b"")) < len(data):
                    stream.ahead_bytes += len(data) - len(stream.ahead.get(seq, b""))
                    stream.ahead[seq] = data
                while len(stream.ahead) > _MAX_AHEAD or stream.ahead_bytes > _MAX_AHEAD_BYTES:
                    self._skip(stream, found)
                return
        self._read(stream, data, found)
        stream.next = (stream.next + len(data)) & _MASK
        if cut:
            self.lost += 1
            stream.lose()
            stream.next = (stream.next + cut) & _MASK
        self._follow(stream, found)

    def _follow(self, stream: _Stream, found: list[bytes]) -> None:
        """Read what came ahead and is due now."""
        while stream.ahead:
            due = stream.next
            seq = min(stream.ahead, key=lambda each: (each - due + _HALF) & _MASK)
            distance = (seq - due) & _MASK
            if 0 < distance < _HALF:
                return
            data = stream.ahead.pop(seq)
            stream.ahead_bytes -= len(data)
            data = data[(due - seq) & _MASK :]
            self._read(stream, data, found)
            stream.next = (due + len(data)) & _MASK

    def _skip(self, stream: _Stream, found: list[bytes]) -> None:
        """Give up what is missing before the first segment that came ahead."""
        due = stream.next
        stream.next = min(stream.ahead, key=lambda each: (each - due) & _MASK)
        stream.lose()
        self.lost += 1
        self._follow(stream, found)

    @staticmethod
    def _read(stream: _Stream, data: bytes, found: list[bytes]) -> None:
        if not data:
            return
        if stream.framer is None:
            start = _START.search(data)
            if start is None:
                data = stream.head + data
                start = _START.search(data)
            if start is None:
                line = data.rfind(b"\n\r\n")
                stream.head = data[line:] if line >= 0 else data
                if len(stream.head) > _LONGEST_LINE:
                    stream.head = b""
                return
            data = data[start.end() :]
            stream.framer = Framer(accept_no_cl=True)
            stream.head = b""
        found += [each for each in stream.framer.feed(data) if not isinstance(each, Keepalive)]
        if stream.framer.error is not None:
            # It was no message after all, or something else follows it: the next one begins in another segment.
            stream.framer = None
