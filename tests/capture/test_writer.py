"""Capture files written: read again, and by tshark."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from capture.samples import PROXY, UAC, UAS, captured, message, read
from ksrcore.capture.captured import Captured, CaptureError
from ksrcore.capture.writer import save
from lab.needs import need

V6 = ("2001:db8::1", 15062), ("2001:db8::2", 25060)


def call(proto: str, ends: tuple[tuple[str, int], tuple[str, int]] = (UAC, PROXY)) -> list[Captured]:
    one, other = ends
    return [
        captured(message("INVITE sip:bob@b SIP/2.0", body="v=0\r\n"), one, other, 1.5, proto, False),
        captured(message("SIP/2.0 180 Ringing"), other, one, 1.75, proto, True),
        captured(message("SIP/2.0 200 OK", body="v=0\r\n" * 200), other, one, 2.000001, proto, True),
        captured(message("BYE sip:bob@b SIP/2.0"), one, other, 4_000_000_000.0, proto, False),
    ]


@pytest.mark.parametrize("name", ["x.pcap", "x.pcapng"])
@pytest.mark.parametrize("form", ["", "ip", "pdu"])
@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_there_and_back(tmp_path: Path, name: str, form: str, proto: str) -> None:
    sent = [m for ends in ((UAC, PROXY), (UAS, PROXY), V6) for m in call(proto, ends)]
    sent[0] = sent[0]._replace(comment="message 1")
    assert save(tmp_path / name, sent, form=form) == len(sent)
    found, file = read(tmp_path / name)
    assert [m._replace(conid=0) for m in found] == [
        m if name == "x.pcapng" else m._replace(out=None, comment="") for m in sent
    ]
    assert (file.other, file.lost) == (0, 0)


@pytest.mark.parametrize("name", ["x.pcap", "x.pcapng"])
@pytest.mark.parametrize("form", ["ip", "pdu"])
def test_tshark_decodes_every_message(tmp_path: Path, name: str, form: str) -> None:
    tshark = need("tshark", "tshark")
    sent = [m for proto in ("udp", "tcp") for ends in ((UAC, PROXY), V6) for m in call(proto, ends)]
    save(tmp_path / name, sent, form=form)
    command = [tshark, "-r", str(tmp_path / name), "-T", "fields"]
    for option in ("ip", "udp", "tcp"):
        command += ["-o", f"{option}.check_checksum:TRUE"]
    fields = "sip.Method sip.Status-Code ip.checksum.status udp.checksum.status tcp.checksum.status _ws.malformed"
    for field in fields.split():
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    decoded = [row[0] or row[1] for row in rows if row[0] or row[1]]
    assert decoded == ["INVITE", "180", "200", "BYE"] * 4
    assert {value for row in rows for value in row[2:5]} <= {"", "1"}
    assert not any(row[5:] and row[5] for row in rows)


def test_masked(tmp_path: Path) -> None:
    save(tmp_path / "x.pcapng", [m._replace(comment="message 3\nalice") for m in call("udp")], mask=True)
    found, _ = read(tmp_path / "x.pcapng")
    assert all(b"alice" not in m.data and m.comment == "message 3" for m in found)


@pytest.mark.parametrize(
    ("name", "form", "why"),
    [
        ("x.txt", "", "ends in .pcapng or .pcap, got 'x.txt'"),
        ("x.pcap", "raw", "form is 'ip'"),
        ("no/x.pcap", "", "cannot write"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, form: str, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        save(tmp_path / name, call("udp"), form=form)
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    save(path, call("udp"))
    before = path.read_bytes()
    with pytest.raises(CaptureError):
        save(path, [*call("udp"), captured(b"x", ("host", 1))])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["x.pcap"]
