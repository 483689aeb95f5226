"""t_suspend() and t_continue()."""

from collections.abc import Callable

from tm.playbook import ALICE, BOB, Playbook, firsts, reply, request

Play = Callable[..., Playbook]

SCRIPT = """
def ksr_request_route(self, msg):
    user = KSR.pv.get("$rU")
    if KSR.is_CANCEL():
        KSR.tm.t_relay()
    elif user == "go":
        result = KSR.tmx.t_continue(self.index, self.label, KSR.pv.get("$hdr(X-Route)"))
        KSR.sl.sl_send_reply(200 if result > 0 else 481, "R")
    else:
        KSR.hdr.append("X-Before: 1\\r\\n")
        KSR.tmx.t_suspend()
        self.index, self.label = KSR.pv.get("$T(id_index)"), KSR.pv.get("$T(id_label)")
    return 1

def ksr_relay(self, msg):
    KSR.hdr.append("X-After: %s\\r\\n" % KSR.pv.get("$si"))
    KSR.tm.t_relay()
    return 1

def ksr_answer(self, msg):
    KSR.tm.t_reply(404, "Nobody")
    return 1

def ksr_nothing(self, msg):
    return 1
"""


def go(p: Playbook, route: str, n: int = 1) -> list[str]:
    text = request("OPTIONS", uri="sip:go@x", branch=f"z9hG4bKgo{n}", callid=f"go{n}", extra=f"X-Route: {route}\n")
    return firsts(p.feed(text))


def test_relay_later(play: Play) -> None:
    p = play(SCRIPT)
    trying = [f"{ALICE} SIP/2.0 100 trying -- your call is important to us"]
    assert firsts(p.feed(request("INVITE"))) == trying
    assert firsts(p.feed(request("INVITE"))) == trying  # a retransmission is absorbed
    p.advance(3)
    sent = p.feed(request("OPTIONS", uri="sip:go@x", branch="z9hG4bKgo", callid="go", extra="X-Route: ksr_relay\n"))
    assert firsts(sent) == [
        f"{BOB} INVITE sip:bob@{BOB} SIP/2.0",
        f"{ALICE} SIP/2.0 200 R",
    ]
    invite = sent[0]
    assert invite.branch.endswith(".1")
    assert (invite.header("X-Before"), invite.header("X-After")) == (["1"], [ALICE])
    assert firsts(p.feed(reply(invite, 486, "Busy"), BOB))[1] == f"{ALICE} SIP/2.0 486 Busy"
    assert go(p, "ksr_relay", 2) == [f"{ALICE} SIP/2.0 481 R"]


def test_reply_later(play: Play) -> None:
    p = play(SCRIPT)
    p.feed(request("OPTIONS"))
    assert go(p, "ksr_answer") == [f"{ALICE} SIP/2.0 404 Nobody", f"{ALICE} SIP/2.0 200 R"]
    p.advance(6)
    assert p.transactions == 0


def test_the_route_does_nothing(play: Play) -> None:
    p = play(SCRIPT)
    p.feed(request("OPTIONS"))
    assert go(p, "ksr_nothing")[0] == f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (1/TM)"


def test_nobody_goes_on(play: Play) -> None:
    p = play(SCRIPT)
    p.feed(request("OPTIONS"))
    assert firsts(p.advance(30.1)) == [f"{ALICE} SIP/2.0 408 Request Timeout"]
    p.advance(6)
    assert p.transactions == 0


def test_cancelled_meanwhile(play: Play) -> None:
    p = play(SCRIPT)
    p.feed(request("INVITE"))
    assert firsts(p.feed(request("CANCEL"))) == [
        f"{ALICE} SIP/2.0 487 Request canceled",
        f"{ALICE} SIP/2.0 200 ok -- no more pending branches",
    ]
    assert go(p, "ksr_relay") == [f"{ALICE} SIP/2.0 200 R"]


REPLY = """
def ksr_request_route(self, msg):
    if KSR.pv.get("$rU") == "go":
        KSR.tmx.t_continue(self.index, self.label, "ksr_later")
        return 1
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_relay()
    return 1

def ksr_onreply(self, msg):
    KSR.tmx.t_suspend()
    self.index, self.label = KSR.pv.get("$T(id_index)"), KSR.pv.get("$T(id_label)")
    return 1

def ksr_later(self, msg):
    KSR.hdr.append("X-Later: %s\\r\\n" % KSR.pv.get("$rs"))
    return 1
"""


def test_reply_suspended(play: Play) -> None:
    p = play(REPLY)
    (sent,) = p.feed(request("OPTIONS"))
    assert p.feed(reply(sent, 200, "OK"), BOB) == []
    (back,) = p.feed(request("INFO", uri="sip:go@x", branch="z9hG4bKgo"))
    assert (back.first, back.header("X-Later")) == ("SIP/2.0 200 OK", ["200"])
