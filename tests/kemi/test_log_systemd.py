"""KSR.log_systemd: datagrams to the journal."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from lab.sequence import Bench


def test_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSR_JOURNAL_SOCKET", str(tmp_path / "journal"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        journal.settimeout(0.2)
        bench = Bench()
        assert bench.request({}, ["KSR.log_systemd.sd_journal_print('L_ERR', 'it broke')"])[0] == [1]
        assert journal.recv(500) == b"PRIORITY=3\nSYSLOG_IDENTIFIER=ksrshell\nMESSAGE=it broke\n"
        assert bench.request({}, ["KSR.log_systemd.sd_journal_print('L_INFO', 'a\\nb')"])[0] == [1]
        assert journal.recv(500).endswith(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n")
        calls = [
            "KSR.pv.sets('$xavp(j=>PRIORITY)', '5')",
            "KSR.pv.sets('$xavp(j[0]=>MESSAGE)', 'hello')",
            "KSR.pv.seti('$xavp(j[0]=>CODE)', 404)",
            "KSR.log_systemd.sd_journal_send_xvap('j')",
        ]
        assert bench.request({}, calls)[0][-1] == 1
        assert sorted(journal.recv(500).splitlines()) == [b"CODE=404", b"MESSAGE=hello", b"PRIORITY=5"]
        bench.proxy.sandbox = True
        fork: Any = bench.proxy.modules["log_systemd"].fork(bench.proxy)
        assert fork.sd_journal_print(bench.run, "L_ERR", "x") == 1
        journal.setblocking(False)
        with pytest.raises(BlockingIOError):
            journal.recv(100)
        bench.proxy.modules["log_systemd"].stop()


def test_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSR_JOURNAL_SOCKET", str(tmp_path / "none"))
    bench = Bench()
    calls = [
        "KSR.log_systemd.sd_journal_print('L_ERR', 'x')",
        "KSR.log_systemd.sd_journal_print('L_NOPE', 'x')",
        "KSR.log_systemd.sd_journal_send_xvap('none')",
    ]
    assert bench.request({}, calls)[0] == [-1, -1, -1]
    bench.proxy.modules["log_systemd"].stop()
