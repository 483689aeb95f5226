"""Captured messages as a lazy sequence."""

from __future__ import annotations

from typing import Any

import pytest

from ksrshell import messages as messages_module
from ksrshell.errors import NotFound, RemoteError, UsageError
from ksrshell.session import Session
from shell.fake import INVITE, FakeProxy, summary


def ids(messages: Any) -> list[int]:
    return [message.id for message in messages]


def test_by_id_and_from_the_end(session: Session) -> None:
    msgs = session.msgs
    assert msgs[-1].id == 13
    assert msgs[-13].id == 1
    assert msgs[12].id == 12
    assert msgs[0].id == 1
    assert len(msgs) == 13
    assert ids(msgs) == list(range(1, 14))
    assert ids(reversed(msgs[:])) == list(range(13, 0, -1))


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (14, "no message 14 yet: the newest is 13"),
        (-14, r"msgs\[-14\]: 13 messages captured"),
    ],
)
def test_what_is_not_there(session: Session, index: int, error: str) -> None:
    with pytest.raises(NotFound, match=error):
        session.msgs[index]


def test_gone(session: Session, fake: FakeProxy) -> None:
    del fake.records[:3]
    fake.gone = 3
    with pytest.raises(NotFound, match="message 2 is gone: the capture holds 4 to 13"):
        session.msgs[2]
    assert session.msgs[0].id == 4
    assert len(session.msgs) == 10


def test_empty(session: Session, fake: FakeProxy) -> None:
    fake.records.clear()
    assert len(session.msgs) == 0
    assert list(session.msgs) == []
    assert repr(session.msgs) == "no messages captured yet"
    for index in (-1, 0, 5):
        with pytest.raises(NotFound):
            session.msgs[index]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (slice(None), range(1, 14)),
        (slice(3, 6), range(3, 6)),
        (slice(10, None), range(10, 14)),
        (slice(None, 3), range(1, 3)),
        (slice(-3, None), range(11, 14)),
        (slice(-4, -2), range(10, 12)),
        (slice(-4, 12), range(10, 12)),
        (slice(10, -1), range(10, 13)),
        (slice(None, None, 2), range(1, 14, 2)),
        (slice(None, None, -1), range(13, 0, -1)),
        (slice(50, 60), ()),
    ],
)
def test_slices(session: Session, part: slice, expected: Any) -> None:
    assert ids(session.msgs[part]) == list(expected)


@pytest.mark.parametrize("index", ["x", 1.5, slice("a", None), slice(None, None, 0)])
def test_an_index_of_another_kind(session: Session, index: Any) -> None:
    with pytest.raises(UsageError, match="ids? or"):
        session.msgs[index]


def test_iteration_goes_page_by_page(session: Session, fake: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages_module, "PAGE", 5)
    assert ids(session.msgs) == list(range(1, 14))
    pages = [params for name, params in fake.asked if name == "ksr.messages" and "after" in params]
    assert [page["after"] for page in pages] == [0, 5, 10]


def test_iteration_ends_though_messages_keep_coming(session: Session, fake: FakeProxy) -> None:
    seen = []
    for message in session.msgs:
        seen.append(message.id)
        new = len(fake.records) + 1
        fake.records.append(summary(new, False, "1.2.3.4:5", "127.0.0.1:5060", "OPTIONS", 0, "", 0))
    assert seen == list(range(1, 14))


def test_where(session: Session, fake: FakeProxy) -> None:
    invites = session.msgs.where('method == "INVITE" and fU == "alice"')
    assert ids(invites) == [1, 2, 3, 4, 5, 6, 7]
    assert len(invites) == 7
    assert invites[-1].id == 7
    assert invites[0].id == 1
    assert invites[3].id == 3
    assert ids(invites[-2:]) == [6, 7]
    assert ids(invites.where("is_request")) == [1, 3]
    with pytest.raises(NotFound, match="message 8 is not one where"):
        invites[8]
    with pytest.raises(NotFound, match="no message 99 yet"):
        invites[99]
    fake.records.append(summary(14, False, "1.2.3.4:5", "127.0.0.1:5060", "INVITE", 0, "", 0))
    assert invites[-1].id == 14


def test_a_mistake_in_where_shows_at_once(session: Session) -> None:
    with pytest.raises(RemoteError, match="^where: "):
        session.msgs.where("method ==")
    with pytest.raises(UsageError, match="expects an expression as text"):
        session.msgs.where("")


def test_a_message(session: Session) -> None:
    m = session.msgs[1]
    assert (m.method, m.status, m.src, m.dst, m.proto) == ("INVITE", None, "127.0.0.1:5071", "127.0.0.1:5060", "udp")
    assert m.title == "INVITE sip:bob@biloxi.example"
    assert m.raw == INVITE.encode("latin-1")
    assert m.body.startswith(b"v=0")
    assert m.headers["subject"] == "caf\u00e9 \x1b[31m"
    assert "VIA" in m.headers and "Route" not in m.headers
    assert m.headers.get("Route") is None
    assert m.headers.get_all("cseq") == ["314159 INVITE"]
    with pytest.raises(NotFound, match="no header 'Route'; the message has: Via, "):
        m.headers["Route"]
    assert m.pv("$ru") == "sip:bob@biloxi.example"
    assert ids(m.sent) == [2, 3]
    assert m.cause is None
    assert session.msgs[2].cause == m
    assert m.time.timestamp() == pytest.approx(1_700_000_000.0125)
    assert session.msgs[4].title == "180 Ringing"


def test_its_calls(session: Session) -> None:
    calls = session.msgs[1].calls
    assert [(c.name, c.args, c.result) for c in calls][1] == ("KSR.pv.get", ("$ru",), "sip:bob@biloxi.example")
    assert repr(calls).splitlines() == [
        "1 KSR.is_INVITE() -> True",
        "2 KSR.pv.get('$ru') -> 'sip:bob@biloxi.example'",
        "3 KSR.sl.send_reply(404)  KsrArgumentError: two",
    ]
    assert repr(session.msgs[1].runs[0]).startswith("ran ksr_request_route, 310 us, 3 KSR calls")


def test_the_summary_is_all_that_a_list_asks_for(session: Session, fake: FakeProxy) -> None:
    assert [m.method for m in session.msgs[-3:]] == ["BYE", "BYE", "BYE"]
    assert "ksr.message" not in [name for name, _ in fake.asked]


def test_a_hostile_message_cannot_write_to_the_terminal(session: Session) -> None:
    assert "\x1b" not in repr(session.msgs[1])
    assert "Subject: caf\u00e9 \\x1b[31m" in repr(session.msgs[1])
    assert "\x1b" not in repr(session.msgs[1].headers)
