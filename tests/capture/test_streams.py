"""TCP connections put together again."""

from __future__ import annotations

import random

import pytest

from capture.samples import PROXY, UAC, message, tcp
from ksrcore.capture.ip import parse_ip
from ksrcore.capture.streams import Streams, parse_tcp

ONE, TWO, THREE = message(callid="one", body="b" * 50), message(callid="two"), message("SIP/2.0 200 OK", "three")
ALL = ONE + TWO + THREE


class Feed:
    """Streams that are fed IP packets."""

    def __init__(self) -> None:
        self.streams = Streams()
        self.found: list[bytes] = []
        self.conids: list[int] = []

    def __lshift__(self, frame: bytes) -> Feed:
        packet = parse_ip(frame, 0)
        assert packet is not None
        segment = parse_tcp(packet.data)
        assert segment is not None
        conid, found = self.streams.feed(packet.src, packet.dst, segment, packet.cut)
        self.conids.append(conid)
        self.found += found
        return self


def segments(size: int, start: int = 1000, data: bytes = ALL) -> list[bytes]:
    return [tcp(start + at, data[at : at + size]) for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
@pytest.mark.parametrize("start", [1000, (1 << 32) - 60])
def test_messages_across_segments(size: int, start: int) -> None:
    feed = Feed() << tcp(start - 1, flags=2)
    for segment in segments(size, start):
        feed << segment
    assert feed.found == [ONE, TWO, THREE]


@pytest.mark.parametrize("seed", range(20))
def test_out_of_order_and_again(seed: int) -> None:
    source = random.Random(seed)
    start = source.randrange(1 << 32)
    frames = segments(40, start) * 2 + segments(64, start)
    # Within a window, as on a network.
    order = sorted(range(len(frames)), key=lambda at: at + source.random() * 12)
    feed = Feed() << tcp(start - 1, flags=2)
    for at in order:
        feed << frames[at]
    assert feed.found == [ONE, TWO, THREE]
    assert feed.streams.lost == 0


def test_a_segment_that_overlaps_what_came() -> None:
    feed = Feed() << tcp(999, flags=2) << tcp(1000, ALL[:100]) << tcp(1050, ALL[50:400]) << tcp(1300, ALL[300:])
    assert feed.found == [ONE, TWO, THREE]


def test_it_begins_in_the_middle() -> None:
    feed = Feed() << tcp(5000, ONE[30:]) << tcp(5000 + len(ONE) - 30, TWO) << tcp(5000 + len(ONE + TWO) - 30, THREE)
    assert feed.found == [TWO, THREE]


def test_it_begins_in_the_middle_of_a_segment() -> None:
    assert (Feed() << tcp(5000, ONE[30:-50] + TWO)).found == [TWO]


def test_a_segment_was_not_captured() -> None:
    feed = Feed() << tcp(999, flags=2) << tcp(1000, ONE) << tcp(1000 + len(ONE + TWO), THREE)
    assert feed.found == [ONE]
    feed << tcp(1000 + len(ALL), flags=0x11)
    assert feed.found == [ONE, THREE]
    assert feed.streams.lost == 1


def test_what_waits_is_bounded() -> None:
    feed = Feed() << tcp(999, flags=2)
    at = 1000 + len(ONE)
    for _ in range(300):
        feed << tcp(at, TWO)
        at += len(TWO)
    assert len(feed.found) > 100
    (stream,) = feed.streams._streams.values()
    assert len(stream.ahead) <= 128


def test_both_directions_are_one_connection_and_others_another() -> None:
    feed = Feed() << tcp(1, ONE) << tcp(1, THREE, src=PROXY, dst=UAC) << tcp(1, TWO, src=("10.0.0.7", 5))
    assert feed.conids == [1, 1, 2]
    assert feed.found == [ONE, THREE, TWO]


def test_the_same_ports_again() -> None:
    feed = Feed() << tcp(999, flags=2) << tcp(1000, ONE[:50]) << tcp(70_000, flags=2) << tcp(70_001, TWO)
    assert feed.found == [TWO]


def test_reset_forgets() -> None:
    feed = Feed() << tcp(1000, ONE) << tcp(1000 + len(ONE), flags=4)
    assert not feed.streams._streams
    assert (feed << tcp(9, TWO)).found == [ONE, TWO]


def test_what_is_not_sip_and_keepalives() -> None:
    noise = b"\x16\x03\x01\x02\x00\x01\x00" * 200
    feed = Feed() << tcp(1000, noise) << tcp(1000 + len(noise), b"\r\n\r\n") << tcp(1004 + len(noise), ONE)
    feed << tcp(1004 + len(noise + ONE), b"\r\n\r\n" + TWO)
    # A keepalive probe repeats the byte before.
    feed << tcp(1003 + len(noise), b"\n", flags=0x10)
    assert feed.found == [ONE, TWO]


def test_bytes_that_the_capture_left_out() -> None:
    frame = tcp(1000, ONE)
    feed = Feed() << tcp(999, flags=2) << frame[:-40] << tcp(1000 + len(ONE), TWO)
    assert feed.found == [TWO]
    assert feed.streams.lost == 1


def test_streams_are_bounded() -> None:
    feed = Feed()
    for port in range(20_500):
        feed << tcp(1, src=("10.1.0.1", port % 65536))
    assert len(feed.streams._streams) <= 20_000


@pytest.mark.parametrize("data", [b"", bytes(19), bytes(12) + b"\xf0" + bytes(10), bytes(12) + b"\x10" + bytes(10)])
def test_no_segment(data: bytes) -> None:
    assert parse_tcp(data) is None
