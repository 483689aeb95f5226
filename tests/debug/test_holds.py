"""Live holds: the message waits, the others flow; every way out of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from debug.holding import Holdings, to_bob
from ksrcore.debug.errors import DebugError
from tm.playbook import ALICE, BOB, firsts, reply, request


def test_one_waits_and_the_others_flow(holding: Holdings) -> None:
    p = holding()
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
def test_places(holding: Holdings, where: str, event: str, function: str, line: int) -> None:
    p = holding()
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
def test_places_that_are_none(holding: Holdings, where: str, said: str) -> None:
    p = holding()
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
def test_options_that_are_none(holding: Holdings, options: dict[str, Any], said: str) -> None:
    p = holding()
    with pytest.raises(Exception, match=said):
        p.hold("", **options)


def test_a_condition_on_what_the_script_makes(holding: Holdings) -> None:
    p = holding()
    p.hold("KSR.tm.t_relay", if_='method == "INVITE" and called("KSR.hdr.append")')
    p.hold("ksr_request_route", if_='called("KSR.hdr.append")')
    p.feed(request("INVITE"))
    assert [h.hold.id for h in p.held] == [1]


def test_hits_and_once(holding: Holdings) -> None:
    p = holding()
    hold = p.hold("ksr_request_route", hits=2, once=True)
    for n in range(4):
        p.feed(request("OPTIONS", branch=f"z9hG4bK{n}", callid=f"c{n}"))
    assert [h.state()["message"] for h in p.held] == [3]
    assert (hold.hits, hold.holds, hold.armed) == (2, 1, False)
    assert p.holds.armed == {}


def test_the_limit(holding: Holdings) -> None:
    p = holding()
    p.holds.limit = 2
    hold = p.hold("ksr_request_route")
    sent = [p.feed(request("OPTIONS", branch=f"z9hG4bK{n}", callid=f"c{n}")) for n in range(3)]
    assert [len(s) for s in sent] == [0, 0, 1]
    assert (hold.missed, p.holds.passed, len(p.held)) == (1, 1, 2)


def test_a_logpoint_stops_nothing(holding: Holdings, caplog: pytest.LogCaptureFixture) -> None:
    p = holding()
    p.hold("ksr_route_relay:+5", log='{method} of {$fU} to {user} {$(ru{uri.host})} {{{hdr("Max-Forwards")}}} {msg}')
    with caplog.at_level("INFO", "ksrcore.hold"):
        sent = p.feed(request("INVITE"))
    assert to_bob(sent) == [f"INVITE sip:bob@{BOB} SIP/2.0"]
    (event,) = p.events
    assert event[0] == "log" and event[1]["place"] == "ksr_route_relay:15"
    assert event[1]["text"].startswith(f"INVITE of alice to <no user> {BOB} {{70}} <msg INVITE ")
    assert event[1]["text"] in caplog.text
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-task")]


def test_a_watchpoint(holding: Holdings) -> None:
    script = """
    def ksr_request_route(self, msg):
        KSR.setdsturi("sip:10.0.0.9")
        KSR.info("x")
        KSR.hdr.append("X-A: 1\\r\\n")
        KSR.setdsturi("sip:10.0.0.3")
        KSR.tm.t_relay()
        return 1
    """
    p = holding("\n".join(line[4:] for line in script.splitlines()))
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


def test_a_reply_is_held_by_its_request(holding: Holdings) -> None:
    p = holding()
    _, invite = p.feed(request("INVITE"))
    _, other = p.feed(request("INVITE", f"sip:carol@{BOB}", branch="z9hG4bK2", callid="other"))
    p.hold("ksr_onreply", if_='rU == "bob"')
    assert p.feed(reply(invite, 180), BOB) == []
    assert firsts(p.feed(reply(other, 180), BOB)) == [f"{ALICE} SIP/2.0 180 Reason"]
    assert len(p.release(p.held[0])) == 1


# -- other routes -----------------------------------------------------------------------------------------------------


def test_a_failure_route_after_a_reply(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_failure")
    _, invite = p.feed(request("INVITE"))
    acked = p.feed(reply(invite, 486), BOB)
    assert [s.first for s in acked] == [f"ACK sip:bob@{BOB} SIP/2.0"]
    assert p.held[0].state()["route"] == "failure"
    assert firsts(p.release(p.held[0])) == [f"{ALICE} SIP/2.0 486 Reason"]


def test_a_failure_route_after_the_timeout(holding: Holdings) -> None:
    p = holding(modparams=["tm:fr_timer=2000"])
    p.hold("ksr_failure", if_='rU == "bob"')
    p.feed(request("INVITE"))
    sent = p.advance(2.1)
    assert not [s for s in sent if s.first.startswith("SIP/2.0 408")]
    (held,) = p.held
    assert held.state()["route"] == "failure"
    assert firsts(p.feed(request("INVITE"))) == [f"{ALICE} SIP/2.0 100 trying -- your call is important to us"]
    assert firsts(p.release(held)) == [f"{ALICE} SIP/2.0 408 Request Timeout"]


def test_an_exception_waits_where_it_was_raised(holding: Holdings) -> None:
    script = """
    def ksr_request_route(self, msg):
        self.route(msg)

    def route(self, msg):
        name = "x"
        raise KeyError(name)
    """
    p = holding("\n".join(line[4:] for line in script.splitlines()))
    p.hold("exception")
    assert firsts(p.feed(request("INVITE"))) == [f"{ALICE} SIP/2.0 100 Trying"]
    state = p.held[0].state()
    assert (state["event"], state["function"], state["locals"]["name"]) == ("exception", "route", "'x'")
    assert state["exception"] == "KeyError: 'x'"
    assert [s.first[:11] for s in p.release(p.held[0])] == ["SIP/2.0 500"]
    assert p.held == []


def test_two_at_once_released_in_the_other_order(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_route_relay")
    p.feed(request("INVITE", branch="z9hG4bKa", callid="a"))
    p.feed(request("INVITE", branch="z9hG4bKb", callid="b"))
    a, b = p.held
    assert p.release(b)[0].header("Call-ID") == ["b"]
    assert p.release(a)[0].header("Call-ID") == ["a"]


# -- ways out ---------------------------------------------------------------------------------------------------------


def test_it_releases_itself(holding: Holdings, caplog: pytest.LogCaptureFixture) -> None:
    p = holding()
    p.hold("ksr_route_relay", timeout=3.0)
    p.feed(request("INVITE"))
    assert p.held[0].view()["left"] == 3.0
    assert p.advance(2.9) == []
    assert firsts(p.advance(0.2)) == [f"{BOB} INVITE sip:bob@{BOB} SIP/2.0"]
    assert p.reasons() == ["timeout"] and "3.0 s: timeout" in caplog.text
    assert p.holds.notes[1] == ["held 1 at ksr_route_relay:11 for 3.0 s: timeout"]


def test_the_default_is_below_a_short_fr_timer(holding: Holdings) -> None:
    p = holding(modparams=["tm:fr_timer=1000"])
    assert p.hold("ksr_route_relay").timeout == pytest.approx(0.8)
    assert holding().hold("ksr_route_relay").timeout == 20.0


def test_the_proxy_stops(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_route_relay")
    p.feed(request("INVITE", branch="z9hG4bKa", callid="a"))
    p.feed(request("INVITE", branch="z9hG4bKb", callid="b"))
    p.holds.stop()
    assert to_bob(p.take()) == [f"INVITE sip:bob@{BOB} SIP/2.0"] * 2
    assert p.reasons() == ["stopped", "stopped"] and p.holds.armed == {}


def test_a_client_goes(holding: Holdings) -> None:
    p = holding()
    one, two = object(), object()
    p.hold("ksr_route_relay", owner=one, if_='callid == "a"')
    p.hold("ksr_route_relay", owner=one, keep=True, if_='callid == "b"')
    p.hold("ksr_route_relay", owner=two, if_='callid == "c"')
    for name in "abc":
        p.feed(request("INVITE", branch=f"z9hG4bK{name}", callid=name))
    p.holds.leave(one)
    assert list(p.holds.armed) == [2, 3] and len(p.held) == 2
    assert p.reasons() == ["its client has gone"]


def test_a_swap_while_it_is_held(holding: Holdings) -> None:
    p = holding()
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


def test_an_expression_that_does_not_end_is_ended(holding: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrcore.debug.held.LIMIT", 0.05)
    p = holding()
    p.hold("ksr_request_route", timeout=20.0)
    p.feed(request("INVITE"))
    (held,) = p.held
    with pytest.raises(DebugError, match="ended after"):
        held.evaluate("[x for x in iter(int, 1)]")
    with pytest.raises(DebugError, match="ended after"):
        held.set("user", "sum(iter(lambda: 1, 2))")
    assert held.evaluate("1 + 1") == "2"
    held.order("finish")
    assert not p.held


def test_step_look_and_change(holding: Holdings) -> None:
    p = holding()
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


def test_a_ksr_call_that_is_none(holding: Holdings) -> None:
    p = holding()
    p.hold("ksr_request_route")
    p.feed(request("INVITE"))
    with pytest.raises(AttributeError, match="nearest: KSR.hdr.append"):
        p.held[0].call("hdr.apend", ("x",))
    with pytest.raises(TypeError, match="X-A"):
        p.held[0].call("hdr.append", (5, "X-A"))
    p.release(p.held[0])


def test_held_again_by_another_hold(holding: Holdings) -> None:
    p = holding()
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


def test_nothing_armed_is_nothing_there(holding: Holdings) -> None:
    p = holding()
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


def test_an_exception_that_the_script_catches_is_none(holding: Holdings) -> None:
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
    p = holding("\n".join(line[4:] for line in script.splitlines()))
    p.hold("exception")
    p.feed(request("INVITE"))
    state = p.held[0].state()
    assert (state["line"], state["exception"]) == (11, "ValueError: invalid literal for int() with base 10: 'x'")
    p.release(p.held[0])
    assert p.held == []


def test_a_timer_is_held_and_does_not_run_twice_at_once(holding: Holdings) -> None:
    p = holding()
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


def test_an_http_request(holding: Holdings) -> None:
    script = """
    def ksr_request_route(self, msg):
        return 1

    def ksr_http(self, msg, event):
        KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "hello")
        return 1
    """
    p = holding("\n".join(line[4:] for line in script.splitlines()), modparams=["xhttp:event_callback=ksr_http"])
    p.hold("ksr_http")
    assert p.feed("GET /x HTTP/1.1\nHost: x\n\n", proto="tcp", conid=7) == []
    (held,) = p.held
    assert held.state()["route"] == "event"
    assert p.release(held)[0].first == "HTTP/1.1 200 OK"


def test_while_a_captured_message_is_stepped(holding: Holdings) -> None:
    from ksrcore.debug.stepper import Stepper

    p = holding()
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


def test_a_reload_while_it_is_armed(holding: Holdings) -> None:
    p = holding()
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
