"""How a held message ends: dropped or answered."""

from __future__ import annotations

import pytest

from debug.holding import Holdings, to_bob
from ksrcore.debug.errors import DebugError
from tm.playbook import ALICE, BOB, firsts, reply, request


@pytest.mark.parametrize("where", ["ksr_request_route", "ksr_route_relay", "KSR.tm.t_relay", "ksr_branch"])
def test_dropped_before_it_was_relayed(holding: Holdings, where: str) -> None:
    p = holding()
    p.hold(where)
    p.feed(request("INVITE"))
    p.holds.drop(p.held[0])
    assert p.take() == [] and p.advance(10.0) == []
    assert p.transactions == 0 and p.held == []
    assert p.reasons() == ["dropped"]
    record = next(iter(p.proxy.recorder))
    assert all(run.exited for run in record.runs)


def test_dropping_a_failure_and_replies(holding: Holdings) -> None:
    p = holding(modparams=["tm:wt_timer=1000"])
    hold = p.hold("ksr_failure")
    _, invite = p.feed(request("INVITE"))
    p.feed(reply(invite, 486), BOB)
    p.holds.drop(p.held[0])
    assert p.take() == [] and p.advance(3.0) == [] and p.transactions == 0
    p.holds.disarm(hold.id)
    p.hold("ksr_onreply")
    _, invite = p.feed(request("INVITE", branch="z9hG4bK2"))
    p.feed(reply(invite, 180), BOB)
    p.holds.drop(p.held[0])
    assert p.take() == []
    p.feed(reply(invite, 200), BOB)
    p.holds.drop(p.held[0])
    assert p.take() == [] and p.advance(3.0) == [] and p.transactions == 0


@pytest.mark.parametrize("where", ["ksr_request_route", "KSR.tm.t_relay", "ksr_branch"])
def test_answered(holding: Holdings, where: str) -> None:
    p = holding()
    p.hold(where)
    p.feed(request("INVITE"))
    p.holds.answer(p.held[0], 486, "Busy Here")
    (busy,) = p.take()
    assert firsts([busy]) == [f"{ALICE} SIP/2.0 486 Busy Here"]
    p.holds.disarm(1)
    p.feed(request("ACK", to_tag=busy.header("To")[0].partition("tag=")[2]))
    assert to_bob(p.advance(10.0)) == []
    assert p.transactions == 0 and p.reasons() == ["answered"]


def test_answered_while_it_rings_or_after_it_failed(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_onreply", once=True)
    _, invite = p.feed(request("INVITE"))
    p.feed(reply(invite, 180), BOB)
    p.holds.answer(p.held[0], 480, "Gone")
    assert firsts(p.take()) == [f"{ALICE} SIP/2.0 480 Gone", f"{BOB} CANCEL sip:bob@{BOB} SIP/2.0"]
    p.hold("ksr_failure", once=True)
    _, invite = p.feed(request("INVITE", branch="z9hG4bK2", callid="second"))
    p.feed(reply(invite, 486), BOB)
    p.holds.answer(p.held[0], 600, "Busy Everywhere")
    assert firsts(p.take()) == [f"{ALICE} SIP/2.0 600 Busy Everywhere"]


def test_what_cannot_be_answered(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_request_route")
    p.feed(request("ACK", to_tag="t"))
    with pytest.raises(DebugError, match="ACK cannot be answered"):
        p.holds.answer(p.held[0], 200, "OK")
    with pytest.raises(DebugError, match="final reply, 200 to 699, got 180"):
        p.holds.answer(p.held[0], 180, "Ringing")
    assert to_bob(p.release(p.held[0])) == [f"ACK sip:bob@{BOB} SIP/2.0"]


def test_a_script_that_catches_its_end_does_nothing_more(holding: Holdings) -> None:
    p = holding(
        """
def ksr_request_route(self, msg):
    try:
        user = KSR.pv.get("$rU")
        KSR.info("here")
    except:
        pass
    KSR.sl.send_reply(404, "Not Found")
    return 1
"""
    )
    p.hold("KSR.info")
    p.feed(request("INVITE"))
    p.take()
    p.holds.drop(p.held[0])
    assert p.take() == [] and p.reasons() == ["dropped"]
