"""What results say, and what they say when an assertion fails."""

from __future__ import annotations

import pytest

from ksrshell.testing import NotThere, UsageError
from shell.testing.routers import REFUSE, Load

EDITS = """
def ksr_request_route(self, msg):
    KSR.hdr.append("X-New: 1\\r\\n")
    KSR.hdr.remove("X-Old")
    KSR.setflag(5)
    KSR.setbflag(2)
    KSR.setdsturi("sip:10.0.0.9:5070")
    KSR.seturi("sip:carol@10.0.0.2;transport=udp")
    KSR.warn("edited\\n")
    if KSR.is_INVITE():
        KSR.tm.t_relay()
    return 1
"""


def test_what_became_of_a_relayed_request(load: Load) -> None:
    ksr = load(EDITS)
    r = ksr.route(ksr.request(headers={"X-Old": "2"}))
    assert r.ruri == "sip:carol@10.0.0.2;transport=udp"
    assert r.dst == "sip:10.0.0.9:5070"
    assert r.flags == {5} and r.bflags == {2}
    assert r.headers_added == {"X-New": "1"} and r.headers_removed == {"x-old": "2"}
    assert r.logged("edited", "WARNING") and not r.logged("edited", "ERROR")
    assert r.value == 1 and not r.dropped
    for target in ("sip:carol@10.0.0.2", "sip:carol@10.0.0.2:5060;transport=udp", "10.0.0.9", "udp:10.0.0.9:5070"):
        assert r.relayed_to(target), target
    for target in ("sip:bob@10.0.0.2", "sip:carol@10.0.0.2;lr", "10.0.0.2", "10.0.0.9:5060", "tcp:10.0.0.9:5070", "?"):
        assert not r.relayed_to(target), target


def test_without_a_relayed_request_the_edits_are_those_it_would_have(load: Load) -> None:
    r = (ksr := load(EDITS)).route(ksr.request("OPTIONS", headers={"X-Old": "2"}))
    assert r.dropped and r.headers_added == {"X-New": "1"} and "X-Old" in r.headers_removed


def test_calls(load: Load) -> None:
    r = (ksr := load(REFUSE)).route(ksr.request())
    assert repr(r.ksr_calls) == "[KSR.sl.send_reply(404, 'Not here') -> 1]"
    assert r.called("KSR.sl.send_reply") and r.called("sl.send_reply", 404, "Not here")
    assert not r.called("KSR.sl.send_reply", 403)
    with pytest.raises(UsageError, match="nearest: KSR.sl.send_reply"):
        r.called("KSR.sl.sendreply")
    (call,) = r.ksr_calls
    assert (call.function, call.line, call.result) == ("ksr_request_route", 6, 1)


def test_questions_answered_no_say_what_happened_instead(load: Load) -> None:
    r = (ksr := load(REFUSE)).route(ksr.request())
    assert repr(r.replied(403)) == "<not replied 403; replied 404 Not here>"
    assert repr(r.replied(404, "No")) == "<not replied 404 'No'; replied 404 Not here>"
    assert repr(r.relayed_to("10.0.0.2")) == "<not relayed to 10.0.0.2; replied 404 Not here>"
    assert "KSR.sl.send_reply(404, 'Not here') -> 1" in repr(r.called("KSR.sl.send_reply", 500))
    assert repr(r.called("KSR.tm.t_relay")) == "<not called KSR.tm.t_relay; 1 other KSR calls were made>"
    assert repr(r.ran("ksr_failure")) == "<not ran ksr_failure; callbacks: ksr_request_route>"
    assert repr(r.replied) == "<replied 404 Not here>"
    r = (ksr := load()).route(ksr.request(uri="sip:bob@10.0.0.2"))
    assert repr(r.replied(404)) == (
        "<not replied 404; replied 100; relayed INVITE sip:bob@10.0.0.2 to udp:10.0.0.2:5060>"
    )
    quiet = ksr.advance(0.1)
    assert not quiet.replied and repr(quiet.replied) == "<no reply>"
    with pytest.raises(NotThere, match="there is no reply: nothing was sent"):
        _ = quiet.reply
    assert r.relayed[0].headers.get("Subject") is None
    with pytest.raises(KeyError, match="no header field 'Subject'; there are: Via, Max-Forwards"):
        _ = r.relayed[0].headers["Subject"]


def test_the_trace_has_lines_calls_callbacks_and_what_was_sent(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            self.relay("ksr_branch")
            return 1

        def relay(self, name):
            for number in (1, 2):
                KSR.dbg("number " + str(number))
            KSR.tm.t_on_branch(name)
            KSR.tm.t_relay()

        def ksr_branch(self, msg):
            KSR.x.exit()
        """
    )
    assert ksr.route(ksr.request(uri="sip:bob@10.0.0.2")).trace.splitlines() == [
        "1. INVITE sip:bob@10.0.0.2 from udp:10.0.0.1:5060",
        "   ksr_request_route(msg): request route for INVITE sip:bob@10.0.0.2  [router.py]",
        '       6  self.relay("ksr_branch")',
        "          in relay:",
        "      10    for number in (1, 2):",
        "      11    KSR.dbg(\"number \" + str(number))  | dbg('number 1') -> None",
        "      10    for number in (1, 2):",
        "      11    KSR.dbg(\"number \" + str(number))  | dbg('number 2') -> None",
        "      10    for number in (1, 2):",
        "      12    KSR.tm.t_on_branch(name)          | tm.t_on_branch('ksr_branch') -> 1",
        "      13    KSR.tm.t_relay()                  | tm.t_relay() -> 1",
        "                => replied 100 trying -- your call is important to us to udp:10.0.0.1:5060",
        "                ksr_branch(msg): branch route for INVITE sip:bob@10.0.0.2  [router.py]",
        "                   16  KSR.x.exit()  | x.exit() -> exit",
        "                  exit",
        "                => relayed INVITE sip:bob@10.0.0.2 to udp:10.0.0.2:5060",
        "       7  return 1",
        "     returned 1",
    ]


def test_long_loops_are_folded(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            for number in range(5000):
                KSR.is_INVITE()
            [KSR.is_ACK() for number in range(100)]
            KSR.sl.send_reply(200, "OK")
            return 1
        """
    )
    r = ksr.route(ksr.request())
    assert len(r.ksr_calls) == 5101
    lines = r.trace.splitlines()
    assert len(lines) < 250 and any("more lines ..." in line for line in lines)
    assert any("=> replied 200 OK" in line for line in lines)
    r = load("def ksr_request_route(self, msg):\n    [KSR.is_ACK() for n in range(100)]").route(ksr.request())
    assert "... 88 more calls ..." in r.trace
