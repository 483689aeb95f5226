"""The vocabulary: use, KSR, effects, routes, step, swap, versions, rollback, flow, rpc."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import ksrshell
from ksrshell.changes import Where
from ksrshell.errors import KsrShellError, NotFound, RemoteError, UnknownName, UsageError
from ksrshell.routes import Swapped, source_of
from ksrshell.session import Session
from ksrshell.stepper import Source
from shell.fake import CALLID, FakeProxy


def test_the_public_name(fake: FakeProxy) -> None:
    assert ksrshell.__all__ == ["connect", "connect_all"]
    with ksrshell.connect("fake") as proxy:
        assert proxy.name == "fake"
        assert proxy.msgs[-1].method == "BYE"
        assert proxy.call("core.echo", [1]) == [1]


def test_use_and_ksr(session: Session, fake: FakeProxy) -> None:
    with pytest.raises(UsageError, match=r"KSR needs a message to work on: use\(msgs\[-1\]\) first"):
        session.KSR.is_INVITE()
    session.use(session.msgs[1])
    assert session.current is not None and session.current.id == 1
    assert session.KSR.pv.get("$ru") == "sip:bob@biloxi.example"
    assert session.KSR.is_INVITE() is True
    assert fake.done == [("pv.get", ["$ru"]), ("is_INVITE", [])]
    assert ("ksr.sandbox.call", {"sandbox": 1, "name": "pv.get", "args": ["$ru"]}) in fake.asked
    session.use(3)
    assert ("ksr.sandbox.close", {"sandbox": 1}) in fake.asked
    session.use(None)
    assert session.current is None


def test_live_is_asked_for(session: Session, fake: FakeProxy) -> None:
    session.use(1)
    session.KSR.sl.send_reply(200, "OK", live=True)
    assert fake.asked[-1] == (
        "ksr.sandbox.call",
        {"sandbox": 1, "name": "sl.send_reply", "args": [200, "OK"], "live": True},
    )


def test_a_wrong_argument_is_the_proxys_to_explain(session: Session) -> None:
    session.use(1)
    with pytest.raises(RemoteError, match="it takes 2 arguments") as caught:
        session.KSR.sl.send_reply()
    assert caught.value.type == "KsrArgumentError"
    with pytest.raises(UsageError, match="arguments are numbers and text"):
        session.KSR.sl.send_reply(200, {1, 2})


def test_ksr_explains_itself(session: Session) -> None:
    function = session.KSR.sl.send_reply
    assert str(inspect.signature(function)) == "(code: int, reason: str, /) -> int"
    assert function.__doc__.startswith("Send a stateless reply.")
    assert dir(session.KSR) == ["dialog", "is_INVITE", "pv", "sl"]
    assert dir(session.KSR.sl) == ["send_reply"]
    assert repr(function).splitlines()[:2] == [
        "KSR.sl.send_reply(code: int, reason: str) -> int",
        "Kamailio module: sl",
    ]
    assert "does not implement it yet" in repr(session.KSR.dialog.dlg_manage)


def test_unknown_names(session: Session) -> None:
    with pytest.raises(UnknownName, match=r"KSR.sl.sendreply: no such name; nearest: KSR.sl.send_reply"):
        _ = session.KSR.sl.sendreply
    with pytest.raises(UnknownName, match=r"KSR.zzz: no such name; KSR.<TAB> lists what there is"):
        _ = session.KSR.zzz
    assert not hasattr(session.KSR, "_ipython_display_")


def test_the_tables_are_asked_for_once(session: Session, fake: FakeProxy) -> None:
    session.use(1)
    for _ in range(3):
        session.KSR.is_INVITE()
    assert [name for name, _ in fake.asked].count("ksr.api") == 1


def test_effects(session: Session) -> None:
    with pytest.raises(UsageError, match="use"):
        session.effects()
    session.use(1)
    assert not session.effects()
    assert repr(session.effects()) == "no effects: nothing sent, nothing changed"
    session.KSR.sl.send_reply(404, "No")
    effects = session.effects()
    assert effects
    assert repr(effects.sent).startswith("[would send to ")
    assert effects.sent[0].raw == b"SIP/2.0 404 No\r\nCSeq: 1 INVITE\r\n\r\n"
    assert "+b" in effects.diff.text
    assert repr(effects).splitlines() == [
        "would send to udp:127.0.0.1:5071", "SIP/2.0 404 No", "CSeq: 1 INVITE",
        "the message, as it came and as it would leave", "--- as it came", "+++ as it would leave", "@@ -1 +1 @@",
        "-a", "+b", "routing state", "  $du: sip:x", "would write", "  insert into location",
    ]  # fmt: skip


def test_routes(session: Session) -> None:
    assert list(session.routes) == ["ksr_request_route", "ksr_route_relay"]
    route = session.routes["ksr_request_route"]
    assert (route.callback, route.hits, route.exceptions) == (True, 6, 1)
    assert "KSR.is_INVITE()" in route.source
    with pytest.raises(NotFound, match="no function 'ksr_route_rely'; nearest: ksr_route_relay"):
        session.routes["ksr_route_rely"]
    table = repr(session.routes).splitlines()
    assert table[0].split() == ["function", "kind", "version", "hits", "average", "longest", "errors", "line"]
    assert table[1].split() == ["ksr_request_route", "callback", "1", "6", "310", "us", "1.20", "ms", "1", "1"]


def test_swap_versions_rollback(session: Session, fake: FakeProxy) -> None:
    swapped = session.swap("  def ksr_route_relay(self, msg):\n      return 1\n")
    assert swapped.swapped == [("ksr_route_relay", 2)]
    assert fake.asked[-1][1]["source"] == "  def ksr_route_relay(self, msg):\n      return 1\n"
    assert fake.asked[-1][1]["who"]
    assert repr(swapped).splitlines() == [
        "swapped ksr_route_relay: version 2 from the next message on",
        "warning: it returns nothing",
    ]
    versions = session.versions("ksr_route_relay")
    assert list(versions) == [1, 2]
    assert versions[2].current and versions[2].who == "ann"
    assert "+2 -1 lines" in repr(versions)
    with pytest.raises(NotFound, match="has no version 9; it has: 1, 2"):
        versions[9]
    assert session.rollback("ksr_route_relay").swapped == [("ksr_route_relay", 1)]
    assert repr(session.rollback("ksr_route_relay", 2)).startswith("rolled back ksr_route_relay: version 2")
    with pytest.raises(UsageError, match=r"rollback\(\) expects a version's number.*got 'x'"):
        session.rollback("ksr_route_relay", "x")  # type: ignore[arg-type]
    with pytest.raises(RemoteError, match="no function 'nope'"):
        session.versions("nope")
    new = Swapped({"swapped": [{"name": "ksr_route_rely", "version": 1}]})
    assert repr(new) == "added ksr_route_rely: the script had nothing of this name"


def ksr_route_relay(self: Any, msg: Any) -> int:
    return -1


def test_what_swap_takes(session: Session, fake: FakeProxy) -> None:
    session.swap(ksr_route_relay)
    assert fake.asked[-1][1]["source"].startswith("def ksr_route_relay(self: Any, msg: Any) -> int:\n")
    with pytest.raises(UsageError, match="the source of 'len' is not known"):
        session.swap(len)
    with pytest.raises(UsageError, match="expects source text, a function or a path, got int"):
        session.swap(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="got no source"):
        source_of(" \n")


def test_step(session: Session, fake: FakeProxy) -> None:
    s = session.step(1)
    assert (s.where.function, s.where.line, s.event, s.done) == ("ksr_request_route", 2, "line", False)
    assert s.next() is s
    assert s.where.line == 3
    assert s.to(4).where.line == 4
    assert s.locals["n"] == "1"
    assert s.stack == [("ksr_request_route", 4)]
    assert s.calls[0].name == "KSR.is_INVITE"
    assert s.pv("$ru") == "sip:bob@biloxi.example"
    assert s.eval("n + 1") == "'n + 1'"
    assert not s.diff and not s.effects
    text = repr(s).splitlines()
    assert text[0] == "ksr_request_route line 4  1 INVITE sip:bob@biloxi.example"
    assert text[4] == "-> 4     return 1"
    s.finish()
    assert s.done and s.result == "1"
    assert repr(s).endswith("the run has ended, result 1")
    with pytest.raises(UsageError, match=r"the run has ended: back\(\) goes back in it, step\(msgs\[1\]\) starts anew"):
        s.next()
    with pytest.raises(UsageError, match="a line number"):
        session.step(1).to("x")  # type: ignore[arg-type]
    assert repr(Where("ksr_request_route", "", 0)) == "ksr_request_route: the run has ended"
    assert repr(Source([], 1, 0)) == "no source: the run has ended"


def test_a_step_is_closed_by_its_context(session: Session, fake: FakeProxy) -> None:
    with session.step(1, "ksr_reply_route") as s:
        assert fake.asked[-1] == ("ksr.step.start", {"id": 1, "callback": "ksr_reply_route"})
    assert fake.asked[-1] == ("ksr.step.close", {"step": 1})
    assert s.done


def test_flow(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    flow = session.flow(1)
    assert flow.callid == CALLID
    assert flow.endpoints == ["127.0.0.1:5071", "proxy", "127.0.0.1:5072"]
    assert len(flow.messages) == 13
    assert session.flow(CALLID).callid == CALLID
    assert session.flow().callid == CALLID
    assert session.msgs[4].flow().callid == CALLID
    with pytest.raises(NotFound, match="no captured message has the Call-ID 'x'"):
        session.flow("x")


def test_rpc(session: Session) -> None:
    assert session.rpc("core.uptime") == {"uptime": 75}
    assert session.rpc("core.echo", "a", 1) == ["a", 1]
    with pytest.raises(NotFound, match="no command 'ul.dumb'; rpc"):
        session.rpc("ul.dumb")
    with pytest.raises(UsageError, match="a command such as 'ul.dump'"):
        session.rpc("dump it")


def test_stats(session: Session) -> None:
    assert session.stats["captured"] == 13
    assert "messages per second" in repr(session.stats)
    with pytest.raises(NotFound, match="no figure 'x'"):
        session.stats["x"]


@pytest.mark.parametrize("what", ["x", 1.5, [1]])
def test_no_message(session: Session, what: Any) -> None:
    for function in (session.use, session.step):
        with pytest.raises(KsrShellError, match="expected a message or its id"):
            function(what)


def test_several_messages_where_one_is_wanted(session: Session) -> None:
    with pytest.raises(UsageError, match="expected one message, got several"):
        session.use(session.msgs[-2:])  # type: ignore[arg-type]


def test_a_new_process_knows_nothing_of_the_old_ones_messages(session: Session, fake: FakeProxy) -> None:
    session.use(1)
    stepping = session.step(1)
    fake.started += 1
    fake.drop()
    while session.client.connected:
        pass
    session.client.call("core.echo", [])
    with pytest.raises(UsageError, match="ended with the proxy's process"):
        stepping.next()
    with pytest.raises(UsageError, match="fake is a new process and has not seen that message"):
        session.KSR.is_INVITE()
    assert session.current is None
    session.use(1)
    session.forget()
    assert session.current is None
