"""Packets around messages: headers, checksums, connections."""

from __future__ import annotations

import pytest

from capture.samples import PROXY, UAC, captured, message
from ksrcore.capture.captured import CaptureError
from ksrcore.capture.frames import Connections, checksum, exported_pdu
from ksrcore.capture.ip import parse_ip
from ksrcore.capture.link import read_pdu
from ksrcore.capture.streams import Streams, parse_tcp


def test_checksum() -> None:
    # RFC 1071 3, and a header of a real packet.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(bytes.fromhex("45000073000040004011b861c0a80001c0a800c7")) == 0
    assert checksum(b"abc") == checksum(b"abc\0")


@pytest.mark.parametrize("ends", [(UAC, PROXY), (("::1", 1), ("::2", 2))])
def test_a_datagram(ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    (frame,) = Connections().packets(captured(message(), *ends))
    packet = parse_ip(frame, 0)
    assert packet is not None
    pseudo = packet.src + packet.dst + b"\0\x11" + len(packet.data).to_bytes(2, "big")
    assert checksum(pseudo + packet.data) == 0
    assert packet.data[8:] == message()


def test_a_connection_begins_once_and_goes_on_both_ways() -> None:
    connections, streams = Connections(), Streams()
    sent = [captured(message(callid=str(at), body="x" * 70_000), proto="tcp") for at in range(2)]
    sent.append(captured(message("SIP/2.0 200 OK"), PROXY, UAC, proto="tcp"))
    frames = [frame for each in sent for frame in connections.packets(each)]
    assert len(frames) == 3 + 2 + 2 + 1
    found = []
    for frame in frames:
        packet = parse_ip(frame, 0)
        assert packet is not None
        segment = parse_tcp(packet.data)
        assert segment is not None
        found += streams.feed(packet.src, packet.dst, segment, packet.cut)[1]
    # Larger than a message may be: what is framed is the last one only.
    assert found == [sent[2].data]


def test_an_exported_pdu_has_all_of_it() -> None:
    pdu = read_pdu(exported_pdu(captured(message(), proto="tcp")))
    assert pdu is not None
    assert (pdu.name, pdu.proto, pdu.src_port, pdu.dst_port, pdu.data) == ("sip", "tcp", 5062, 5060, message())


def test_an_end_that_is_not_known() -> None:
    (frame,) = Connections().packets(captured(message(), ("0.0.0.0", 0), ("2001:db8::1", 5060)))
    assert frame[8:24] == bytes(16)


@pytest.mark.parametrize(
    ("src", "size", "why"),
    [("host", 1, "needs IP addresses"), ("2001:db8::1", 1, "one family"), ("10.0.0.1", 65_530, "does not fit")],
)
def test_no_packet(src: str, size: int, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        Connections().packets(captured(b"x" * size, (src, 1)))
