"""What waits behind a held message, and the clock of its transaction."""

from __future__ import annotations

import pytest

from debug.holding import Holding, Holdings, to_bob
from tm.playbook import ALICE, BOB, firsts, reply, request

CAROL = "10.0.0.4"


def test_retransmissions_are_absorbed_before_there_is_a_transaction(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_request_route")
    p.feed(request("INVITE"))
    again = p.feed(request("INVITE"))
    assert firsts(again) == [f"{ALICE} SIP/2.0 100 Trying"]
    assert p.held[0].of.absorbed == 1
    records = [r for r in p.proxy.recorder if not r.out]
    assert records[1].error == "absorbed: it repeats message 1, which is held"
    assert len(to_bob(p.release(p.held[0]))) == 1
    p2 = [r for r in p.proxy.recorder if r.runs and not r.out]
    assert len(p2) == 1, "its script ran once"


def test_an_options_is_absorbed_silently(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_request_route")
    assert p.feed(request("OPTIONS")) == []
    assert p.feed(request("OPTIONS")) == []
    assert to_bob(p.release(p.held[0])) == [f"OPTIONS sip:bob@{BOB} SIP/2.0"]


def test_a_cancel_waits_for_its_invite(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_branch", if_='method == "INVITE"')
    p.feed(request("INVITE"))
    assert p.feed(request("CANCEL")) == []
    assert p.feed(request("CANCEL")) == [], "nor its retransmission"
    (held,) = p.held
    assert held.view()["waiting"] == ["CANCEL alice -> bob"] and held.of.absorbed == 1
    sent = p.release(held)
    assert [s.first for s in sent] == [f"INVITE sip:bob@{BOB} SIP/2.0", "SIP/2.0 200 canceling"]
    rings = p.feed(reply(sent[0], 180), BOB)
    assert [s.first.split()[0] for s in rings] == ["SIP/2.0", "CANCEL"] or "CANCEL" in rings[0].first


def test_replies_of_a_held_transaction_wait_in_order(holding: Holdings) -> None:
    p = holding()
    (trying, invite) = p.feed(request("INVITE"))
    p.hold("ksr_onreply", if_='status == 180 and method == "INVITE"')
    assert p.feed(reply(invite, 180), BOB) == []
    (held,) = p.held
    assert held.state()["route"] == "onreply"
    assert p.feed(reply(invite, 180), BOB) == [], "a repeated reply is absorbed"
    assert p.feed(reply(invite, 200), BOB) == []
    assert held.view()["waiting"] == ["200 to INVITE"] and held.of.absorbed == 1
    assert [s.first for s in p.release(held)] == ["SIP/2.0 180 Reason", "SIP/2.0 200 Reason"]


def test_the_clock_of_its_transaction_stands_still(holding: Holdings) -> None:
    p = holding(modparams=["tm:fr_timer=10000"])
    _, invite = p.feed(request("INVITE"))
    p.feed(reply(invite, 100), BOB)
    _, forked = p.feed(request("INVITE", branch="z9hG4bK2", callid="other"))
    p.hold("ksr_onreply")
    p.advance(0.2)
    assert p.feed(reply(invite, 180), BOB) == []
    assert p.feed(reply(forked, 180), BOB) == []
    assert p.advance(7.0) == [], "no retransmission of what is held"
    for held in p.held:
        assert firsts(p.release(held)) == [f"{ALICE} SIP/2.0 180 Reason"]
    assert p.advance(9.0) == []


def test_retransmissions_begin_after_the_release(holding: Holdings) -> None:
    """Two branches: the second is held when it is about to be sent; the first one's answer waits, unrepeated."""
    script = """
    def ksr_request_route(self, msg):
        KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
        KSR.tm.t_relay()
        return 1

    def ksr_onsend_route(self, msg):
        KSR.info("sending")
        return 1
    """
    p = holding("\n".join(line[4:] for line in script.splitlines()))
    p.hold("ksr_onsend_route", hits=2, once=True)
    sent = p.feed(request("INVITE"))
    assert [s.first for s in sent if s.dest.ip != ALICE] == [f"INVITE sip:bob@{BOB} SIP/2.0"]
    assert p.feed(reply(sent[-1], 180), BOB) == []
    assert p.advance(6.0) == []
    after = p.release(p.held[0])
    assert firsts(after) == [f"{CAROL} INVITE sip:carol@10.0.0.4 SIP/2.0", f"{ALICE} SIP/2.0 180 Reason"]
    repeated = p.advance(0.7)
    assert firsts(repeated) == [f"{CAROL} INVITE sip:carol@10.0.0.4 SIP/2.0"]


def test_a_failure_of_what_waits_loses_nothing_of_the_rest(holding: Holdings, caplog: pytest.LogCaptureFixture) -> None:
    p = holding()
    (invite,) = [s for s in p.feed(request("INVITE")) if s.dest.ip == BOB]
    p.hold("ksr_onreply", once=True)
    p.feed(reply(invite, 180), BOB)
    (held,) = p.held
    (t,) = held.of.transactions

    def fail() -> None:
        raise RuntimeError("no")

    assert p.holds.enter(t, fail)
    p.feed(reply(invite, 200), BOB)
    assert held.view()["waiting"] == ["timer", "200 to INVITE"]
    assert firsts(p.release(held)) == [f"{ALICE} SIP/2.0 180 Reason", f"{ALICE} SIP/2.0 200 Reason"]
    assert "what waited behind a held message failed: timer" in caplog.text
    assert p.proxy.debugger is None and p.reasons() == ["resumed"]


def test_timers_of_other_objects_go_on(holding: Holdings) -> None:
    """A method of one object that is held says nothing of the same method of another."""

    class Work:
        def __init__(self, p: Holding) -> None:
            self.p = p
            self.done = 0

        def do(self) -> None:
            proxy = self.p.proxy
            proxy.script.call(proxy.fake_run(), "ksr_tick")  # type: ignore[union-attr]
            self.done += 1

    p = holding("\ndef ksr_request_route(self, msg):\n    return 1\n\ndef ksr_tick(self, msg):\n    return 1\n")
    p.hold("ksr_tick", once=True)
    first, second = Work(p), Work(p)
    p.proxy.after(0.1, first.do)
    p.proxy.after(0.2, second.do)
    p.proxy.after(0.3, first.do)
    p.advance(0.5)
    assert len(p.held) == 1 and (first.done, second.done) == (0, 1)
    p.release(p.held[0])
    assert (first.done, second.done) == (2, 1)


def test_so_many_wait_at_most(holding: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrcore.debug.holds.MAX_WAITING", 2)
    p = holding()
    (invite,) = [s for s in p.feed(request("INVITE")) if s.dest.ip == BOB]
    p.hold("ksr_onreply", once=True)
    for code in (180, 181, 182, 183):
        p.feed(reply(invite, code), BOB)
    assert len(p.held[0].of.queue) == 2
    assert p.proxy.recorder.records[-1].error == "2 messages wait behind message 4, which is held: ignored"
