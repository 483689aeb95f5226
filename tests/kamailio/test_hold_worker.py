"""Holds in a worker: the agent's part, with a script and a node that the test plays."""

from __future__ import annotations

import importlib.util
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ksrcore.kamailio.ksragent.hold import Holds
from ksrcore.kamailio.ksragent.link import LinkLost
from ksrcore.kamailio.ksragent.state import Page

SCRIPT = """\
def ksr_request_route(msg):
    user = "bob"
    if user:
        user = relay(msg, user)
    return 1


def relay(msg, user):
    KSR.hdr.append("X-A: 1")
    target = user.upper()
    KSR.tm.t_relay()
    return target


def ksr_reply_route(msg):
    KSR.hdr.append("X-B: 1")
    return 1


def fails(msg):
    try:
        int("x")
    except ValueError:
        pass
    return {}["gone"]


def stubborn(msg):
    while True:
        try:
            KSR.hdr.append("X-C: 1")
            return 1
        except BaseException:
            return KSR.tm.t_relay()
"""

VALUES = {
    "$rm": "INVITE",
    "$ou": "sip:bob@example.com",
    "$oU": "bob",
    "$ru": "sip:carol@example.com",
    "$rU": "carol",
    "$ci": "call-1",
    "$cs": "1",
    "$si": "192.0.2.1",
    "$sp": 5060,
    "$fU": "alice",
    "$tU": "bob",
    "$version(num)": "5.6.3",
    "$mbu": "INVITE sip:carol@example.com SIP/2.0\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    "$hdr(Via)": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport",
}


class Ksr:
    """``KSR`` of a server: notes what is called."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = dict(VALUES)
        self.called: list[tuple[str, tuple[Any, ...]]] = []
        self.pv = SimpleNamespace(get=self.get, sets=self.set, seti=self.set, unset=lambda name: self.set(name, None))
        self.hdr = SimpleNamespace(append=self._noting("hdr.append", 1))
        self.tm = SimpleNamespace(t_relay=self._noting("tm.t_relay", 1))
        self.sl = SimpleNamespace(send_reply=self._noting("sl.send_reply", 1))
        self.set_drop = self._noting("set_drop", 0)

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def set(self, name: str, value: Any) -> None:
        self.values[name] = value

    def _noting(self, path: str, result: int) -> Callable[..., int]:
        def function(*args: Any) -> int:
            self.called.append((path, args))
            return result

        return function


class Node:
    """The link of a worker, played: each item of ``orders`` is an order, a function of what was sent last, or an
    exception; None lets the time run out."""

    def __init__(self, *orders: Any) -> None:
        self.orders = list(orders)
        self.sent: list[dict[str, Any]] = []
        self.waits: list[float] = []

    def send(self, message: dict[str, Any], *, may_lose: bool = False) -> bool:
        self.sent.append(message)
        return True

    def wait(self, deadline: float) -> dict[str, Any] | None:
        self.waits.append(deadline - time.monotonic())
        order = self.orders.pop(0)
        if isinstance(order, type) and issubclass(order, BaseException):
            raise order
        found: dict[str, Any] | None = order(self.sent[-1]) if callable(order) else order
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.sent if each.get("event") == name]

    def answer(self, id: int) -> dict[str, Any]:
        return next(each for each in self.sent if each.get("re") == id)


class Host:
    """The agent, as far as holds need it."""

    page: Page | None = None
    slot = -1

    def __init__(self, script: ModuleType, *orders: Any) -> None:
        self.script = script
        self.ksr = Ksr()
        self.link: Any = Node(*orders)
        self.run: Any = SimpleNamespace(calls=[], dropped=False, seen=None, mi=1)
        self.capture: Any = SimpleNamespace()
        self.others: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.holds = Holds(self)
        script.KSR = self._recorder()  # type: ignore[attr-defined]

    def _recorder(self) -> Any:
        def calls(path: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                self.holds.before_call(path, args)
                result = function(*args)
                self.holds.after_call(path, args, result, 0.001)
                return result

            return call

        return SimpleNamespace(
            hdr=SimpleNamespace(append=calls("KSR.hdr.append", self.ksr.hdr.append)),
            tm=SimpleNamespace(t_relay=calls("KSR.tm.t_relay", lambda: self.relayed())),
        )

    def relayed(self) -> Any:
        return self.ksr.tm.t_relay()

    def is_script(self, filename: str) -> bool:
        return filename == self.script.__file__

    def say(self, text: str) -> None:
        self.said.append(text)

    def other(self, order: dict[str, Any]) -> None:
        self.others.append(order)

    def made(self, path: str, args: tuple[Any, ...], result: Any) -> None:
        self.run.calls.append((path, args, result))

    def lost(self) -> None:
        self.link = None

    def call(self, name: str, kind: str = "SIP_REQUEST") -> Any:
        msg = SimpleNamespace(Type=kind)
        function = getattr(self.script, name)
        if not self.holds.active():
            return function(msg)
        return self.holds.run(name, msg, lambda: function(msg))


@pytest.fixture
def script(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "held_script.py"
    path.write_text(SCRIPT)
    spec = importlib.util.spec_from_file_location("held_script", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    assert sys.gettrace() is None or "pydevd" in repr(sys.gettrace()) or "coverage" in repr(sys.gettrace())


def hold(kind: str = "entry", **more: Any) -> dict[str, Any]:
    return {"id": 1, "kind": kind, "at": f"at {kind}", **more}


def grant(sent: dict[str, Any]) -> dict[str, Any]:
    return {"id": 0, "do": "grant", "ask": sent["ask"], "held": 7, "seconds": 5.0}


def go(op: str, line: int = 0, id: int = 1) -> dict[str, Any]:
    return {"id": id, "do": "hold.go", "held": 7, "op": op, "line": line}


def order(do: str, id: int = 1, **params: Any) -> dict[str, Any]:
    return {"id": id, "do": f"hold.{do}", "held": 7, **params}


def armed(script: ModuleType, spec: dict[str, Any], *orders: Any) -> Host:
    host = Host(script, *orders)
    host.holds.arm([spec])
    return host


def states(host: Host) -> list[dict[str, Any]]:
    return [each["state"] for each in host.link.sent if each.get("event") in ("hold.held", "hold.stop", "hold.end")]


def test_entry_and_steps(script: ModuleType) -> None:
    host = armed(
        script, hold(), grant, go("next"), go("next"), go("into"), go("next"), go("next"), go("out"), go("finish")
    )
    assert host.call("ksr_request_route") == 1
    seen = [(s["event"], s.get("function"), s.get("line")) for s in states(host)]
    assert seen == [
        ("line", "ksr_request_route", 2),
        ("line", "ksr_request_route", 3),
        ("line", "ksr_request_route", 4),
        ("line", "relay", 9),
        ("line", "relay", 10),
        ("line", "relay", 11),
        ("line", "ksr_request_route", 5),
        ("end", None, None),
    ]
    first, *_, last = states(host)
    assert first["callback"] == "ksr_request_route" and first["route"] == "request" and first["live"] is True
    assert first["why"] == "at entry" and states(host)[1]["why"] == "step"
    assert first["source"][first["line"] - first["first_line"]] == '    user = "bob"'
    second = states(host)[1]
    assert second["locals"]["user"] == "'bob'" and second["changed"] == ["user"]
    relay = states(host)[5]
    assert [place["function"] for place in relay["stack"]] == ["ksr_request_route", "relay"]
    assert [(c["name"], c["args"], c["result"]) for c in relay["calls"]] == [("KSR.hdr.append", ["X-A: 1"], 1)]
    assert relay["changed"] == ["target"]
    assert last["result"] == "1" and last["done"] and not last["dropped"] and not last["exited"]
    over = host.link.events("hold.over")
    assert [(each["held"], each["reason"]) for each in over] == [(7, "resumed")]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (hold("function", name="relay"), ("line", "relay", 9)),
        (hold("line", file="", line=10), ("line", "relay", 10)),
        (hold("call", name="KSR.tm.t_relay"), ("call", "relay", 11)),
        (hold("watch", watch="$du"), None),
    ],
)
def test_places(script: ModuleType, spec: dict[str, Any], where: tuple[str, str, int] | None) -> None:
    if "file" in spec:
        spec["file"] = script.__file__
    host = armed(script, spec, grant, order("release", reason="resumed"))
    host.call("ksr_request_route")
    held = host.link.events("hold.held")
    if where is None:
        assert held == []
        return
    state = held[0]["state"]
    assert (state["event"], state["function"], state["line"]) == where
    if where[0] == "call":
        assert state["call"] == "KSR.tm.t_relay()"
    assert host.ksr.called[-1][0] == "tm.t_relay"  # it went on


def test_watch(script: ModuleType) -> None:
    host = armed(script, hold("watch", watch="$du"), grant, order("release"))
    host.ksr.hdr.append = lambda text: host.ksr.values.update({"$du": "sip:9"})
    script.KSR = host._recorder()  # type: ignore[attr-defined]
    host.call("ksr_request_route")
    state = host.link.events("hold.held")[0]["state"]
    assert (state["function"], state["line"]) == ("relay", 10)
    assert state["why"] == "$du changed: None -> 'sip:9'"


def test_watch_of_a_header(script: ModuleType) -> None:
    host = armed(script, hold("watch", watch="X-A"))
    assert host.holds.acts.watched("X-A") == "1, 2"
    assert host.holds.acts.watched("X-B") is None


def test_exception_that_nobody_catches(script: ModuleType) -> None:
    host = armed(script, hold("exception"), grant, go("finish"))
    with pytest.raises(KeyError):
        host.call("fails")
    first, last = states(host)
    assert (first["event"], first["exception"], first["line"]) == ("exception", "KeyError: 'gone'", 25)
    assert last["done"] and "KeyError: 'gone'" in last["exception"]


@pytest.mark.parametrize(
    ("early", "late", "matches"),
    [
        ('method == "INVITE"', "", True),
        ('method == "BYE"', "", False),
        ('rU == "bob"', "", True),  # as it came: the script has made it carol
        ('rU == "carol"', "", False),
        ("", 'rU == "carol"', True),
        ('src_ip == "192.0.2.1" and src_port == 5060 and is_request', "", True),
        ('cseq == "1 INVITE"', "", True),
        ('hdr("Via") is None', "", False),
        ('re("^call-", callid)', "", True),
        ("_mod(src_port, 2) == 0", "", True),
        ("nothing > 3", "", False),
        ('lower(pv("$rm")) == "invite"', "", True),
        ("", 'called("KSR.hdr.append")', False),
    ],
)
def test_conditions(script: ModuleType, early: str, late: str, matches: bool) -> None:
    host = armed(script, hold(early=early, late=late), grant, order("release"))
    host.call("ksr_request_route")
    assert bool(host.link.events("hold.held")) is matches
    if not matches:
        assert host.link.sent == []


def test_a_pattern_that_takes_too_long(script: ModuleType) -> None:
    """It is ended, told once, and looked at no more: the worker routes calls."""
    host = armed(script, hold(early='re("(a+)+$", rU)'))
    host.ksr.values["$oU"] = "a" * 60 + "!"
    began = time.process_time()
    for _ in range(20):
        host.call("ksr_request_route")
    assert time.process_time() - began < 1
    assert [each["text"] for each in host.link.events("hold.slow")] == [
        "re('(a+)+$', ...) took more than 0.05 s of CPU in a worker: it matches nothing now"
    ]
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_what_was_called(script: ModuleType) -> None:
    host = armed(script, hold("line", file=script.__file__, line=11, late='called("append")'), grant, order("release"))
    host.call("ksr_request_route")
    assert host.link.events("hold.held")


def test_a_reply_is_wanted_when_its_request_is(script: ModuleType) -> None:
    host = armed(script, hold(early='rU == "bob"'), grant, order("release"))
    host.ksr.values = {"$T_req($oU)": "bob", "$rm": "INVITE", "$rs": "180", "$si": "192.0.2.1", "$T_req($ci)": "c"}
    host.call("ksr_reply_route", "SIP_REPLY")
    assert not host.link.events("hold.held")  # tmx is not loaded: the variable is not asked for
    host.ksr.tmx = SimpleNamespace()  # type: ignore[attr-defined]
    host.holds.acts._tmx = None
    host.call("ksr_reply_route", "SIP_REPLY")
    held = host.link.events("hold.held")[0]
    assert held["state"]["route"] == "reply" and held["title"] == "180 to INVITE"


def test_the_node_refuses(script: ModuleType) -> None:
    host = armed(script, hold(), lambda sent: {"id": 3, "do": "grant", "ask": sent["ask"], "held": 0})
    assert host.call("ksr_request_route") == 1
    assert host.link.events("hold.held") == [] and host.ksr.called[-1][0] == "tm.t_relay"


def test_the_node_says_nothing(script: ModuleType) -> None:
    host = armed(script, hold(), None)
    assert host.call("ksr_request_route") == 1
    assert host.link.events("hold.unasked") == [{"event": "hold.unasked", "ask": 1}]
    # Its word comes late: it is told that nobody waits.
    host.holds.order({"id": 9, "do": "grant", "ask": 1, "held": 7})
    assert host.link.events("hold.unasked")[-1] == {"event": "hold.unasked", "ask": 1}


@pytest.mark.parametrize("when", [0, 1, 2])
def test_the_node_goes(script: ModuleType, when: int) -> None:
    orders: list[Any] = [grant, go("next")]
    host = armed(script, hold(), *orders[:when], LinkLost)
    assert host.call("ksr_request_route") == 1
    assert host.link is None and host.holds.armed == [] and host.holds.live is None
    assert [path for path, _ in host.ksr.called][-1] == "tm.t_relay"


def test_time_is_over(script: ModuleType) -> None:
    host = armed(script, hold(), grant, None)
    assert host.call("ksr_request_route") == 1
    assert 4.5 < host.link.waits[1] <= 5.0
    assert host.link.events("hold.over")[0]["reason"] == "timeout"
    assert states(host)[-1]["done"]


def test_looking_and_changing(script: ModuleType) -> None:
    host = armed(
        script,
        hold("line", file=script.__file__, line=10),
        grant,
        order("eval", 1, expr="user + '!'"),
        order("set", 2, name="user", expr="'dora'"),
        order("set", 3, name="usr", expr="1"),
        order("set", 4, name="$du", expr="'sip:' + user"),
        order("pv", 5, name="$du"),
        order("eval", 6, expr="nobody"),
        order("call", 7, name="hdr.append", args=["X: 1"]),
        order("call", 8, name="hdr.nothing", args=[]),
        order("state", 9),
        {"id": 10, "do": "swap", "want": []},
        {"id": 11, "do": "hold.state", "held": 3},
        go("to", 999, 12),
        go("sideways", 0, 13),
        go("next", 0, 14),
        order("release"),
    )
    host.call("ksr_request_route")
    answer = host.link.answer
    assert answer(1)["result"] == {"repr": "'bob!'"}
    assert answer(2)["result"] == {"repr": "'dora'"}
    assert "did you mean 'user'" in answer(3)["error"]["text"]
    assert answer(5)["result"] == {"value": "sip:dora"}
    assert answer(6)["error"]["type"] == "NameError" and "NameError" in answer(6)["error"]["traceback"]
    assert answer(7)["result"] == {"result": 1}
    assert "is no function of this server" in answer(8)["error"]["text"]
    assert answer(9)["result"]["calls"][-1]["args"] == ["X: 1"]
    assert [each["do"] for each in host.others] == ["swap"]
    assert "held 3 waits no more" in answer(11)["error"]["text"]
    assert "has no code" in answer(12)["error"]["text"]
    assert "known: next, into" in answer(13)["error"]["text"]
    assert ("hdr.append", ("X: 1",)) in host.ksr.called
    assert host.run.calls == [("KSR.hdr.append", ("X: 1",), 1)]
    assert states(host)[1]["locals"]["target"] == "'DORA'"


def test_locals_are_set_at_a_ksr_call_too(script: ModuleType) -> None:
    host = armed(
        script,
        hold("call", name="KSR.hdr.append"),
        grant,
        order("set", 1, name="user", expr="'eve'"),
        go("next"),
        go("next"),
        order("release"),
    )
    host.call("ksr_request_route")
    assert states(host)[2]["locals"]["target"] == "'EVE'"


def test_next_call(script: ModuleType) -> None:
    host = armed(script, hold(), grant, go("next_call"), go("next_call"), order("release"))
    host.call("ksr_request_route")
    assert [s.get("call") for s in states(host)[:3]] == [None, "KSR.hdr.append('X-A: 1')", "KSR.tm.t_relay()"]


@pytest.mark.parametrize("name", ["ksr_request_route", "stubborn"])
def test_drop(script: ModuleType, name: str) -> None:
    spec = hold("call", name="KSR.hdr.append")
    host = armed(script, spec, grant, order("release", how="drop", reason="dropped"))
    assert host.call(name) == 1
    paths = [path for path, _ in host.ksr.called]
    assert "tm.t_relay" not in paths and "hdr.append" not in paths and paths[-1] == "set_drop"
    assert host.run.dropped and states(host)[-1]["dropped"]
    assert host.link.events("hold.over")[0]["reason"] == "dropped"


def test_answer(script: ModuleType) -> None:
    host = armed(
        script,
        hold(),
        grant,
        order("release", 1, how="answer", code=100, text="x"),
        order("release", 2, how="answer", code=486, text="Busy", reason="answered"),
    )
    host.call("ksr_request_route")
    assert "200 to 699" in host.link.answer(1)["error"]["text"]
    assert ("sl.send_reply", (486, "Busy")) in host.ksr.called
    assert ("tm.t_relay", ()) not in host.ksr.called


def test_the_sender_is_told_once(script: ModuleType) -> None:
    host = armed(script, hold(), grant, go("next"), order("release"))
    host.call("ksr_request_route")
    assert host.ksr.called.count(("sl.send_reply", (100, "Trying"))) == 1


def test_a_branch_route_inside(script: ModuleType) -> None:
    """tm calls back inside t_relay: its frames are stepped, dropping there ends everything."""
    host = armed(script, hold("function", name="ksr_reply_route"), grant, order("release", how="drop"))

    def relayed() -> int:
        host.call("ksr_reply_route")
        return -1

    host.relayed = relayed  # type: ignore[method-assign]
    assert host.call("ksr_request_route") == 1
    state = host.link.events("hold.held")[0]["state"]
    assert state["route"] == "reply" and [p["function"] for p in state["stack"]][:2] == ["ksr_request_route", "relay"]
    assert host.ksr.called[-1] == ("set_drop", ())
    assert host.run.dropped


def test_logpoint(script: ModuleType) -> None:
    spec = hold(
        "function",
        name="relay",
        log=[["text", "to "], ["pv", "$ru"], ["text", " "], ["name", "user"], ["expr", "len(user)"], ["name", "nope"]],
    )
    host = armed(script, spec)
    host.call("ksr_request_route")
    event = host.link.events("hold.log")[0]
    assert event["text"] == "to sip:carol@example.com bob3<null>" and event["place"] == "relay:8"


def test_what_must_not_be_read(script: ModuleType) -> None:
    """From 6.1 on reading ``$mbu`` takes edits away: nothing here does."""
    host = armed(script, hold(), grant, order("release"))
    host.ksr.values["$version(num)"] = "6.1.0"
    asked: list[str] = []
    get = host.ksr.get

    def noted(name: str) -> Any:
        asked.append(name)
        return get(name)

    host.ksr.pv.get = noted
    host.call("ksr_request_route")
    state = host.link.events("hold.held")[0]["state"]
    assert "updated" not in state and "takes its edits away" in state["effects"]["unknown"]
    assert asked and "$mbu" not in asked


@pytest.mark.parametrize(("source", "who"), [("1.0.0.127", "you@"), ("127.0.0.1", "you@"), ("127.0.0.1", "")])
def test_without_a_message(script: ModuleType, source: str, who: str) -> None:
    """A callback without a message: no hold that is about messages, and nothing that sends."""
    fake = {
        "$si": source,
        "$mb": f"OPTIONS sip:{who}kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <sip:x>\r\n",
    }
    host = armed(script, hold())
    host.ksr.values.update(fake)
    host.call("ksr_request_route")
    assert host.link.sent == []
    host = armed(
        script,
        hold("function", name="relay"),
        grant,
        order("call", 1, name="tm.t_relay", args=[]),
        order("call", 2, name="pv.get", args=["$rm"]),
        order("release", 3, how="answer", code=500, text="x"),
        order("release"),
    )
    host.ksr.values.update(fake)
    host.call("ksr_request_route")
    assert "has no message" in host.link.answer(1)["error"]["text"]
    assert host.link.answer(2)["result"] == {"result": "INVITE"}
    assert "a held event cannot be answered" in host.link.answer(3)["error"]["text"]


def test_bytes_that_are_no_utf8(script: ModuleType) -> None:
    host = armed(script, hold(early=r'fU == "\xe9"'), grant, order("pv", 1, name="$fU"), order("release"))
    get = host.ksr.get

    def bad(name: str) -> Any:
        if name == "$fU":
            raise UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid")
        return get(name)

    host.ksr.pv.get = bad
    host.call("ksr_request_route")
    assert host.link.answer(1)["result"] == {"value": "\xe9"}


def test_disarmed_while_it_runs(script: ModuleType) -> None:
    host = armed(
        script, hold("call", name="KSR.hdr.append"), grant, {"id": 5, "do": "arm", "holds": []}, order("release")
    )
    host.call("ksr_request_route")
    assert host.link.answer(5)["result"] == {"armed": 0}
    assert host.holds.armed == []
    assert not host.holds.active()


def test_an_expression_that_does_not_end(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrcore.kamailio.ksragent.hold_held.LIMIT", 0.05)
    before = signal.getsignal(signal.SIGVTALRM)
    host = armed(
        script,
        hold(),
        grant,
        order("eval", 1, expr="sum(1 for _ in iter(int, 1))"),
        order("set", 2, name="user", expr="[0 for _ in iter(int, 1)]"),
        order("eval", 3, expr="1 + 1"),
        order("release"),
    )
    host.call("ksr_request_route")
    assert "ended after 0.05 s" in host.link.answer(1)["error"]["text"]
    assert "ended after 0.05 s" in host.link.answer(2)["error"]["text"]
    assert host.link.answer(3)["result"] == {"repr": "2"}
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert host.ksr.called[-1][0] == "tm.t_relay"


@pytest.mark.parametrize(
    ("where", "spec"),
    [
        ("ksrcore.kamailio.ksragent.hold.Holds._wanted", hold()),
        ("ksrcore.kamailio.ksragent.hold.Holds.ask", hold()),
        ("ksrcore.kamailio.ksragent.hold_held.Live.state", hold()),
        ("ksrcore.kamailio.ksragent.hold_held.Live.enter", hold()),
        ("ksrcore.kamailio.ksragent.hold_held.Live.finish", hold("function", name="nothing")),
        ("ksrcore.kamailio.ksragent.hold_held.Live.lines_of", hold("line", line=12)),
        ("ksrcore.kamailio.ksragent.hold_held.Live.call", hold("call", name="KSR.tm.t_relay")),
        ("ksrcore.kamailio.ksragent.step.Tracer.after_call", hold("function", name="nothing")),
    ],
)
def test_a_defect_of_ours_is_not_the_scripts(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, where: str, spec: dict[str, Any]
) -> None:
    """The script runs once, to its end, and Kamailio gets what it returned."""

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a defect")

    host = armed(script, {"file": script.__file__, **spec}, grant, go("finish"))
    monkeypatch.setattr(where, fails)
    assert host.call("ksr_request_route") == 1
    assert host.ksr.called.count(("tm.t_relay", ())) == 1
    assert host.said == ["holds do not work in this process: RuntimeError: a defect"]
    assert host.holds.armed == [] and host.holds.live is None
    (failed,) = host.link.events("hold.failed")
    assert "RuntimeError: a defect" in failed["text"]


def test_what_the_script_raises_stays_its_own(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a defect")

    host = armed(script, hold("function", name="nothing"))
    monkeypatch.setattr("ksrcore.kamailio.ksragent.hold_held.Live.finish", fails)
    with pytest.raises(KeyError, match="gone"):
        host.call("fails")
