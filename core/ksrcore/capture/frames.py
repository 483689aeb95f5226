"""Packets around SIP messages, with the headers and checksums that a network would have given, and exported PDUs."""

from __future__ import annotations

import struct
from array import array
from ipaddress import ip_address
from sys import byteorder
from typing import Final

from .captured import Captured, CaptureError

__all__ = ["Connections", "checksum", "exported_pdu"]

#: Bytes of SIP in one segment or datagram: what an IP packet holds beside its headers.
_SEGMENT: Final = 65535 - 40 - 20
_DATAGRAM: Final = 65535 - 20 - 8


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    words = array("H", data + b"\0" if len(data) % 2 else data)
    if byteorder == "little":
        words.byteswap()
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(message: Captured) -> tuple[bytes, bytes]:
    try:
        src, dst = ip_address(message.src_ip.partition("%")[0]), ip_address(message.dst_ip.partition("%")[0])
    except ValueError:
        raise CaptureError(f"a packet needs IP addresses, got {message.src_ip!r} and {message.dst_ip!r}") from None
    if src.version == dst.version:
        return src.packed, dst.packed
    # One end is not known ("0.0.0.0"): the other end's family has a zero as well.
    if not int(src):
        return bytes(len(dst.packed)), dst.packed
    if not int(dst):
        return src.packed, bytes(len(src.packed))
    raise CaptureError(f"a packet needs addresses of one family, got {src} and {dst}")


def _ip(src: bytes, dst: bytes, proto: int, data: bytes, ident: int) -> bytes:
    """``data``, whose checksum is at its place but zero, in an IP packet."""
    at = 6 if proto == 17 else 16
    if len(src) == 4:
        pseudo = src + dst + struct.pack(">BBH", 0, proto, len(data))
    else:
        pseudo = src + dst + struct.pack(">IHBB", len(data), 0, 0, proto)
    total = checksum(pseudo + data)
    if proto == 17 and not total:
        total = 0xFFFF  # 0 would say that there is none (RFC 768)
    data = data[:at] + struct.pack(">H", total) + data[at + 2 :]
    if len(src) == 16:
        return struct.pack(">IHBB", 0x60000000, len(data), proto, 64) + src + dst + data
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), ident & 0xFFFF, 0x4000, 64, proto, 0) + src + dst
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + data


class Connections:
    """Makes the packets of messages, and remembers how far the TCP connections between two ends have come."""

    def __init__(self) -> None:
        self._next: dict[tuple[bytes, bytes, int, int], int] = {}
        self._ident = 0

    def packets(self, message: Captured) -> list[bytes]:
        """The IP packets of a message: one, or several segments of TCP. What is no UDP is written as TCP.

        Raises CaptureError for addresses that are none, and for a datagram that is too large.
        """
        src, dst = _packed(message)
        data = message.data
        if message.proto == "udp":
            if len(data) > _DATAGRAM:
                raise CaptureError(f"a message of {len(data)} bytes does not fit into a UDP datagram")
            header = struct.pack(">HHHH", message.src_port, message.dst_port, 8 + len(data), 0)
            self._ident += 1
            return [_ip(src, dst, 17, header + data, self._ident)]
        key, back = (src, dst, message.src_port, message.dst_port), (dst, src, message.dst_port, message.src_port)
        found = []
        if key not in self._next:
            # The handshake, so that readers know where both streams begin.
            if back not in self._next:
                self._next[back] = 1
                found.append(self._segment(key, 0, 0, 0x02, b""))
                found.append(self._segment(back, 0, 1, 0x12, b""))
                found.append(self._segment(key, 1, 1, 0x10, b""))
            self._next[key] = 1
        while data:
            part, data = data[:_SEGMENT], data[_SEGMENT:]
            seq = self._next[key]
            found.append(self._segment(key, seq, self._next.get(back, 1), 0x18, part))
            self._next[key] = (seq + len(part)) & 0xFFFFFFFF
        return found

    def _segment(self, key: tuple[bytes, bytes, int, int], seq: int, ack: int, flags: int, data: bytes) -> bytes:
        src, dst, src_port, dst_port = key
        header = struct.pack(">HHIIBBHHH", src_port, dst_port, seq, ack, 0x50, flags, 65535, 0, 0)
        self._ident += 1
        return _ip(src, dst, 6, header + data, self._ident)


def exported_pdu(message: Captured) -> bytes:
    """The message as Wireshark's exported PDU: it names the dissector, so that any port is read as SIP."""
    src, dst = _packed(message)
    ipv6 = len(src) == 16
    tags = [
        (12, b"sip\0"),
        (22 if ipv6 else 20, src),
        (23 if ipv6 else 21, dst),
        (24, struct.pack(">I", 3 if message.proto == "udp" else 2)),
        (25, struct.pack(">I", message.src_port)),
        (26, struct.pack(">I", message.dst_port)),
    ]
    return b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in tags) + bytes(4) + message.data
