"""Capture files: what is used of good, damaged, foreign, empty and huge ones."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from capture.samples import PROXY, UAC, captured, enhanced, interface, ip, message, pcap, read, section, tcp, udp, write
from ksrcore.capture.captured import CaptureError
from ksrcore.capture.hep import encode
from ksrcore.capture.reader import CaptureFile

ONE, TWO = message(callid="one"), message("SIP/2.0 200 OK", "two")


def test_what_is_not_sip_is_counted(tmp_path: Path) -> None:
    noise = [udp(b"\x80\x00" + bytes(160)), udp(b"\r\n\r\n"), ip(bytes(8), proto=1), b"\x45", tcp(1, bytes(30)), b"?"]
    found, file = read(write(tmp_path / "x.pcap", pcap(*noise, udp(ONE))))
    assert [m.data for m in found] == [ONE]
    assert file.summary() == "x.pcap: pcap, 1 SIP message, 5 other packets"


def test_tcp_and_its_connection(tmp_path: Path) -> None:
    frames = [tcp(1, ONE + TWO), tcp(1, TWO, src=PROXY, dst=UAC), tcp(1 + len(ONE + TWO), ONE)]
    found, _ = read(write(tmp_path / "x.pcap", pcap(*frames)))
    assert [(m.data, m.proto, m.conid) for m in found] == [(d, "tcp", 1) for d in (ONE, TWO, TWO, ONE)]


def test_the_same_datagram_on_two_interfaces(tmp_path: Path) -> None:
    found, file = read(write(tmp_path / "x.pcap", pcap(udp(ONE), udp(ONE), step=0.001)))
    assert (len(found), file.twice) == (1, 1)
    found, file = read(write(tmp_path / "y.pcap", pcap(udp(ONE), udp(ONE), step=0.5)))
    assert (len(found), file.twice) == (2, 0)


def test_hep_in_a_capture(tmp_path: Path) -> None:
    inner = captured(ONE)
    frames = [udp(encode(inner), ("10.9.9.9", 1), ("10.9.9.8", 9060)), udp(b"HEP3\0\6")]
    found, file = read(write(tmp_path / "x.pcap", pcap(*frames)))
    assert [m._replace(time=inner.time) for m in found] == [inner]
    assert file.other == 1


def test_cut_short_by_the_capture(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", pcap(udp(ONE)[:-40], udp(TWO)))
    found, file = read(path)
    assert ([m.data for m in found], file.cut) == ([TWO], 1)
    with pytest.raises(CaptureError, match="all 1 SIP messages are cut short: capture with tcpdump -s 0"):
        read(write(path, pcap(udp(ONE)[:-40])))


def test_the_good_part_of_a_damaged_file_is_used(tmp_path: Path) -> None:
    whole = pcap(udp(ONE), udp(TWO))
    found, file = read(write(tmp_path / "x.pcap", whole[:-10]))
    assert [m.data for m in found] == [ONE]
    assert file.summary() == (
        f"x.pcap: pcap, 1 SIP message; the file ends in a packet, at byte {24 + 16 + len(udp(ONE))}: "
        "what was before is used"
    )


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_cut_anywhere(tmp_path: Path, cut: int) -> None:
    pcapng = section() + interface() + enhanced(udp(ONE)) * 2
    for name, data in (("a.pcap", pcap(udp(ONE), udp(TWO))), ("b.pcapng", pcapng)):
        path = write(tmp_path / name, data[: max(0, len(data) - cut)])
        try:
            found, file = read(path)
        except CaptureError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
        else:
            assert found[0].data == ONE
            assert bool(file.damage) == bool(cut)


def test_compressed(tmp_path: Path) -> None:
    data = gzip.compress(pcap(udp(ONE), udp(TWO)))
    found, _ = read(write(tmp_path / "x.pcap.gz", data))
    assert [m.data for m in found] == [ONE, TWO]
    with pytest.raises(CaptureError, match="compressed file ends too early or is damaged"):
        read(write(tmp_path / "y.pcap.gz", data[:30]))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (pcap(), r"no SIP message in 0 packets \(pcap;"),
        (pcap(udp(b"x" * 50)), r"no SIP message in 1 packet \(pcap; SIP over TLS cannot be read\)"),
        (pcap(udp(ONE), link=105), "the link layer 105 is not read"),
        (pcap(udp(ONE))[:30], "ends in the header of a packet, at byte 24, and no SIP message comes before"),
        (b"\x7fELF" + bytes(100), "no capture that is known"),
        (b"\xff" * 100, "no capture that is known"),
    ],
)
def test_nothing_to_use(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        read(write(tmp_path / "x", data))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"cannot read .*: No such file"):
        read(tmp_path / "none")
    with pytest.raises(CaptureError, match="Is a directory"):
        read(tmp_path)


def test_it_is_read_as_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "big.pcap"
    with path.open("wb") as file:
        file.write(pcap())
        for first in range(0, 20_000, 50):
            file.write(pcap(*(udp(message(callid=str(first + at)) + bytes(900)) for at in range(50)))[24:])
    assert path.stat().st_size > 20_000_000
    tracemalloc.start()
    count = sum(1 for _ in CaptureFile(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4_000_000


def test_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if os.fork() == 0:
        try:
            path.write_bytes(pcap(udp(ONE), udp(TWO)))
        finally:
            os._exit(0)
    assert [m.data for m in CaptureFile(path)] == [ONE, TWO]
    os.wait()
