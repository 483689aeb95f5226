"""CANCEL and its races."""

from collections.abc import Callable

import pytest

from tm.playbook import ALICE, BOB, Playbook, firsts, reply, request

Play = Callable[..., Playbook]

SCRIPT = """
def ksr_request_route(self, msg):
    if KSR.is_CANCEL():
        if KSR.tm.t_check_trans() > 0:
            KSR.tm.t_relay()
        return 1
    if KSR.tm.t_check_trans() == 0:
        return 1
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_relay()
    return 1

def ksr_failure(self, msg):
    KSR.info("canceled %d" % KSR.tm.t_is_canceled())
    if KSR.tm.t_is_canceled() > 0:
        KSR.seturi("sip:other@10.0.0.9")
        KSR.info("relayed %d" % KSR.tm.t_relay())
    return 1
"""
ACK = f"{BOB} ACK sip:bob@{BOB} SIP/2.0"
CANCEL = f"{BOB} CANCEL sip:bob@{BOB} SIP/2.0"
CANCELING = f"{ALICE} SIP/2.0 200 canceling"


def test_ringing(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    cancel, ok = p.feed(request("CANCEL", extra="Reason: SIP;cause=600\nReason: Q.850;cause=16\n"))
    assert ok.first == "SIP/2.0 200 canceling"
    assert ok.header("CSeq") == ["1 CANCEL"]
    assert cancel.branch == invite.branch
    assert cancel.header("Reason") == ["SIP;cause=600", "Q.850;cause=16"]
    assert cancel.header("Via") == [invite.header("Via")[0]]
    assert p.feed(reply(cancel, 200), BOB) == []
    assert firsts(p.feed(reply(invite, 487, "Gone"), BOB)) == [ACK, f"{ALICE} SIP/2.0 487 Gone"]
    # No new branch for a cancelled call (E_CANCELED).
    assert "canceled 1" in caplog.text and "relayed -1" in caplog.text
    p.feed(request("ACK", to_tag="b"))
    p.advance(6)
    assert p.transactions == 0


def test_before_any_reply(play: Play) -> None:
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    assert firsts(p.feed(request("CANCEL"))) == [CANCELING]
    assert firsts(p.advance(0.6)) == [f"{BOB} INVITE sip:bob@{BOB} SIP/2.0"]
    assert firsts(p.feed(reply(invite, 180), BOB)) == [CANCEL]
    assert firsts(p.feed(reply(invite, 487, "Gone"), BOB)) == [ACK, f"{ALICE} SIP/2.0 487 Gone"]


def test_before_any_reply_and_none_comes(play: Play) -> None:
    p = play(SCRIPT)
    p.feed(request("INVITE"))
    p.feed(request("CANCEL"))
    assert f"{ALICE} SIP/2.0 487 Request Terminated" in firsts(p.advance(30.1))


def test_cancel_b_method_0(play: Play) -> None:
    p = play(SCRIPT, modparams=["tm:cancel_b_method=0"])
    invite = p.feed(request("INVITE"))[1]
    assert firsts(p.feed(request("CANCEL"))) == [f"{ALICE} SIP/2.0 487 Request Terminated", CANCELING]
    assert [x for x in firsts(p.advance(3)) if BOB in x] == []
    # The risk of this method: the callee answers all the same.
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]


def test_cancel_b_method_2(play: Play) -> None:
    p = play(SCRIPT, modparams=["tm:cancel_b_method=2"])
    invite = p.feed(request("INVITE"))[1]
    assert firsts(p.feed(request("CANCEL"))) == [CANCEL, CANCELING]
    assert firsts(p.advance(0.6)) == [CANCEL]
    assert firsts(p.feed(reply(invite, 487, "Gone"), BOB)) == [ACK, f"{ALICE} SIP/2.0 487 Gone"]


def test_crosses_the_answer(play: Play) -> None:
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.feed(request("CANCEL"))
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]


def test_after_the_answer(play: Play) -> None:
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 200, "OK"), BOB)
    assert firsts(p.feed(request("CANCEL"))) == [f"{ALICE} SIP/2.0 200 ok -- no more pending branches"]


def test_retransmitted_cancel(play: Play) -> None:
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.feed(request("CANCEL"))
    assert firsts(p.feed(request("CANCEL"))) == [CANCELING]
    p.feed(reply(invite, 487), BOB)
    p.feed(request("ACK", to_tag="b"))
    p.advance(10)
    assert p.transactions == 0


def test_no_487_comes(play: Play) -> None:
    p = play(SCRIPT)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.feed(request("CANCEL"))
    sent = p.advance(31)
    assert firsts(sent) == [CANCEL] * 9  # for 64*T1
    assert f"{ALICE} SIP/2.0 487 Request Terminated" in firsts(p.advance(90))


def test_unknown_call(play: Play) -> None:
    assert play(SCRIPT).feed(request("CANCEL")) == []
    relay = "def ksr_request_route(self, msg):\n    KSR.tm.t_relay()\n    return 1\n"
    for mode, count, kept in ((0, 1, 1), (1, 1, 0), (2, 0, 0)):
        p = play(relay, modparams=[f"tm:unmatched_cancel={mode}"])
        assert len(p.feed(request("CANCEL"))) == count
        assert p.transactions == kept


def test_reasons_can_be_left_out(play: Play) -> None:
    for params in (["tm:e2e_cancel_reason=0"], []):
        off = "KSR.tm.t_set_no_e2e_cancel_reason(1)\n    KSR.tm.t_on"
        script = SCRIPT if params else SCRIPT.replace("KSR.tm.t_on", off, 1)
        p = play(script, modparams=params)
        invite = p.feed(request("INVITE"))[1]
        p.feed(reply(invite, 180), BOB)
        assert p.feed(request("CANCEL", extra="Reason: SIP;cause=600\n"))[1].header("Reason") == []


def test_while_the_name_is_looked_up(play: Play) -> None:
    p = play(SCRIPT)
    asked = []
    p.proxy.resolve = lambda host, port, proto, done: asked.append(done)
    p.feed(request("INVITE", uri="sip:bob@example.org"))
    sent = p.feed(request("CANCEL", uri="sip:bob@example.org"))
    assert firsts(sent) == [f"{ALICE} SIP/2.0 487 Request Terminated", CANCELING]
    asked[0]([("udp", BOB, 5060)])
    assert p.take() == []
