"""IPv4 and IPv6 packets of a capture, fragments put together (RFC 791 3.2, RFC 8200 4)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

__all__ = ["TCP", "UDP", "Defragmenter", "IpPacket", "parse_ip"]

TCP: Final = 6
UDP: Final = 17

#: Packets in fragments that are waited for, and seconds a first fragment waits (RFC 791 suggests 15).
_MAX_WAITING: Final = 512
_MAX_WAIT: Final = 60.0
_LARGEST: Final = 65535


class IpPacket(NamedTuple):
    """``src`` and ``dst`` packed (4 or 16 bytes), ``proto`` the number of the layer above. ``cut``: bytes that were on
    the wire and are not in the capture. A fragment has its place: ``ident``, ``offset`` in bytes, ``more``."""

    src: bytes
    dst: bytes
    proto: int
    data: bytes
    cut: int = 0
    ident: bytes = b""
    offset: int = 0
    more: bool = False


def parse_ip(frame: bytes, at: int) -> IpPacket | None:
    """The packet at ``at``; None when it is none, or its headers are cut off."""
    if at >= len(frame):
        return None
    version = frame[at] >> 4
    if version == 4:
        return _ipv4(frame, at)
    return _ipv6(frame, at) if version == 6 else None


def _ipv4(frame: bytes, at: int) -> IpPacket | None:
    size = (frame[at] & 15) * 4
    if size < 20 or len(frame) < at + size:
        return None
    total = (frame[at + 2] << 8) | frame[at + 3]
    end = at + total
    if total < size:
        if total:
            return None
        end = len(frame)  # the network card cuts the packet up later, and fills in the length then
    cut = end - len(frame)
    place = (frame[at + 6] << 8) | frame[at + 7]
    data = frame[at + size : end]
    src, dst = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    if not place & 0x3FFF:
        return IpPacket(src, dst, frame[at + 9], data, cut if cut > 0 else 0)
    ident = frame[at + 4 : at + 6]
    return IpPacket(src, dst, frame[at + 9], data, max(0, cut), ident, (place & 0x1FFF) * 8, bool(place & 0x2000))


#: Extension headers whose length is their second byte, in units of 8 bytes beyond the first 8.
_EXTENSIONS: Final = (0, 43, 60, 135, 139, 140)


def _ipv6(frame: bytes, at: int) -> IpPacket | None:
    if len(frame) < at + 40:
        return None
    size = (frame[at + 4] << 8) | frame[at + 5]
    proto = frame[at + 6]
    src, dst = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    end = at + 40 + size if size else len(frame)
    here = at + 40
    ident, offset, more = b"", 0, False
    for _ in range(16):
        if proto in _EXTENSIONS:
            if len(frame) < here + 8:
                return None
            proto, here = frame[here], here + 8 + frame[here + 1] * 8
        elif proto == 44:
            if len(frame) < here + 8:
                return None
            place = (frame[here + 2] << 8) | frame[here + 3]
            ident, offset, more = frame[here + 4 : here + 8], place & 0xFFF8, bool(place & 1)
            proto, here = frame[here], here + 8
            if offset:
                break  # what follows is the middle of something
        elif proto == 51:
            if len(frame) < here + 2:
                return None
            proto, here = frame[here], here + (frame[here + 1] + 2) * 4
        else:
            break
    if here > end:
        return None
    if not (offset or more):
        ident = b""  # an atomic fragment (RFC 6946)
    return IpPacket(src, dst, proto, frame[here:end], max(0, end - len(frame)), ident, offset, more)


class _Waiting:
    __slots__ = ("parts", "since", "total")

    def __init__(self, since: float) -> None:
        self.since = since
        self.parts: dict[int, bytes] = {}
        self.total = -1  # known with the last fragment


class Defragmenter:
    """Puts fragments together. ``incomplete``: packets of which fragments are missing, given up or still waited for."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[bytes, bytes, bytes, int], _Waiting] = OrderedDict()
        self._lost = 0

    @property
    def incomplete(self) -> int:
        return self._lost + len(self._waiting)

    def add(self, packet: IpPacket, time: float) -> IpPacket | None:
        """Take a fragment; the whole packet when this was the last part that was missing."""
        key = (packet.src, packet.dst, packet.ident, packet.proto)
        found = self._waiting.get(key)
        if found is None or time - found.since > _MAX_WAIT:
            if found is not None:
                self._lost += 1
            elif len(self._waiting) >= _MAX_WAITING:
                self._waiting.popitem(last=False)
                self._lost += 1
            found = self._waiting[key] = _Waiting(time)
        end = packet.offset + len(packet.data)
        if packet.cut or end > _LARGEST:
            return None
        found.parts.setdefault(packet.offset, packet.data)
        if not packet.more:
            found.total = end
        whole = self._whole(found)
        if whole is None:
            return None
        del self._waiting[key]
        return IpPacket(packet.src, packet.dst, packet.proto, whole)

    @staticmethod
    def _whole(found: _Waiting) -> bytes | None:
        if found.total < 0 or sum(map(len, found.parts.values())) < found.total:
            return None
        data = bytearray()
        for offset in sorted(found.parts):
            if offset > len(data):
                return None
            part = found.parts[offset]
            # What comes twice is taken as it came first.
            data += part[len(data) - offset :]
        return bytes(data[: found.total]) if len(data) >= found.total else None
