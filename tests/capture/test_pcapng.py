"""The pcapng format: sections, interfaces, options, and files that end too early."""

from __future__ import annotations

import io
import struct

import pytest

from capture.samples import T0, block, enhanced, interface, message, section, udp
from ksrcore.capture.captured import CaptureError
from ksrcore.capture.pcap import Damaged, Packet
from ksrcore.capture.pcapng import read_pcapng

FRAME = udp(message())


def packets(data: bytes) -> list[Packet]:
    return list(read_pcapng(io.BytesIO(data)))


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_orders(order: str) -> None:
    (packet,) = packets(section(order) + interface(1, order) + enhanced(FRAME, order))
    assert (packet.data, packet.link) == (FRAME, 1)
    assert packet.time == pytest.approx(T0, abs=1e-6)


def test_sections_of_both_byte_orders_in_one_file() -> None:
    data = b"".join(section(o) + interface(101, o) + enhanced(FRAME, o) for o in "<><")
    assert [p.data for p in packets(data)] == [FRAME] * 3


@pytest.mark.parametrize(
    ("options", "ticks"),
    [
        (option(9, b"\x09"), int(T0 * 1e9)),
        (option(9, b"\x03"), int(T0 * 1e3)),
        (option(9, b"\x8a"), int(T0 * 1024)),
        (option(14, struct.pack("<q", 1_700_000_000)), 250_000),
    ],
)
def test_resolution_and_offset_of_times(options: bytes, ticks: int) -> None:
    (packet,) = packets(section() + interface(options=options) + enhanced(FRAME, ticks=ticks))
    assert packet.time == pytest.approx(T0, abs=1e-3)


def test_comments_and_directions() -> None:
    options = option(1, b"one") + option(1, "zwei \u00e4".encode()) + option(2, struct.pack("<I", 2)) + bytes(4)
    data = section() + interface() + enhanced(FRAME, options=options) + enhanced(FRAME)
    first, second = packets(data)
    assert (first.comment, first.out) == ("one\nzwei \u00e4", True)
    assert (second.comment, second.out) == ("", None)


def test_simple_and_obsolete_packets_and_unknown_blocks() -> None:
    simple = block(3, struct.pack("<I", len(FRAME)) + FRAME)
    old = block(2, struct.pack("<HHIIII", 0, 0, 0, 5_000_000, len(FRAME), len(FRAME)) + FRAME)
    found = packets(section() + interface() + block(5, b"abcd") + simple + block(0x0BAD, b"") + old)
    assert [(p.data, p.time) for p in found] == [(FRAME, 0.0), (FRAME, 5.0)]


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (enhanced(FRAME)[:-3], "the file ends in a block, at byte 48"),
        (b"\6\0\0", "the file ends in the header of a block"),
        (b"\6\0\0\0\7\0\0\0" + bytes(20), "a block of 7 bytes: the file is damaged"),
        (block(6, b"1234"), "content does not fit its size"),
        (enhanced(FRAME, number=7), "content does not fit its size"),
        (enhanced(FRAME)[:-4] + b"\1\2\3\4", "does not end as it begins"),
        (block(0x0A0D0D0A, bytes(16)), "byte order cannot be told"),
    ],
)
def test_damage(tail: bytes, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        packets(section() + interface() + tail)


@pytest.mark.parametrize("data", [b"", section()[:8], section()[:20], block(0x0A0D0D0A, bytes(16)), b"x" * 50])
def test_no_pcapng(data: bytes) -> None:
    with pytest.raises(CaptureError):
        packets(data)
