"""The pcap format: byte orders, precisions, and files that end too early."""

from __future__ import annotations

import io

import pytest

from capture.samples import T0, message, pcap, udp
from ksrcore.capture.captured import CaptureError
from ksrcore.capture.pcap import Damaged, Packet, is_pcap, read_pcap

FRAME = udp(message())


def packets(data: bytes) -> list[Packet]:
    return list(read_pcap(io.BytesIO(data)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_byte_orders_and_precisions(order: str, magic: int) -> None:
    data = pcap(FRAME, FRAME + b"x", order=order, magic=magic)
    assert is_pcap(data)
    found = packets(data)
    assert [(p.data, p.link, p.length) for p in found] == [
        (FRAME, 101, len(FRAME)),
        (FRAME + b"x", 101, len(FRAME) + 1),
    ]
    assert found[0].time == pytest.approx(T0, abs=1e-6)
    assert found[1].time == pytest.approx(T0 + 1, abs=1e-6)


def test_the_longer_packet_headers_of_some_kernels() -> None:
    data = pcap(FRAME, magic=0xA1B2CD34)
    assert packets(data[:40] + bytes(8) + data[40:])[0].data == FRAME


def test_what_says_of_check_sequences_is_no_link_layer() -> None:
    data = bytearray(pcap(FRAME))
    data[23] = 0x24  # the upper bits of the link layer
    assert packets(bytes(data))[0].link == 101


@pytest.mark.parametrize("cut", [1, 10, len(FRAME), len(FRAME) + 5])
def test_the_last_packet_is_cut_off(cut: int) -> None:
    found = read_pcap(io.BytesIO(pcap(FRAME, FRAME)[:-cut]))
    assert next(found).data == FRAME
    with pytest.raises(Damaged, match=r"the file ends in .* packet, at byte "):
        next(found)


def test_nonsense_in_the_middle() -> None:
    found = read_pcap(io.BytesIO(pcap(FRAME) + b"\xff" * 40))
    next(found)
    with pytest.raises(Damaged, match="a packet of 4294967295 bytes is announced"):
        next(found)


@pytest.mark.parametrize(("data", "why"), [(pcap()[:10], "ends in its header: 10 of 24"), (b"GIF89a" * 9, "no pcap")])
def test_no_pcap(data: bytes, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        packets(data)
