"""IP packets: headers, extension headers, fragments."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from itertools import permutations

import pytest

from capture.samples import ip, message, udp
from ksrcore.capture.ip import Defragmenter, IpPacket, parse_ip

DATAGRAM = udp(message(body="x" * 100))[20:]
SRC, DST = ip_address("2001:db8::1").packed, ip_address("2001:db8::2").packed


def parsed(frame: bytes) -> IpPacket:
    packet = parse_ip(frame, 0)
    assert packet is not None
    return packet


def ipv6(first: int, data: bytes) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(data), first, 64) + SRC + DST + data


def test_padding_of_the_link_is_left_out() -> None:
    assert parsed(ip(DATAGRAM) + bytes(6)).data == DATAGRAM


def test_cut_short() -> None:
    packet = parsed(ip(DATAGRAM)[:-30])
    assert (packet.cut, packet.data) == (30, DATAGRAM[:-30])


def test_a_length_that_the_network_card_fills_in() -> None:
    frame = bytearray(ip(DATAGRAM))
    frame[2:4] = b"\0\0"
    assert parsed(bytes(frame)).data == DATAGRAM


@pytest.mark.parametrize("frame", [b"", b"\x45", b"\x45" * 19, b"\x41" + bytes(30), b"\x60" + bytes(20), b"\x10" * 40])
def test_no_packet(frame: bytes) -> None:
    assert parse_ip(frame, 0) is None


def test_options_of_ipv4() -> None:
    frame = bytearray(ip(bytes(8) + DATAGRAM))
    frame[0] = 0x47
    assert parsed(bytes(frame)).data == DATAGRAM


def test_extension_headers() -> None:
    hop = bytes((60, 0)) + bytes(6)
    destination = bytes((43, 1)) + bytes(14)
    routing = bytes((51, 0)) + bytes(6)
    authentication = bytes((17, 2)) + bytes(14)
    packet = parsed(ipv6(0, hop + destination + routing + authentication + DATAGRAM))
    assert (packet.proto, packet.data, packet.ident) == (17, DATAGRAM, b"")


def test_extension_headers_that_are_cut_off() -> None:
    assert parse_ip(ipv6(0, bytes((60, 200)) + bytes(6)), 0) is None
    assert parse_ip(ipv6(44, b"\x11"), 0) is None


def fragments4(sizes: tuple[int, ...]) -> list[bytes]:
    found, at = [], 0
    for size in sizes:
        part = DATAGRAM[at : at + size]
        more = 0x2000 if at + size < len(DATAGRAM) else 0
        found.append(ip(part, flags=more | at // 8, ident=77))
        at += size
    return found


def fragments6() -> list[bytes]:
    found = []
    for at in range(0, len(DATAGRAM), 160):
        part = DATAGRAM[at : at + 160]
        header = struct.pack(">BBHI", 17, 0, at | (at + 160 < len(DATAGRAM)), 99)
        found.append(ipv6(44, header + part))
    return found


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fragments_in_any_order(order: tuple[int, ...]) -> None:
    for frames in (fragments4((80, 160, 1000)), fragments6()):
        reassembly = Defragmenter()
        found = [reassembly.add(parsed(frames[at]), 1.0) for at in (order if len(frames) == 3 else range(len(frames)))]
        assert [p.data for p in found if p is not None] == [DATAGRAM]
        assert reassembly.incomplete == 0


def test_a_fragment_that_comes_twice_or_is_missing() -> None:
    reassembly = Defragmenter()
    first, second, last = (parsed(f) for f in fragments4((80, 160, 1000)))
    assert [reassembly.add(p, 1.0) for p in (first, first, last)] == [None] * 3
    assert reassembly.incomplete == 1
    whole = reassembly.add(second, 2.0)
    assert whole is not None
    assert whole.data == DATAGRAM


def test_fragments_are_bounded_in_number_and_time() -> None:
    reassembly = Defragmenter()
    for ident in range(2000):
        reassembly.add(parsed(ip(DATAGRAM[:80], flags=0x2000, ident=ident)), ident / 1000)
    assert len(reassembly._waiting) <= 512
    assert reassembly.incomplete == 2000
    old, _, last = (parsed(f) for f in fragments4((80, 160, 1000)))
    reassembly.add(old, 10.0)
    assert reassembly.add(last, 200.0) is None


def test_an_atomic_fragment() -> None:
    assert parsed(ipv6(44, struct.pack(">BBHI", 17, 0, 0, 5) + DATAGRAM)).ident == b""
