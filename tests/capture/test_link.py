"""Link layers: where the IP packet begins."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from capture.samples import message, pcap, read, udp, write
from ksrcore.capture.link import ip_offset, read_pdu

PACKET = udp(message())
IPV6 = udp(message(), ("2001:db8::1", 5062), ("2001:db8::2", 5060))
MACS = bytes(12)

LINKS = {
    "ethernet": (1, MACS + b"\x08\x00"),
    "vlan": (1, MACS + b"\x81\x00\x00\x05\x08\x00"),
    "vlan-in-vlan": (1, MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
    "pppoe": (1, MACS + b"\x88\x64\x11\x00\x00\x01\x00\x00\x00\x21"),
    "raw": (101, b""),
    "raw-12": (12, b""),
    "ipv4": (228, b""),
    "sll": (113, bytes(14) + b"\x08\x00"),
    "sll-vlan": (113, bytes(14) + b"\x81\x00\x00\x05\x08\x00"),
    "sll2": (276, b"\x08\x00" + bytes(18)),
    "null-little": (0, b"\2\0\0\0"),
    "null-big": (0, b"\0\0\0\2"),
    "loop": (108, b"\0\0\0\2"),
}


@pytest.mark.parametrize(("link", "header"), LINKS.values(), ids=LINKS)
def test_where_ip_begins(tmp_path: Path, link: int, header: bytes) -> None:
    assert ip_offset(link, header + PACKET) == len(header)
    found, file = read(write(tmp_path / "x.pcap", pcap(header + PACKET, link=link)))
    assert [m.data for m in found] == [message()]
    assert (found[0].src_ip, found[0].src_port, found[0].dst_port) == ("10.0.0.1", 5062, 5060)
    assert file.other == 0


@pytest.mark.parametrize(
    ("link", "header"), [(1, MACS + b"\x86\xdd"), (0, b"\x1e\0\0\0"), (229, b""), (276, b"\x86\xdd" + bytes(18))]
)
def test_ipv6(tmp_path: Path, link: int, header: bytes) -> None:
    found, _ = read(write(tmp_path / "x.pcap", pcap(header + IPV6, link=link)))
    assert [(m.src_ip, m.dst_ip) for m in found] == [("2001:db8::1", "2001:db8::2")]


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, MACS + b"\x08\x06" + bytes(28)),
        (1, MACS),
        (1, b""),
        (113, bytes(9)),
        (276, b"\x08"),
        (0, b"\0\0"),
        (147, PACKET),
        (101, b""),
    ],
)
def test_no_ip(link: int, frame: bytes) -> None:
    assert ip_offset(link, frame) == -1


def test_an_exported_pdu_without_an_end() -> None:
    assert read_pdu(struct.pack(">HH", 12, 4) + b"sip\0") is None
