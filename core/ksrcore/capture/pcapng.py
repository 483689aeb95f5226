"""The file format of Wireshark: sections of blocks, several interfaces, comments and directions beside the packets.

Read as a stream, block by block; what is not needed is skipped. Each section has a byte order of its own.
(https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from .captured import CaptureError
from .pcap import MAX_PACKET, Damaged, Packet, read_exactly

__all__ = ["ENHANCED", "INTERFACE", "SECTION", "is_pcapng", "read_pcapng"]

SECTION: Final = 0x0A0D0D0A
INTERFACE: Final = 1
_OBSOLETE: Final = 2
_SIMPLE: Final = 3
ENHANCED: Final = 6

_COMMENT: Final = 1
_FLAGS: Final = 2
_TSRESOL: Final = 9
_TSOFFSET: Final = 14

_MAX_BLOCK: Final = MAX_PACKET + 65536
_MAX_INTERFACES: Final = 10_000


class _Interface(NamedTuple):
    link: int
    snap: int
    ticks: float  # a second
    offset: float


def is_pcapng(head: bytes) -> bool:
    return head[:4] == b"\x0a\x0d\x0d\x0a"


def read_pcapng(file: BinaryIO) -> Iterator[Packet]:
    """The packets of the file, which is at its beginning. Raises CaptureError when its first block is no use, and
    :class:`Damaged` where a block is cut off or makes no sense."""
    order = ""
    interfaces: list[_Interface] = []
    at = 0
    while True:
        head = read_exactly(file, 8)
        if not head and at:
            return
        if head[:4] == b"\x0a\x0d\x0d\x0a":
            head += read_exactly(file, 4)
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(head[8:12], "")
            interfaces = []
            if not order:
                _stop(at, "begins a section whose byte order cannot be told")
        elif not at:
            raise CaptureError("no pcapng file: it does not begin with a section")
        if len(head) < 8:
            raise Damaged(f"the file ends in the header of a block, at byte {at}")
        kind, size = struct.unpack_from(order + "II", head)
        if size < 12 or size % 4 or size > _MAX_BLOCK:
            _stop(at, f"is a block of {size} bytes: the file is damaged there")
        rest = read_exactly(file, size - len(head))
        if len(rest) < size - len(head):
            if not at:
                raise CaptureError("the pcapng file ends in its first block")
            raise Damaged(f"the file ends in a block, at byte {at}")
        if struct.unpack_from(order + "I", rest, len(rest) - 4)[0] != size:
            _stop(at, "is a block that does not end as it begins: the file is damaged there")
        body = rest[:-4]
        try:
            if kind == INTERFACE:
                if len(interfaces) >= _MAX_INTERFACES:
                    _stop(at, f"is one interface more than {_MAX_INTERFACES}")
                interfaces.append(_interface(order, body))
            elif kind in (ENHANCED, _OBSOLETE, _SIMPLE):
                yield _packet(order, kind, body, interfaces)
        except (struct.error, IndexError, OverflowError):
            _stop(at, "is a block whose content does not fit its size")
        at += size


def _stop(at: int, why: str) -> None:
    text = f"at byte {at} {why}"
    if not at:
        raise CaptureError(f"no usable pcapng file: {text}")
    raise Damaged(text)


def _options(order: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if not code:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def _interface(order: str, body: bytes) -> _Interface:
    link, _, snap = struct.unpack_from(order + "HHI", body)
    ticks, offset = 1e6, 0.0
    for code, value in _options(order, body[8:]):
        if code == _TSRESOL and value:
            ticks = 2.0 ** (value[0] & 0x7F) if value[0] & 0x80 else 10.0 ** value[0]
        elif code == _TSOFFSET and len(value) == 8:
            offset = float(struct.unpack(order + "q", value)[0])
    return _Interface(link, snap, ticks, offset)


def _packet(order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> Packet:
    if kind == _SIMPLE:
        (length,) = struct.unpack_from(order + "I", body)
        interface = interfaces[0]
        have = min(length, interface.snap or length, len(body) - 4)
        return Packet(0.0, interface.link, body[4 : 4 + have], length)
    if kind == ENHANCED:
        number, high, low, have, length = struct.unpack_from(order + "IIIII", body)
    else:
        number, _, high, low, have, length = struct.unpack_from(order + "HHIIII", body)
    interface = interfaces[number]
    if have > len(body) - 20:
        raise IndexError
    out: bool | None = None
    comments = []
    start = 20 + (have + 3) // 4 * 4
    if len(body) > start:
        for code, value in _options(order, body[start:]):
            if code == _COMMENT:
                comments.append(value.decode("utf-8", "replace"))
            elif code == _FLAGS and len(value) == 4:
                out = {1: False, 2: True}.get(struct.unpack(order + "I", value)[0] & 3)
    time = ((high << 32) | low) / interface.ticks + interface.offset
    return Packet(time, interface.link, body[20 : 20 + have], length, out, "\n".join(comments))
