"""The pictures: ladder, tables, source window, diff; plain, in 80 columns, whatever the wire held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrshell.flow import Flow
from ksrshell.messages import Message, MessageList
from ksrshell.render.console import clean, coloured, plain, wire_text
from ksrshell.render.diff import diff
from ksrshell.render.ladder import ladder
from ksrshell.render.source import window
from ksrshell.render.tables import seconds, uptime, user
from ksrshell.session import Session
from shell.fake import FakeProxy, summary

LADDER = """\
Call-ID a84b4c76e66710@pc33.atlanta.example
            127.0.0.1:5071                 fake                 127.0.0.1:5072
 1    0.000        │──────── INVITE ────────>│                         │
 2    0.013        │<────── 100 trying ──────│                         │
 3    0.025        │                         │──────── INVITE ────────>│
 4    0.037        │                         │<───── 180 Ringing ──────│
 5    0.050        │<───── 180 Ringing ──────│                         │
 6    0.062        │                         │<──────── 200 OK ────────│
 7    0.075        │<──────── 200 OK ────────│                         │
 8    0.087        │───────── ACK ──────────>│                         │
 9    0.100        │                         │───────── ACK ──────────>│
10    0.112        │───────── BYE ──────────>│                         │
11    0.125        │                         │───────── BYE ──────────>│
12    0.138        │                         │<──────── 200 OK ────────│
13    0.150        │<──────── 200 OK ────────│                         │"""


def flow(session: Session, rows: list[tuple[Any, ...]], name: str = "p") -> Flow:
    return Flow("c", [Message(session, summary(*row)) for row in rows], name, ["udp:10.0.0.1:5060"])


def test_ladder(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert repr(session.flow(1)) == LADDER


def test_ladder_with_parallel_branches_fits(session: Session) -> None:
    proxy = "10.0.0.1:5060"
    rows: list[tuple[Any, ...]] = [(1, False, "192.168.100.101:50601", proxy, "INVITE", 0, "", 0)]
    rows += [(2 + n, True, proxy, f"192.168.100.11{n}:5060", "INVITE", 0, "", 1) for n in range(3)]
    rows += [(5, True, proxy, "192.168.100.111:5060", "CANCEL", 0, "", 0)]
    text = plain(ladder(flow(session, rows), 80), 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "192.168.100.101" in text and ":50601" in text
    assert text.splitlines()[-1].count("CANCEL") == 1


def test_ladder_with_too_many_endpoints_is_a_list(session: Session) -> None:
    proxy = "10.0.0.1:5060"
    rows = [(n + 1, True, proxy, f"192.168.100.{n}:5060", "INVITE", 0, "", 0) for n in range(8)]
    lines = plain(ladder(flow(session, rows), 80), 80).splitlines()
    assert lines[1].split() == ["1", "0.000", "p", "->", "192.168.100.0:5060", "INVITE"]
    assert len(lines) == 9


def test_ladder_marks_repetitions_and_spirals(session: Session) -> None:
    rows = [
        (1, False, "10.0.0.9:5060", "10.0.0.1:5060", "INVITE", 0, "", 0),
        (2, False, "10.0.0.9:5060", "10.0.0.1:5060", "INVITE", 0, "", 0),
        (3, True, "10.0.0.1:5060", "10.0.0.1:5060", "INVITE", 0, "", 1),
    ]
    lines = plain(ladder(flow(session, rows), 80), 80).splitlines()
    assert "INVITE again" in lines[3]
    assert "↻ INVITE" in lines[4]


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_ladder_at_any_width(session: Session, columns: int) -> None:
    for line in plain(ladder(session.flow(1), columns), columns).splitlines():
        assert len(line) <= columns


def test_messages_fit_80_columns(session: Session, fake: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    for n in range(14, 60):
        row = summary(n, False, "[2001:db8::1234:5678:9abc]:50600", "10.0.0.1:5060", "INVITE", 0, "", 0)
        row["ruri"] = "sip:" + "x" * 300 + "\n\x1b[2J@example.com"
        row["exception"] = "KeyError: 'x'"
        fake.records.append(row)
    fake.gone = 7
    lines = repr(session.msgs).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) <= 22
    assert "! INVITE" in lines[-3]
    assert lines[-2].startswith("the newest 15 of 59; 7 older ones are gone")
    assert "\x1b" not in "\n".join(lines)


def test_where_says_so(session: Session) -> None:
    assert repr(session.msgs.where('method == "BYE"')).splitlines()[-1].startswith('where method == "BYE"')
    assert repr(session.msgs.where("False")) == "no captured message where False"
    assert repr(MessageList([])) == "no messages"


def test_a_bad_message(session: Session, fake: FakeProxy) -> None:
    row = summary(14, False, "1.2.3.4:5", "10.0.0.1:5060", "", 0, "", 0)
    row.update(error="no first line\x1b", is_request=False)
    fake.records.append(row)
    assert "bad: no first line\\x1b" in repr(session.msgs)
    assert "not usable: no first line" in repr(session.msgs[14])


def test_clean() -> None:
    assert clean("a\x1b[31m\x07\x9b\u202e\udc80\tb\n") == "a\\x1b[31m\\x07\\x9b\\u202e\\udc80\tb\n"
    assert wire_text("caf\u00c3\u00a9\r\n\u00ff\x00") == "caf\u00e9\n\\xff\\x00"


def test_window() -> None:
    lines = [f"x = {n}" for n in range(10, 30)]
    assert plain(window(lines, 10, 20, around=1)).splitlines() == ["   19 x = 19", "-> 20 x = 20", "   21 x = 21"]
    assert plain(window(lines, 10, 10, around=1)).splitlines()[0] == "-> 10 x = 10"
    assert len(plain(window(lines, 10, 29, around=3)).splitlines()) == 7
    assert len(plain(window(lines, 10)).splitlines()) == 20
    assert plain(window(["a", "", "b"], 1, 3)).splitlines() == ["   1 a", "   2", "-> 3 b"]


def test_diff() -> None:
    assert plain(diff("")) == "nothing changed"
    assert plain(diff("--- a\n+++ b\n@@ -1 +1 @@\n-x\x1b\n+y")).splitlines()[3] == "-x\\x1b"


def test_colours_only_where_asked(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in coloured(session.msgs[1])
    assert "\x1b[" not in plain(session.msgs[1])
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in coloured(session.msgs[1])


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.0000854, "85 us"), (0.0012, "1.20 ms"), (2.5, "2.5 s")])
def test_seconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-1, "0 s"), (42, "42 s"), (300, "5 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")]
)
def test_uptime(value: float, text: str) -> None:
    assert uptime(value) == text


@pytest.mark.parametrize(
    ("uri", "text"),
    [("sip:alice@a.example;x=y", "alice"), ("sips:b@c", "b"), ("sip:a.example:5060", "a.example:5060"), ("", "")],
)
def test_user(uri: str, text: str) -> None:
    assert user(uri) == text


def test_every_value_renders_at_80_columns(session: Session, tmp_path: Path) -> None:
    session.use(1)
    session.KSR.sl.send_reply(404, "No")
    for value in (session.msgs, session.msgs[1], session.routes, session.stats, session.KSR, session.KSR.sl,
                  session.step(1), session.flow(1), session.routes["ksr_request_route"]):  # fmt: skip
        assert all(len(line) <= 80 for line in plain(value, 80).splitlines()), value


def test_lines_of_a_message_are_never_broken(session: Session, fake: FakeProxy) -> None:
    long = "Via: SIP/2.0/UDP " + "x" * 200 + " y"
    message = fake.methods["ksr.message"]
    fake.methods["ksr.message"] = lambda p: {**message(p), "data": f"OPTIONS sip:x SIP/2.0\r\n{long}\r\n\r\n"}
    assert long in plain(session.msgs[1], 80).splitlines()
