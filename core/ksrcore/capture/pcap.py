"""The file format of libpcap: a header, then packets with a time and a length each.

Read as a stream, packet by packet. Both byte orders, microseconds and nanoseconds, and the variant with longer packet
headers of some old kernels. (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from .captured import CaptureError

__all__ = ["MAX_PACKET", "Damaged", "Packet", "is_pcap", "read_exactly", "read_pcap"]

#: Bytes of one packet; tcpdump takes 262,144 at most unless told otherwise.
MAX_PACKET: Final = 4 * 1024 * 1024

#: First four bytes -> byte order, ticks a second, bytes of a packet's header.
_MAGIC: Final[dict[bytes, tuple[str, float, int]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e6, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1e6, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1e9, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1e9, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1e6, 24),
    b"\xa1\xb2\xcd\x34": (">", 1e6, 24),
}


class Damaged(Exception):
    """The file cannot be read on from here; what came before is good. The text says where and why."""


class Packet(NamedTuple):
    """A frame of the link layer ``link`` (a LINKTYPE number). ``time`` is unix time in seconds; ``length`` the bytes it
    had on the wire, of which ``data`` may be the first only; ``out`` and ``comment`` as in Captured."""

    time: float
    link: int
    data: bytes
    length: int
    out: bool | None = None
    comment: str = ""


def is_pcap(head: bytes) -> bool:
    return head[:4] in _MAGIC


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """``size`` bytes, fewer at the end of the file only: a pipe gives what it has."""
    data = file.read(size)
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            break
        data += more
    return data


def read_pcap(file: BinaryIO) -> Iterator[Packet]:
    """The packets of the file, which is at its beginning. Raises CaptureError when its header is no use, and
    :class:`Damaged` where a packet is cut off or makes no sense."""
    header = read_exactly(file, 24)
    if header[:4] not in _MAGIC:
        raise CaptureError("no pcap file: it does not begin with the format's number")
    order, ticks, size = _MAGIC[header[:4]]
    if len(header) < 24:
        raise CaptureError(f"the pcap file ends in its header: {len(header)} of 24 bytes are there")
    # The upper bits tell of check sequences at the end of frames, which the IP length leaves out anyway.
    link = struct.unpack(order + "I", header[20:24])[0] & 0x03FFFFFF
    unpack = struct.Struct(order + "IIII").unpack_from
    at = 24
    read = file.read
    while True:
        head = read(size)
        if len(head) < size:
            head += read_exactly(file, size - len(head))
            if not head:
                return
            if len(head) < size:
                raise Damaged(f"the file ends in the header of a packet, at byte {at}")
        seconds, fraction, have, length = unpack(head)
        if have > MAX_PACKET:
            raise Damaged(f"at byte {at} a packet of {have} bytes is announced: the file is damaged there")
        data = read(have)
        if len(data) < have:
            data += read_exactly(file, have - len(data))
            if len(data) < have:
                raise Damaged(f"the file ends in a packet, at byte {at}")
        at += size + have
        yield Packet(seconds + fraction / ticks, link, data, length)
