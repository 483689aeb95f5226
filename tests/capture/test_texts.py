"""Text dumps of SIPp, Kamailio's sipdump, sngrep and ngrep."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from capture.samples import message, read, write
from ksrcore.capture.captured import Captured, CaptureError

REQUEST, REPLY = message(body="v=0\r\n"), message("SIP/2.0 200 OK")
LOCAL = datetime(2026, 11, 23, 6, 58, 55, 866897).timestamp()


def sipp(*messages: tuple[str, bytes]) -> bytes:
    out = b""
    for what, data in messages:
        size = f"[{len(data)}] bytes " if what == "received" else f"({len(data)} bytes)"
        out += b"----------------------------------------------- 2026-11-23 06:58:55.866897\n"
        out += f"UDP message {what} {size}:\n\n".encode() + data + b"\n"
    return out


def sipdump(tag: str, data: bytes, proto: str = "udp ipv4") -> bytes:
    return (
        (
            f"====================\ntag: {tag}\npid: 5\nprocess: 1\ntime: 1795417135.866624\n"
            "date: Mon Nov 23 06:58:55 2026\n"
            f"proto: {proto}\nsrcip: 10.0.0.1\nsrcport: 5062\ndstip: 10.0.0.9\ndstport: 5060\n~~~~~~~~~~~~~~~~~~~~\n"
        ).encode()
        + data
        + b"||||||||||||||||||||\n"
    )


def test_sipp(tmp_path: Path) -> None:
    found, file = read(write(tmp_path / "x.log", sipp(("sent", REQUEST), ("received", REPLY))))
    assert found == [
        Captured(LOCAL, "udp", "10.0.0.1", 5062, "10.0.0.9", 5060, REQUEST),
        Captured(LOCAL, "udp", "10.0.0.9", 5060, "10.0.0.1", 5062, REPLY),
    ]
    assert file.summary() == "x.log: SIPp's message trace, 2 SIP messages"


def test_sipp_cut_off(tmp_path: Path) -> None:
    found, file = read(write(tmp_path / "x.log", sipp(("sent", REQUEST), ("received", REPLY))[:-30]))
    assert [m.data for m in found] == [REQUEST]
    assert file.damage == "the file ends in a message"


@pytest.mark.parametrize(("tag", "out"), [("rcv", False), ("snd", True), ("cfg", None)])
def test_sipdump(tmp_path: Path, tag: str, out: bool | None) -> None:
    found, file = read(write(tmp_path / "x.data", sipdump(tag, REQUEST) + sipdump("rcv", REPLY, "tcp ipv4")))
    assert found[0] == Captured(
        1795417135.866624, "udp", "10.0.0.1", 5062, "10.0.0.9", 5060, REQUEST, 0, out, "cfg" if tag == "cfg" else ""
    )
    assert (found[1].proto, found[1].data) == ("tcp", REPLY)
    assert file.kind == "Kamailio's sipdump"


def test_sipdump_with_fields_that_cannot_be_read(tmp_path: Path) -> None:
    data = sipdump("rcv", REQUEST).replace(b"srcport: 5062", b"srcport: x")
    found, _ = read(write(tmp_path / "x.data", data + sipdump("snd", REPLY) + sipdump("rcv", REQUEST)[:150]))
    assert [m.data for m in found] == [REPLY]


def test_sngrep(tmp_path: Path) -> None:
    text = b""
    for data, ends in ((REQUEST, "10.0.0.1:5062 -> [2001:db8::9]:5060"), (REPLY, "10.0.0.9:5060 -> 10.0.0.1:5062")):
        text += f"2026/11/23 06:58:55.866897 {ends}\n".encode() + data + b"\n\n"
    found, file = read(write(tmp_path / "x.txt", text))
    assert [(m.data, m.src_ip, m.dst_ip) for m in found] == [
        (REQUEST, "10.0.0.1", "2001:db8::9"),
        (REPLY, "10.0.0.9", "10.0.0.1"),
    ]
    assert found[0].time == pytest.approx(LOCAL)
    assert file.kind == "text of sngrep"


def test_ngrep(tmp_path: Path) -> None:
    text = b"interface: any\nfilter: ( port 5060 )\n"
    for data in (REQUEST, REPLY):
        lines = data.decode().replace("\r\n", ".\n")
        text += f"#\nU 2026/11/23 06:58:55.866897 10.0.0.1:5062 -> 10.0.0.9:5060 #3\n{lines}\n".encode()
    found, file = read(write(tmp_path / "x.txt", text))
    assert [m.data for m in found] == [REQUEST, REPLY]
    assert file.kind == "text of ngrep"


def test_other_text(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no capture that is known: expected pcap, pcapng, HEP3, or a text dump"):
        read(write(tmp_path / "x.txt", b"hello\n" * 50))
