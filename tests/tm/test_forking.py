"""Forking, best reply, serial steps, failure and branch routes (select.py, replies.py)."""

from collections.abc import Callable

import pytest

from ksrcore.tm.select import priority
from tm.playbook import ALICE, BOB, Playbook, Sent, firsts, reply, request

Play = Callable[..., Playbook]
CAROL = "10.0.0.4"

FORK = """
def ksr_request_route(self, msg):
    if not KSR.is_CANCEL():
        KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    KSR.tm.t_relay()
    return 1
"""


def final(sent: list[Sent]) -> list[str]:
    return [s.first for s in sent if s.dest.ip == ALICE]


# Each line measured on Kamailio 5.6.3, for both orders.
@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (404, 486, 404), (500, 404, 404), (503, 404, 404), (503, 500, 500), (302, 401, 302), (603, 404, 603),
        (415, 404, 415), (420, 484, 420), (408, 404, 404), (480, 503, 480), (488, 415, 415), (491, 403, 403),
        (302, 604, 604),
    ],
)  # fmt: skip
def test_best_reply(play: Play, first: int, second: int, winner: int) -> None:
    for codes in ((first, second), (second, first)):
        p = play(FORK)
        bob, carol = p.feed(request("OPTIONS"))
        assert (bob.dest.ip, carol.dest.ip) == (BOB, CAROL)
        assert p.feed(reply(bob, codes[0], "R"), BOB) == []
        assert [x.split()[1] for x in final(p.feed(reply(carol, codes[1], "R"), CAROL))] == [str(winner)]


def test_priorities_are_kamailios() -> None:
    order = sorted([603, 300, 401, 484, 400, 486, 500, 504], key=priority)
    assert order == [603, 300, 401, 484, 400, 486, 500, 504]
    assert priority(408, faked=True, faked_prio=2000) > priority(500)


def test_received_replies_win_over_a_faked_408(play: Play) -> None:
    for prio, winner in ((0, "SIP/2.0 408 Request Timeout"), (2000, "SIP/2.0 480 R")):
        p = play(FORK, modparams=[f"tm:faked_reply_prio={prio}"])
        bob, _ = p.feed(request("OPTIONS"))
        p.feed(reply(bob, 480, "R"), BOB)
        assert final(p.advance(30.5)) == [winner]


def test_challenges_are_merged(play: Play) -> None:
    p = play(FORK)
    bob, carol = p.feed(request("OPTIONS"))
    p.feed(reply(bob, 407, extra='Proxy-Authenticate: Digest realm="b"\r\n'), BOB)
    (sent,) = p.feed(reply(carol, 401, extra='WWW-Authenticate: Digest realm="c"\r\n'), CAROL)
    assert sent.first == "SIP/2.0 401 Unauthorized"
    assert sent.header("Proxy-Authenticate") == ['Digest realm="b"']
    assert sent.header("WWW-Authenticate") == ['Digest realm="c"']
    p = play(FORK, modparams=["tm:aggregate_challenges=0"])
    bob, carol = p.feed(request("OPTIONS"))
    p.feed(reply(bob, 407, "P", extra='Proxy-Authenticate: Digest realm="b"\r\n'), BOB)
    (sent,) = p.feed(reply(carol, 401, "U", extra='WWW-Authenticate: Digest realm="c"\r\n'), CAROL)
    assert (sent.first, sent.header("Proxy-Authenticate")) == ("SIP/2.0 401 U", [])


def test_2xx_cancels_the_others(play: Play) -> None:
    p = play(FORK)
    _, bob, carol = p.feed(request("INVITE"))
    p.feed(reply(bob, 180), BOB)
    ok, cancel = p.feed(reply(carol, 200, "OK"), CAROL)
    assert (ok.dest.ip, ok.first) == (ALICE, "SIP/2.0 200 OK")
    assert cancel.plain == (
        "CANCEL sip:bob@10.0.0.3 SIP/2.0\n"
        "Via: SIP/2.0/UDP 10.0.0.1;branch=OURS.0\n"
        "From: <sip:alice@example.com>;tag=a\n"
        "To: <sip:bob@example.com>\n"
        "Call-ID: call\n"
        "CSeq: 1 CANCEL\n"
        "Max-Forwards: 70\n"
        "Content-Length: 0\n"
        'Reason: SIP;cause=200;text="Call completed elsewhere"\n\n'
    )
    assert cancel.branch == bob.branch
    assert firsts(p.advance(0.6)) == [f"{BOB} CANCEL sip:bob@10.0.0.3 SIP/2.0"]
    assert p.feed(reply(cancel, 200), BOB) == []
    assert p.advance(2) == []
    assert firsts(p.feed(reply(bob, 487), BOB)) == [f"{BOB} ACK sip:bob@10.0.0.3 SIP/2.0"]


def test_late_ringing_of_a_lost_branch_is_cancelled(play: Play) -> None:
    p = play(FORK)
    _, bob, carol = p.feed(request("INVITE"))
    assert firsts(p.feed(reply(carol, 200, "OK"), CAROL)) == [f"{ALICE} SIP/2.0 200 OK"]
    assert p.advance(1) == []  # it is not retransmitted any more
    assert firsts(p.feed(reply(bob, 180), BOB)) == [f"{BOB} CANCEL sip:bob@10.0.0.3 SIP/2.0"]


def test_both_answer(play: Play) -> None:
    p = play(FORK)
    _, bob, carol = p.feed(request("INVITE"))
    assert final(p.feed(reply(carol, 200, "Carol"), CAROL)) == ["SIP/2.0 200 Carol"]
    assert final(p.feed(reply(bob, 200, "Bob"), BOB)) == ["SIP/2.0 200 Bob"]


def test_6xx_cancels_the_others_and_waits(play: Play) -> None:
    p = play(FORK)
    _, bob, carol = p.feed(request("INVITE"))
    p.feed(reply(bob, 180), BOB)
    sent = p.feed(reply(carol, 603, "Decline"), CAROL)
    assert firsts(sent) == [f"{CAROL} ACK sip:carol@10.0.0.4 SIP/2.0", f"{BOB} CANCEL sip:bob@10.0.0.3 SIP/2.0"]
    assert sent[1].header("Reason") == ["SIP;cause=603"]
    assert final(p.feed(reply(bob, 487), BOB)) == ["SIP/2.0 603 Decline"]


def test_disable_6xx_block(play: Play) -> None:
    p = play(FORK, modparams=["tm:disable_6xx_block=1"])
    _, bob, carol = p.feed(request("INVITE"))
    p.feed(reply(bob, 180), BOB)
    assert firsts(p.feed(reply(carol, 603), CAROL)) == [f"{CAROL} ACK sip:carol@10.0.0.4 SIP/2.0"]


SERIAL = """
def ksr_request_route(self, msg):
    self.seen = []
    KSR.setflag(5)
    KSR.hdr.append("X-Main: 1\\r\\n")
    KSR.pv.sets("$avp(x)", "kept")
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_relay()
    return 1

def ksr_failure(self, msg):
    pv = KSR.pv
    self.seen.append((pv.get("$ru"), pv.get("$T_reply_code"), KSR.tm.t_branch_timeout(), KSR.isflagset(5),
        pv.get("$avp(x)"), KSR.tmx.t_is_failure_route(), KSR.tm.t_check_status("4[0-9][0-9]")))
    KSR.info(repr(self.seen))
    code = pv.get("$T_reply_code")
    if code == 404:
        KSR.seturi("sip:carol@10.0.0.4")
        KSR.hdr.append("X-Second: 1\\r\\n")
        KSR.tm.t_on_failure("ksr_failure")
        KSR.tm.t_relay()
    elif code == 486:
        KSR.tm.t_reply(480, "Own")
    elif code == 480:
        KSR.tm.t_relay()
    return 1
"""


def test_serial_forking(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    p = play(SERIAL)
    _, bob = p.feed(request("INVITE"))
    sent = p.feed(reply(bob, 404), BOB)
    assert firsts(sent) == [f"{BOB} ACK sip:bob@10.0.0.3 SIP/2.0", f"{CAROL} INVITE sip:carol@10.0.0.4 SIP/2.0"]
    carol = sent[1]
    assert carol.branch.endswith(".1")
    assert (carol.header("X-Main"), carol.header("X-Second")) == (["1"], ["1"])
    # failure_reply_mode 3: the 404 of the first step is forgotten, and the script answers the 486 itself.
    assert firsts(p.feed(reply(carol, 486), CAROL)) == [
        f"{CAROL} ACK sip:carol@10.0.0.4 SIP/2.0",
        f"{ALICE} SIP/2.0 480 Own",
    ]


def test_failure_route_that_adds_nothing(play: Play) -> None:
    p = play(SERIAL)
    _, bob = p.feed(request("INVITE"))
    assert final(p.feed(reply(bob, 480, "Away"), BOB)) == ["SIP/2.0 480 Away"]


def test_failure_route_after_a_timeout(play: Play) -> None:
    p = play(SERIAL)
    p.feed(request("OPTIONS"))
    assert final(p.advance(31)) == ["SIP/2.0 408 Request Timeout"]


@pytest.mark.parametrize(("mode", "winner"), [(0, "404"), (1, "500"), (2, "500"), (3, "500")])
def test_failure_reply_mode(play: Play, mode: int, winner: str) -> None:
    p = play(SERIAL, modparams=[f"tm:failure_reply_mode={mode}"])
    (bob,) = p.feed(request("OPTIONS"))
    (carol,) = p.feed(reply(bob, 404), BOB)
    sent = p.feed(reply(carol, 500), CAROL)
    # Mode 0 brings the 404 to the second failure route, which adds a third branch.
    assert (sent[0].first.split()[1] if sent[0].dest.ip == ALICE else "404") == winner


BRANCHES = """
def ksr_request_route(self, msg):
    KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_reply("ksr_reply_all")
    KSR.tm.t_relay()
    return 1

def ksr_branch(self, msg):
    KSR.hdr.append("X-Branch: %d %s\\r\\n" % (KSR.pv.get("$T_branch_idx"), KSR.pv.get("$rU")))
    if KSR.pv.get("$rU") == "carol":
        KSR.tm.t_on_reply("ksr_reply_carol")
    if KSR.pv.get("$rU") == "bob" and KSR.pv.get("$ci") == "drop":
        KSR.set_drop()
    return 1

def ksr_reply_all(self, msg):
    KSR.hdr.append("X-Reply: all\\r\\n")
    if KSR.pv.get("$rs") == 183:
        KSR.set_drop()
    return 1

def ksr_reply_carol(self, msg):
    KSR.hdr.append("X-Reply: carol\\r\\n")
    return 1
"""


def test_branch_routes_edit_their_branch_alone(play: Play) -> None:
    p = play(BRANCHES)
    bob, carol = p.feed(request("OPTIONS"))
    assert bob.header("X-Branch") == ["0 bob"]
    assert carol.header("X-Branch") == ["1 carol"]
    p.feed(reply(bob, 480), BOB)
    (sent,) = p.feed(reply(carol, 200), CAROL)
    assert sent.header("X-Reply") == ["carol"]


def test_dropped_branches(play: Play) -> None:
    p = play(BRANCHES)
    (carol,) = p.feed(request("OPTIONS", callid="drop"))
    assert carol.dest.ip == CAROL
    alone = play(BRANCHES.replace('    KSR.corex.append_branch_uri("sip:carol@10.0.0.4")\n', ""))
    assert firsts(alone.feed(request("OPTIONS", callid="drop"))) == [
        f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (6/TM)"
    ]


def test_onreply_route_edits_and_drops(play: Play) -> None:
    p = play(BRANCHES)
    _, bob, carol = p.feed(request("INVITE"))
    assert p.feed(reply(bob, 183), BOB) == []
    (ringing,) = p.feed(reply(bob, 180), BOB)
    assert ringing.header("X-Reply") == ["all"]


BRANCH_FAILURE = """
def ksr_request_route(self, msg):
    KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    KSR.tm.t_on_branch_failure("ksr_bf")
    KSR.tm.t_relay()
    return 1

def ksr_bf(self, msg):
    if KSR.tm.t_check_status("430") > 0:
        KSR.tmx.t_reuse_branch()
        KSR.hdr.append("X-Again: 1\\r\\n")
        KSR.tm.t_relay()
    return 1
"""


def test_branch_failure_route_may_try_again(play: Play) -> None:
    p = play(BRANCH_FAILURE)
    bob, carol = p.feed(request("OPTIONS"))
    (again,) = p.feed(reply(bob, 430), BOB)
    assert (again.dest.ip, again.header("X-Again"), again.branch[-2:]) == (BOB, ["1"], ".2")
    assert p.feed(reply(carol, 404), CAROL) == []
    assert final(p.feed(reply(again, 200), BOB)) == ["SIP/2.0 200 Reason"]


CONTACTS = """
def ksr_request_route(self, msg):
    KSR.seturi("sip:a@10.0.0.5")
    KSR.corex.append_branch_uri_q("sip:b@10.0.0.6", "0.5")
    KSR.corex.append_branch_uri_q("sip:c@10.0.0.7", "0.5")
    KSR.corex.append_branch_uri_q("sip:d@10.0.0.8", "1.0")
    KSR.tm.t_load_contacts()
    KSR.tm.t_next_contacts()
    KSR.tm.t_on_failure("ksr_next")
    KSR.tm.t_relay()
    return 1

def ksr_next(self, msg):
    if KSR.tm.t_next_contacts() < 0:
        return 1
    KSR.tm.t_on_failure("ksr_next")
    KSR.tm.t_relay()
    return 1
"""


def test_contacts_by_q(play: Play) -> None:
    p = play(CONTACTS, modparams=["tm:contacts_avp=tm_contacts", "tm:contact_flows_avp=tm_flows"])
    (d,) = p.feed(request("OPTIONS"))
    assert d.first.split()[1] == "sip:d@10.0.0.8"
    b, c = p.feed(reply(d, 404), "10.0.0.8")
    assert {b.first.split()[1], c.first.split()[1]} == {"sip:b@10.0.0.6", "sip:c@10.0.0.7"}
    p.feed(reply(b, 404), b.dest.ip)
    (a,) = p.feed(reply(c, 404), c.dest.ip)
    assert a.first.split()[1] == "sip:a@10.0.0.5"
    assert final(p.feed(reply(a, 486), a.dest.ip)) == ["SIP/2.0 486 Reason"]


def test_unknown_callbacks_are_named(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    p = play(
        "def ksr_request_route(self, msg):\n    KSR.tm.t_on_failure('no_such')\n    KSR.tm.t_relay()\n    return 1\n"
    )
    p.feed(request("OPTIONS"))
    assert "t_on_failure('no_such'): the script has no callback of that name" in caplog.text


def test_a_branch_route_sees_the_branches_and_appends_one(play: Play) -> None:
    p = play(
        """
def ksr_request_route(self, msg):
    KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_relay()
    KSR.log("info", "after")
    return 1

def ksr_branch(self, msg):
    if KSR.pv.get("$T_branch_idx") == 0:
        KSR.corex.append_branch_uri("sip:dave@10.0.0.5")
    KSR.hdr.append("X-Seen: %s\\r\\n" % KSR.pv.get("$branch(count)"))
    return 1
"""
    )
    sent = [s for s in p.feed(request("INVITE")) if s.first.startswith("INVITE")]
    assert [s.to.partition(":")[0] for s in sent][1:] == ["10.0.0.4", "10.0.0.5"]
    assert [s.header("X-Seen") for s in sent] == [["2"], ["2"], ["2"]]
