"""HEP: version 3 both ways, 1 and 2 read, and what is none."""

from __future__ import annotations

import io
import struct
import zlib
from ipaddress import ip_address

import pytest

from capture.samples import captured, message
from ksrcore.capture.captured import CaptureError
from ksrcore.capture.hep import HepError, decode, encode, is_hep, read_hep
from ksrcore.capture.pcap import Damaged

V6 = ("2001:db8::1", 5062), ("2001:db8::2", 5060)


@pytest.mark.parametrize("proto", ["udp", "tcp"])
@pytest.mark.parametrize("ends", [(("10.0.0.1", 5062), ("10.0.0.9", 5060)), V6])
def test_there_and_back(proto: str, ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    sent = captured(message(), *ends, proto=proto)
    found = decode(encode(sent, 42, "call-1"))
    assert found.message == sent._replace(time=found.message.time)
    assert found.message.time == pytest.approx(sent.time, abs=2e-6)
    assert (found.kind, found.capture_id, found.correlation) == (1, 42, "call-1")


def test_a_packet_byte_by_byte() -> None:
    data = encode(captured(b"x", ("10.0.0.1", 5062), ("10.0.0.9", 5060), 1.5), 7)
    assert data.hex() == (
        "48455033" "0064"
        "000000010007" "02" "000000020007" "11"
        "00000003000a" "0a000001" "00000004000a" "0a000009"
        "000000070008" "13c6" "000000080008" "13c4"
        "00000009000a" "00000001" "0000000a000a" "0007a120"
        "0000000b0007" "01" "0000000c000a" "00000007" "0000000f0007" "78"
    )  # fmt: skip


def test_a_compressed_payload_and_chunks_of_others() -> None:
    data = encode(captured(b""))
    packed = zlib.compress(message())
    extra = struct.pack(">HHH", 0, 16, 6 + len(packed)) + packed + struct.pack(">HHH", 9, 15, 9) + b"abc"
    found = decode(b"HEP3" + struct.pack(">H", len(data) + len(extra)) + data[6:] + extra)
    assert found.message.data == message()


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions(version: int) -> None:
    src, dst = ip_address("10.0.0.1").packed, ip_address("10.0.0.9").packed
    data = struct.pack(">BBBBHH", version, 16, 2, 17, 5062, 5060) + src + dst
    if version == 2:
        data += struct.pack("<IIHH", 1_700_000_000, 250_000, 7, 0)
    found = decode(data + message(), 1_700_000_000.25)
    assert is_hep(data + message())
    assert found.message == captured(message())
    assert found.capture_id == (7 if version == 2 else 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"HEP3", b"HEP3\0\6", b"HEP3\xff\xff" + bytes(20), b"HEP3\0\x10" + bytes(10), b"INVITE sip:x",
     b"\1\x10\2\x11" + bytes(9),
     b"HEP3\0\x0d\0\0\0\x03\0\x07\x0a", encode(captured(b"x"))[:-1]],
)  # fmt: skip
def test_no_hep(data: bytes) -> None:
    with pytest.raises(HepError):
        decode(data)


@pytest.mark.parametrize(
    ("ends", "size", "why"),
    [
        ((("host", 1), ("10.0.0.1", 2)), 1, "needs addresses, got 'host'"),
        ((("::1", 1), ("10.0.0.1", 2)), 1, "one family"),
        ((("10.0.0.2", 1), ("10.0.0.1", 2)), 65500, "does not fit"),
    ],
)
def test_what_cannot_be_sent(ends: tuple[tuple[str, int], tuple[str, int]], size: int, why: str) -> None:
    with pytest.raises(HepError, match=why):
        encode(captured(b"x" * size, *ends))


def test_files() -> None:
    packet = encode(captured())
    assert [f.message.data for f in read_hep(io.BytesIO(packet * 3))] == [message()] * 3
    for tail, why in ((packet[:50], "ends in a HEP3 packet"), (b"garbage", "no HEP3 packet"), (b"HEP3\0\6", "without")):
        found = read_hep(io.BytesIO(packet + tail))
        next(found)
        with pytest.raises(Damaged, match=why):
            next(found)
    with pytest.raises(CaptureError):
        next(read_hep(io.BytesIO(b"garbage")))
