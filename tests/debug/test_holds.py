"""Live holds: the message waits, the others flow; every way out of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debug.holding import Holding
from ksrcore.debug.errors import DebugError
from tm.playbook import ALICE, BOB, Sent, firsts, reply, request

Make = Callable[..., Holding]
CAROL = "10.0.0.4"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Holding] = []

    def build(*args: Any, **options: Any) -> Holding:
        made.append(Holding(tmp_path, *args, **options))
        return made[-1]

    yield build
    for each in made:
        each.holds.close()
        assert each.proxy.debugger is None
        assert each.proxy.env.hook is None
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-hold")]


def to_bob(sent: list[Sent]) -> list[str]:
    return [s.first for s in sent if s.dest.ip == BOB]


def test_one_waits_and_the_others_flow(make: Make) -> None:
    p = make()
    p.hold("ksr_route_relay", if_='rU == "bob"')
    first = p.feed(request("INVITE"))
    assert firsts(first) == [f"{ALICE} SIP/2.0 100 Trying"]
    (held,) = p.held
    state = held.state()
    assert (state["function"], state["event"], state["live"], state["done"]) == ("ksr_route_relay", "line", True, False)
    assert state["why"] == "ksr_route_relay"
    other = p.feed(request("INVITE", f"sip:carol@{BOB}", branch="z9hG4bK2", callid="other"))
    trying = "SIP/2.0 100 trying -- your call is important to us"
    assert [s.first for s in other] == [trying, f"INVITE sip:carol@{BOB} SIP/2.0"]
    assert p.events[0][0] == "held" and p.events[0][1]["summary"]["method"] == "INVITE"
    after = p.release(held)
    assert firsts(after) == [f"{BOB} INVITE sip:bob@{BOB} SIP/2.0"], "and no second 100"
    assert p.reasons() == ["resumed"] and held.done
    assert p.held == []
    call = p.feed(reply(after[0], 200), BOB)
    assert firsts(call) == [f"{ALICE} SIP/2.0 200 Reason"]
    with pytest.raises(DebugError, match="waits no more: resumed"):
        p.holds.release(held, "again")


@pytest.mark.parametrize(
    ("where", "event", "function", "line"),
    [
        ("", "line", "ksr_request_route", 6),
        ("ksr_branch", "line", "ksr_branch", 20),
        ("7", "line", "ksr_request_route", 7),
        ("script.py:7", "line", "ksr_request_route", 7),
        ("ksr_route_relay:+2", "line", "ksr_route_relay", 12),
        ("KSR.tm.t_relay", "call", "ksr_route_relay", 15),
    ],
)
def test_places(make: Make, where: str, event: str, function: str, line: int) -> None:
    p = make()
    p.hold(where)
    p.feed(request("INVITE"))
    state = p.held[0].state()
    assert (state["event"], state["function"], state["line"]) == (event, function, line)
    assert to_bob(p.release(p.held[0])) == [f"INVITE sip:bob@{BOB} SIP/2.0"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("ksr_route_rely", "has no function 'ksr_route_rely'; did you mean 'ksr_route_relay'"),
        ("9", "line 9 of .* has no code; the next with code is 11"),
        ("999", "has no code; the last with code is"),
        ("other.py:3", "no file 'other.py' in the script; there is script.py"),
        ("ksr_branch:+9", "which has no code; the nearest with code is ksr_branch:\\+2"),
        ("KSR.tm.t_realy", "is no KSR function; nearest: .*KSR.tm.t_relay"),
        ("KSR.ims_charging.Ro_CCR", "does not implement this function yet"),
        ("what is this?", "is no place: name a function, a line"),
    ],
)
def test_places_that_are_none(make: Make, where: str, said: str) -> None:
    p = make()
    with pytest.raises(Exception, match=said):
        p.hold(where)
    assert p.proxy.debugger is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"if_": "method ="}, "cannot read the filter"),
        ({"if_": "nonsense == 1"}, "neither a field"),
        ({"hits": 0}, "hits is 1 or more"),
        ({"timeout": 31.0}, "longer than tm's fr_timer, 30 s"),
        ({"timeout": -1.0}, "in seconds"),
        ({"watch": "$nosuch"}, "cannot watch"),
        ({"watch": "two words"}, "expected a pseudo-variable"),
        ({"log": "text {"}, "without its end"),
        ({"log": "text }"}, "without its '{'"),
        ({"log": "{$nosuch}"}, "the log text has"),
    ],
)
def test_options_that_are_none(make: Make, options: dict[str, Any], said: str) -> None:
    p = make()
    with pytest.raises(Exception, match=said):
        p.hold("", **options)


def test_a_condition_on_what_the_script_makes(make: Make) -> None:
    p = make()
    p.hold("KSR.tm.t_relay", if_='method == "INVITE" and called("KSR.hdr.append")')
    p.hold("ksr_request_route", if_='called("KSR.hdr.append")')
    p.feed(request("INVITE"))
    assert [h.hold.id for h in p.held] == [1]


def test_hits_and_once(make: Make) -> None:
    p = make()
    hold = p.hold("ksr_request_route", hits=2, once=True)
    for n in range(4):
        p.feed(request("OPTIONS", branch=f"z9hG4bK{n}", callid=f"c{n}"))
    assert [h.state()["message"] for h in p.held] == [3]
    assert (hold.hits, hold.holds, hold.armed) == (2, 1, False)
    assert p.holds.armed == {}


def test_the_limit(make: Make) -> None:
    p = make()
    p.holds.limit = 2
    hold = p.hold("ksr_request_route")
    sent = [p.feed(request("OPTIONS", branch=f"z9hG4bK{n}", callid=f"c{n}")) for n in range(3)]
    assert [len(s) for s in sent] == [0, 0, 1]
    assert (hold.missed, p.holds.passed, len(p.held)) == (1, 1, 2)


def test_a_logpoint_stops_nothing(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    p = make()
    p.hold("ksr_route_relay:+5", log='{method} of {$fU} to {user} {$(ru{uri.host})} {{{hdr("Max-Forwards")}}} {msg}')
    with caplog.at_level("INFO", "ksrcore.hold"):
        sent = p.feed(request("INVITE"))
    assert to_bob(sent) == [f"INVITE sip:bob@{BOB} SIP/2.0"]
    (event,) = p.events
    assert event[0] == "log" and event[1]["place"] == "ksr_route_relay:15"
    assert event[1]["text"].startswith(f"INVITE of alice to <no user> {BOB} {{70}} <msg INVITE ")
    assert event[1]["text"] in caplog.text
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-hold")]


def test_a_watchpoint(make: Make) -> None:
    script = """
    def ksr_request_route(self, msg):
        KSR.setdsturi("sip:10.0.0.9")
        KSR.info("x")
        KSR.hdr.append("X-A: 1\\r\\n")
        KSR.setdsturi("sip:10.0.0.3")
        KSR.tm.t_relay()
        return 1
    """
    p = make("\n".join(line[4:] for line in script.splitlines()))
    p.hold(watch="$du")
    p.hold(watch="X-A")
    p.feed(request("INVITE"))
    (held,) = p.held
    whys = []
    while p.held:
        whys.append((p.held[0].state()["line"], p.held[0].why))
        p.release(p.held[0])
    assert whys == [
        (7, "$du changed: None -> 'sip:10.0.0.9'"),
        (9, "X-A changed: None -> '1'"),
        (10, "$du changed: 'sip:10.0.0.9' -> 'sip:10.0.0.3'"),
    ]
    with pytest.raises(DebugError, match="leave its where empty"):
        p.hold("ksr_request_route", watch="$du")


# -- what belongs to it waits or is absorbed --------------------------------------------------------------------------


def test_retransmissions_are_absorbed_before_there_is_a_transaction(make: Make) -> None:
    p = make()
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


def test_an_options_is_absorbed_silently(make: Make) -> None:
    p = make()
    p.hold("ksr_request_route")
    assert p.feed(request("OPTIONS")) == []
    assert p.feed(request("OPTIONS")) == []
    assert to_bob(p.release(p.held[0])) == [f"OPTIONS sip:bob@{BOB} SIP/2.0"]


def test_a_cancel_waits_for_its_invite(make: Make) -> None:
    p = make()
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


def test_replies_of_a_held_transaction_wait_in_order(make: Make) -> None:
    p = make()
    (trying, invite) = p.feed(request("INVITE"))
    p.hold("ksr_onreply", if_='status == 180 and method == "INVITE"')
    assert p.feed(reply(invite, 180), BOB) == []
    (held,) = p.held
    assert held.state()["route"] == "onreply"
    assert p.feed(reply(invite, 180), BOB) == [], "a repeated reply is absorbed"
    assert p.feed(reply(invite, 200), BOB) == []
    assert held.view()["waiting"] == ["200 to INVITE"] and held.of.absorbed == 1
    assert [s.first for s in p.release(held)] == ["SIP/2.0 180 Reason", "SIP/2.0 200 Reason"]


def test_a_reply_is_held_by_its_request(make: Make) -> None:
    p = make()
    _, invite = p.feed(request("INVITE"))
    _, other = p.feed(request("INVITE", f"sip:carol@{BOB}", branch="z9hG4bK2", callid="other"))
    p.hold("ksr_onreply", if_='rU == "bob"')
    assert p.feed(reply(invite, 180), BOB) == []
    assert firsts(p.feed(reply(other, 180), BOB)) == [f"{ALICE} SIP/2.0 180 Reason"]
    assert len(p.release(p.held[0])) == 1


def test_the_clock_of_its_transaction_stands_still(make: Make) -> None:
    p = make(modparams=["tm:fr_timer=10000"])
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


def test_retransmissions_begin_after_the_release(make: Make) -> None:
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
    p = make("\n".join(line[4:] for line in script.splitlines()))
    p.hold("ksr_onsend_route", hits=2, once=True)
    sent = p.feed(request("INVITE"))
    assert [s.first for s in sent if s.dest.ip != ALICE] == [f"INVITE sip:bob@{BOB} SIP/2.0"]
    assert p.feed(reply(sent[-1], 180), BOB) == []
    assert p.advance(6.0) == []
    after = p.release(p.held[0])
    assert firsts(after) == [f"{CAROL} INVITE sip:carol@10.0.0.4 SIP/2.0", f"{ALICE} SIP/2.0 180 Reason"]
    repeated = p.advance(0.7)
    assert firsts(repeated) == [f"{CAROL} INVITE sip:carol@10.0.0.4 SIP/2.0"]


# -- other routes -----------------------------------------------------------------------------------------------------


def test_a_failure_route_after_a_reply(make: Make) -> None:
    p = make()
    p.hold("ksr_failure")
    _, invite = p.feed(request("INVITE"))
    acked = p.feed(reply(invite, 486), BOB)
    assert [s.first for s in acked] == [f"ACK sip:bob@{BOB} SIP/2.0"]
    assert p.held[0].state()["route"] == "failure"
    assert firsts(p.release(p.held[0])) == [f"{ALICE} SIP/2.0 486 Reason"]


def test_a_failure_route_after_the_timeout(make: Make) -> None:
    p = make(modparams=["tm:fr_timer=2000"])
    p.hold("ksr_failure", if_='rU == "bob"')
    p.feed(request("INVITE"))
    sent = p.advance(2.1)
    assert not [s for s in sent if s.first.startswith("SIP/2.0 408")]
    (held,) = p.held
    assert held.state()["route"] == "failure"
    assert firsts(p.feed(request("INVITE"))) == [f"{ALICE} SIP/2.0 100 trying -- your call is important to us"]
    assert firsts(p.release(held)) == [f"{ALICE} SIP/2.0 408 Request Timeout"]


def test_an_exception_waits_where_it_was_raised(make: Make) -> None:
    script = """
    def ksr_request_route(self, msg):
        self.route(msg)

    def route(self, msg):
        name = "x"
        raise KeyError(name)
    """
    p = make("\n".join(line[4:] for line in script.splitlines()))
    p.hold("exception")
    assert firsts(p.feed(request("INVITE"))) == [f"{ALICE} SIP/2.0 100 Trying"]
    state = p.held[0].state()
    assert (state["event"], state["function"], state["locals"]["name"]) == ("exception", "route", "'x'")
    assert state["exception"] == "KeyError: 'x'"
    assert [s.first[:11] for s in p.release(p.held[0])] == ["SIP/2.0 500"]
    assert p.held == []


def test_two_at_once_released_in_the_other_order(make: Make) -> None:
    p = make()
    p.hold("ksr_route_relay")
    p.feed(request("INVITE", branch="z9hG4bKa", callid="a"))
    p.feed(request("INVITE", branch="z9hG4bKb", callid="b"))
    a, b = p.held
    assert p.release(b)[0].header("Call-ID") == ["b"]
    assert p.release(a)[0].header("Call-ID") == ["a"]


# -- ways out ---------------------------------------------------------------------------------------------------------


def test_it_releases_itself(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    p = make()
    p.hold("ksr_route_relay", timeout=3.0)
    p.feed(request("INVITE"))
    assert p.held[0].view()["left"] == 3.0
    assert p.advance(2.9) == []
    assert firsts(p.advance(0.2)) == [f"{BOB} INVITE sip:bob@{BOB} SIP/2.0"]
    assert p.reasons() == ["timeout"] and "3.0 s: timeout" in caplog.text
    assert p.holds.notes[1] == ["held 1 at ksr_route_relay:11 for 3.0 s: timeout"]


def test_the_default_is_below_a_short_fr_timer(make: Make) -> None:
    p = make(modparams=["tm:fr_timer=1000"])
    assert p.hold("ksr_route_relay").timeout == pytest.approx(0.8)
    assert make().hold("ksr_route_relay").timeout == 20.0


@pytest.mark.parametrize("where", ["ksr_request_route", "ksr_route_relay", "KSR.tm.t_relay", "ksr_branch"])
def test_dropped_before_it_was_relayed(make: Make, where: str) -> None:
    p = make()
    p.hold(where)
    p.feed(request("INVITE"))
    p.holds.drop(p.held[0])
    assert p.take() == [] and p.advance(10.0) == []
    assert p.transactions == 0 and p.held == []
    assert p.reasons() == ["dropped"]
    record = next(iter(p.proxy.recorder))
    assert all(run.exited for run in record.runs)


def test_dropping_a_failure_and_replies(make: Make) -> None:
    p = make(modparams=["tm:wt_timer=1000"])
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
def test_answered(make: Make, where: str) -> None:
    p = make()
    p.hold(where)
    p.feed(request("INVITE"))
    p.holds.answer(p.held[0], 486, "Busy Here")
    (busy,) = p.take()
    assert firsts([busy]) == [f"{ALICE} SIP/2.0 486 Busy Here"]
    p.holds.disarm(1)
    p.feed(request("ACK", to_tag=busy.header("To")[0].partition("tag=")[2]))
    assert to_bob(p.advance(10.0)) == []
    assert p.transactions == 0 and p.reasons() == ["answered"]


def test_answered_while_it_rings_or_after_it_failed(make: Make) -> None:
    p = make()
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


def test_what_cannot_be_answered(make: Make) -> None:
    p = make()
    p.hold("ksr_request_route")
    p.feed(request("ACK", to_tag="t"))
    with pytest.raises(DebugError, match="ACK cannot be answered"):
        p.holds.answer(p.held[0], 200, "OK")
    with pytest.raises(DebugError, match="final reply, 200 to 699, got 180"):
        p.holds.answer(p.held[0], 180, "Ringing")
    assert to_bob(p.release(p.held[0])) == [f"ACK sip:bob@{BOB} SIP/2.0"]


def test_the_proxy_stops(make: Make) -> None:
    p = make()
    p.hold("ksr_route_relay")
    p.feed(request("INVITE", branch="z9hG4bKa", callid="a"))
    p.feed(request("INVITE", branch="z9hG4bKb", callid="b"))
    p.holds.stop()
    assert to_bob(p.take()) == [f"INVITE sip:bob@{BOB} SIP/2.0"] * 2
    assert p.reasons() == ["stopped", "stopped"] and p.holds.armed == {}


def test_a_client_goes(make: Make) -> None:
    p = make()
    one, two = object(), object()
    p.hold("ksr_route_relay", owner=one, if_='callid == "a"')
    p.hold("ksr_route_relay", owner=one, keep=True, if_='callid == "b"')
    p.hold("ksr_route_relay", owner=two, if_='callid == "c"')
    for name in "abc":
        p.feed(request("INVITE", branch=f"z9hG4bK{name}", callid=name))
    p.holds.leave(one)
    assert list(p.holds.armed) == [2, 3] and len(p.held) == 2
    assert p.reasons() == ["its client has gone"]


def test_a_swap_while_it_is_held(make: Make) -> None:
    p = make()
    p.hold("ksr_branch:+1")
    p.feed(request("INVITE"))
    script = p.proxy.script
    assert script is not None
    script.swap('def ksr_branch(self, msg):\n    x = 1\n    KSR.hdr.append("X-New: 1\\r\\n")\n    return 1\n')
    assert p.release(p.held[0])[0].header("X-Branch") == ["1"], "it goes on in the code it was in"
    p.feed(request("INVITE", branch="z9hG4bK2", callid="two"))
    state = p.held[0].state()
    assert state["file"].startswith("<swap") and state["locals"].keys() >= {"self", "msg"}
    assert p.release(p.held[0])[0].header("X-New") == ["1"]


# -- working on it ----------------------------------------------------------------------------------------------------


def test_step_look_and_change(make: Make) -> None:
    p = make()
    p.hold("ksr_request_route", timeout=20.0)
    p.feed(request("INVITE"))
    (held,) = p.held
    states: list[dict[str, Any]] = []
    held.publish = states.append
    held.order("next")
    assert (states[-1]["line"], states[-1]["locals"]["user"]) == (7, "'bob'")
    assert held.evaluate("user + '!'") == "'bob!'"
    assert held.set("user", "'carol'") == "'carol'"
    held.order("into")
    assert states[-1]["function"] == "ksr_route_relay"
    assert held.call("hdr.append", ("X-Mine: yes\r\n",)) == 1
    assert held.set("$ru", "'sip:dora@10.0.0.3'") == "'sip:dora@10.0.0.3'"
    assert held.pv("$rU") == "dora"
    assert "+X-Mine: yes" in held.state()["effects"]["diff"]
    held.order("next_call")
    assert states[-1]["call"].startswith("KSR.hdr.append('X-Seen")
    with pytest.raises(DebugError, match="cannot step 'abort'"):
        held.order("abort")
    with pytest.raises(DebugError, match="has no code"):
        held.order("to", 1)
    held.order("to", 20)
    assert states[-1]["function"] == "ksr_branch"
    held.order("out")
    assert states[-1]["function"] == "ksr_route_relay"
    held.order("finish")
    assert states[-1]["done"] and states[-1]["result"] == "1"
    sent = p.take()
    (invite,) = [s for s in sent if s.dest.ip == BOB]
    assert invite.first == "INVITE sip:dora@10.0.0.3 SIP/2.0" and invite.header("X-Mine") == ["yes"]
    calls = [c["name"] for c in states[-1]["calls"]]
    assert calls.count("KSR.hdr.append") == 3 and calls[-1] == "KSR.tm.t_relay"
    record = next(iter(p.proxy.recorder))
    assert "KSR.pv.sets" in [d.path for run in record.runs for d, _, _ in run.iter_calls()]
    assert held.done and p.reasons() == ["resumed"]


def test_a_ksr_call_that_is_none(make: Make) -> None:
    p = make()
    p.hold("ksr_request_route")
    p.feed(request("INVITE"))
    with pytest.raises(AttributeError, match="nearest: KSR.hdr.append"):
        p.held[0].call("hdr.apend", ("x",))
    with pytest.raises(TypeError, match="X-A"):
        p.held[0].call("hdr.append", (5, "X-A"))
    p.release(p.held[0])


def test_held_again_by_another_hold(make: Make) -> None:
    p = make()
    p.hold("ksr_request_route")
    p.hold("ksr_branch")
    p.feed(request("INVITE"))
    p.feed(request("CANCEL"))
    (first,) = p.held
    assert [s for s in p.release(first) if s.dest.ip == BOB] == []
    (second,) = p.held
    assert second.id == 2 and second.state()["function"] == "ksr_branch"
    assert second.view()["waiting"] == ["CANCEL alice -> bob"]
    sent = p.release(second)
    assert to_bob(sent) == [f"INVITE sip:bob@{BOB} SIP/2.0"]
    # Now the CANCEL has its turn, and is held as well.
    assert [h.state()["function"] for h in p.held] == ["ksr_request_route"]
    assert [s.first for s in p.release(p.held[0])] == ["SIP/2.0 200 canceling"]


def test_nothing_armed_is_nothing_there(make: Make) -> None:
    p = make()
    hold = p.hold("ksr_request_route", if_='method == "INVITE"')
    assert p.proxy.debugger is p.holds
    p.feed(request("OPTIONS"))
    assert hold.hits == 0 and p.held == []
    p.holds.disarm(hold.id)
    assert p.proxy.debugger is None
    with pytest.raises(DebugError, match="no hold 1 is armed; armed: none"):
        p.holds.disarm(hold.id)
    with pytest.raises(DebugError, match="no message is held under 4; held: none"):
        p.holds.get(4)


# -- what else may be held --------------------------------------------------------------------------------------------


def test_an_exception_that_the_script_catches_is_none(make: Make) -> None:
    script = """
    def ksr_request_route(self, msg):
        try:
            self.lookup({})
        except (KeyError, ValueError):
            pass
        try:
            int("x")
        finally:
            KSR.info("y")

    def lookup(self, table):
        return table["x"]
    """
    p = make("\n".join(line[4:] for line in script.splitlines()))
    p.hold("exception")
    p.feed(request("INVITE"))
    state = p.held[0].state()
    assert (state["line"], state["exception"]) == (11, "ValueError: invalid literal for int() with base 10: 'x'")
    p.release(p.held[0])
    assert p.held == []


def test_a_timer_is_held_and_does_not_run_twice_at_once(make: Make) -> None:
    p = make()
    proxy = p.proxy
    ran: list[float] = []

    def tick() -> None:
        assert proxy.script is not None
        proxy.script.call(proxy.fake_run(), "ksr_failure")
        ran.append(p.now)

    proxy.after(1.0, tick, every=1.0)
    p.hold("ksr_failure", once=True)
    p.advance(3.5)
    (held,) = p.held
    assert ran == [] and held.view()["message"] == 0
    p.release(held)
    assert len(ran) == 1
    p.advance(1.0)
    assert len(ran) == 2


def test_an_http_request(make: Make) -> None:
    script = """
    def ksr_request_route(self, msg):
        return 1

    def ksr_http(self, msg, event):
        KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "hello")
        return 1
    """
    p = make("\n".join(line[4:] for line in script.splitlines()), modparams=["xhttp:event_callback=ksr_http"])
    p.hold("ksr_http")
    assert p.feed("GET /x HTTP/1.1\nHost: x\n\n", proto="tcp", conid=7) == []
    (held,) = p.held
    assert held.state()["route"] == "event"
    assert p.release(held)[0].first == "HTTP/1.1 200 OK"


def test_while_a_captured_message_is_stepped(make: Make) -> None:
    from ksrcore.debug.stepper import Stepper

    p = make()
    p.feed(request("INVITE"))
    record = p.proxy.recorder.get(1)
    assert record is not None
    stops: list[dict[str, Any]] = []
    ready = threading.Semaphore(0)

    def publish(state: dict[str, Any]) -> None:
        stops.append(state)
        ready.release()

    stepper = Stepper(p.holds.sandboxes, record, "ksr_request_route", publish)
    try:
        assert ready.acquire(timeout=5)
        p.hold("ksr_route_relay")
        assert firsts(p.feed(request("INVITE", branch="z9hG4bK2", callid="two"))) == [f"{ALICE} SIP/2.0 100 Trying"]
        stepper.order("next")
        assert ready.acquire(timeout=5) and stops[-1]["line"] == 7
        assert to_bob(p.release(p.held[0])) == [f"INVITE sip:bob@{BOB} SIP/2.0"]
        stepper.order("finish")
        assert ready.acquire(timeout=5) and stops[-1]["done"]
        assert p.take() == []
    finally:
        stepper.close()
    assert p.proxy.env.hook is None


def test_a_reload_while_it_is_armed(make: Make) -> None:
    p = make()
    p.hold("ksr_route_relay")
    assert p.proxy.script is not None
    p.proxy.script.reload()
    p.feed(request("INVITE"))
    assert p.held[0].state()["function"] == "ksr_route_relay"
    assert len(to_bob(p.release(p.held[0]))) == 1
    p.holds.disarm(1)
    p.feed(request("INVITE", branch="z9hG4bK2", callid="two"))
    hits = {route.name: route.hits for route in p.proxy.script.routes()}
    assert hits["ksr_route_relay"] == 2


def test_a_script_that_catches_its_end_does_nothing_more(make: Make) -> None:
    p = make(
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


def test_a_failure_of_what_waits_loses_nothing_of_the_rest(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    p = make()
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


def test_timers_of_other_objects_go_on(make: Make) -> None:
    """A method of one object that is held says nothing of the same method of another."""

    class Work:
        def __init__(self, p: Holding) -> None:
            self.p = p
            self.done = 0

        def do(self) -> None:
            proxy = self.p.proxy
            proxy.script.call(proxy.fake_run(), "ksr_tick")  # type: ignore[union-attr]
            self.done += 1

    p = make("\ndef ksr_request_route(self, msg):\n    return 1\n\ndef ksr_tick(self, msg):\n    return 1\n")
    p.hold("ksr_tick", once=True)
    first, second = Work(p), Work(p)
    p.proxy.after(0.1, first.do)
    p.proxy.after(0.2, second.do)
    p.proxy.after(0.3, first.do)
    p.advance(0.5)
    assert len(p.held) == 1 and (first.done, second.done) == (0, 1)
    p.release(p.held[0])
    assert (first.done, second.done) == (2, 1)


def test_so_many_wait_at_most(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrcore.debug.holds.MAX_WAITING", 2)
    p = make()
    (invite,) = [s for s in p.feed(request("INVITE")) if s.dest.ip == BOB]
    p.hold("ksr_onreply", once=True)
    for code in (180, 181, 182, 183):
        p.feed(reply(invite, code), BOB)
    assert len(p.held[0].of.queue) == 2
    assert p.proxy.recorder.records[-1].error == "2 messages wait behind message 4, which is held: ignored"
