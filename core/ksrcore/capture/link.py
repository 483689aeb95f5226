"""Link layers: where the IP packet begins in a frame. Numbers are LINKTYPEs (https://www.tcpdump.org/linktypes.html)."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["LINK_NAMES", "RAW", "UPPER_PDU", "Pdu", "ip_offset", "read_pdu"]

RAW: Final = 101
#: What is exported from Wireshark: a dissector's name, addresses, and its data.
UPPER_PDU: Final = 252

#: The link layers that are read.
LINK_NAMES: Final = {
    0: "null", 1: "Ethernet", 12: "raw IP", 14: "raw IP", 101: "raw IP", 108: "loop", 113: "Linux SLL", 228: "IPv4",
    229: "IPv6", 252: "exported PDU", 276: "Linux SLL2",
}  # fmt: skip

_IP: Final = (0x0800, 0x86DD)
_VLAN: Final = (0x8100, 0x88A8, 0x9100)
_PPPOE: Final = 0x8864
#: AF_INET6 of the systems that write null headers.
_FAMILIES: Final = (2, 10, 24, 28, 30)


def ip_offset(link: int, frame: bytes) -> int:
    """Where the IP packet begins; -1 when there is none, or the frame is too short to tell."""
    if link == 1:
        return _ethertype(frame, 12)
    if link in (101, 12, 14, 228, 229):
        return 0 if frame else -1
    if link == 113:
        return _ethertype(frame, 14)
    if link == 276:
        return 20 if len(frame) > 20 and int.from_bytes(frame[:2], "big") in _IP else _tagged(frame)
    if link in (0, 108):
        # The byte order of null is that of the machine that captured.
        family = frame[:4]
        known = int.from_bytes(family, "big") in _FAMILIES or int.from_bytes(family, "little") in _FAMILIES
        return 4 if known and len(frame) > 4 else -1
    return -1


def _tagged(frame: bytes) -> int:
    """SLL2 with a VLAN tag before the packet."""
    if len(frame) > 24 and int.from_bytes(frame[:2], "big") in _VLAN:
        return _ethertype(frame, 22)
    return -1


def _ethertype(frame: bytes, at: int) -> int:
    """The offset behind the type at ``at`` and the VLAN tags that follow it."""
    for _ in range(8):
        kind = int.from_bytes(frame[at : at + 2], "big")
        if kind in _IP:
            return at + 2 if len(frame) > at + 2 else -1
        if kind in _VLAN:
            at += 4
        elif kind == _PPPOE:
            # Version, code, session, length; then the protocol of PPP.
            return at + 10 if frame[at + 8 : at + 10] in (b"\x00\x21", b"\x00\x57") else -1
        else:
            return -1
    return -1


class Pdu(NamedTuple):
    """An exported PDU: the dissector's name, the addresses, the data."""

    name: str
    proto: str
    src: bytes
    dst: bytes
    src_port: int
    dst_port: int
    data: bytes


#: Tags of exported PDUs (Wireshark's exported_pdu.h): the dissector's name under its old and new number.
_NAMES: Final = (12, 14)
_PORT_TYPES: Final = {2: "tcp", 3: "udp"}


def read_pdu(frame: bytes) -> Pdu | None:
    """The PDU, None when its tags cannot be read."""
    at = 0
    name, proto = "", "udp"
    src = dst = b""
    src_port = dst_port = 0
    while at + 4 <= len(frame):
        tag = int.from_bytes(frame[at : at + 2], "big")
        size = int.from_bytes(frame[at + 2 : at + 4], "big")
        value = frame[at + 4 : at + 4 + size]
        at += 4 + size
        if not tag:
            return Pdu(name, proto, src, dst, src_port, dst_port, frame[at:])
        if tag in _NAMES:
            name = value.rstrip(b"\0").decode("latin-1")
        elif tag in (20, 22):
            src = value
        elif tag in (21, 23):
            dst = value
        elif tag == 24:
            proto = _PORT_TYPES.get(int.from_bytes(value, "big"), "udp")
        elif tag == 25:
            src_port = int.from_bytes(value, "big") & 0xFFFF
        elif tag == 26:
            dst_port = int.from_bytes(value, "big") & 0xFFFF
    return None
