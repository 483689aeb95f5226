"""Stepping the route of a captured message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from ksrcore.debug.errors import DebugError
from ksrcore.debug.sandbox import Sandboxes
from ksrcore.debug.states import short_repr
from ksrcore.debug.stepper import Stepper
from ksrcore.net.address import Rcv
from ksrcore.proxy import Proxy

Make = Callable[..., Proxy]


class Walk:
    """A stepper on message 1 and its latest state."""

    def __init__(self, proxy: Proxy, callback: str = "ksr_request_route") -> None:
        record = proxy.recorder.get(1)
        assert record is not None
        self.states: Queue[dict[str, Any]] = Queue()
        self.stepper = Stepper(Sandboxes(proxy), record, callback, self.states.put)
        self.state = self.states.get(timeout=5)

    def do(self, op: str, line: int = 0) -> dict[str, Any]:
        self.stepper.order(op, line)
        self.state = self.states.get(timeout=5)
        return self.state

    @property
    def at(self) -> tuple[str, int]:
        return self.state["function"], self.state["line"]


@pytest.fixture
def walk(make: Make) -> Iterator[Callable[..., Walk]]:
    walks: list[Walk] = []

    def start(proxy: Proxy | None = None, callback: str = "ksr_request_route") -> Walk:
        walks.append(Walk(proxy or make(), callback))
        return walks[-1]

    yield start
    for walked in walks:
        walked.stepper.close()
        walked.stepper.join()
        assert not walked.stepper.thread.is_alive()
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-step")]


def test_next_goes_line_by_line(walk: Callable[..., Walk]) -> None:
    w = walk()
    lines = [w.at]
    while not w.do("next")["done"]:
        lines.append(w.at)
    assert lines == [("ksr_request_route", n) for n in range(4, 10)]
    assert w.state["event"] == "end" and w.state["result"] == "1"


def test_into_a_function_and_out(walk: Callable[..., Walk]) -> None:
    w = walk()
    w.do("into")
    assert w.at == ("target", 12)
    assert [frame["function"] for frame in w.state["stack"]] == ["ksr_request_route", "target"]
    w.do("next")
    assert w.state["locals"]["user"] == "'bob'"
    w.do("out")
    assert w.at == ("ksr_request_route", 5)
    assert w.state["locals"]["where"] == "'sip:bob@127.0.0.1:5090'"


def test_next_call_stops_before_each_ksr_call(walk: Callable[..., Walk]) -> None:
    w = walk()
    calls = []
    while not w.do("next_call")["done"]:
        calls.append(w.state["call"])
    assert calls == [
        "KSR.pv.get('$rU')", "KSR.hdr.append('X-Route: 1\\r\\n')", "KSR.seturi('sip:bob@127.0.0.1:5090')",
        "KSR.tm.t_on_branch('ksr_branch')", "KSR.tm.t_relay()", "KSR.hdr.append('X-Branch: 1\\r\\n')",
    ]  # fmt: skip
    made = [(call["name"], call["result"]) for call in w.state["calls"]]
    assert made[0] == ("KSR.pv.get", "bob") and made[-1] == ("KSR.tm.t_relay", 1)
    assert all(call["duration"] >= 0 for call in w.state["calls"])


def test_a_line_and_the_end(walk: Callable[..., Walk]) -> None:
    w = walk()
    w.do("to", 8)
    assert w.at == ("ksr_request_route", 8)
    assert "+X-Route: 1" in w.state["effects"]["diff"]
    assert w.state["effects"]["state"]["$ru"] == "sip:bob@127.0.0.1:5090"
    w.do("finish")
    assert w.state["done"]
    assert any(s["data"].startswith("INVITE sip:bob@127.0.0.1:5090") for s in w.state["effects"]["sent"])


def test_a_line_without_code_is_refused(walk: Callable[..., Walk]) -> None:
    w = walk()
    with pytest.raises(DebugError, match="line 10 of .* has no code; the next with code is 12"):
        w.stepper.order("to", 10)
    with pytest.raises(DebugError, match="line 99 of .* has no code; the last with code is 17"):
        w.stepper.order("to", 99)
    w.do("next")
    assert w.at == ("ksr_request_route", 5)


def test_the_branch_route_is_stepped_inside_t_relay_and_traffic_goes_on(make: Make, walk: Callable[..., Walk]) -> None:
    proxy = make()
    w = walk(proxy)
    w.do("to", 16)
    assert w.at == ("ksr_branch", 16)
    before = proxy.recorder.last_id
    text = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5081;branch=z9hG4bK2\r\n" + (
        "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c2\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    proxy.receive(text.encode(), Rcv("udp", "127.0.0.1", 5081, "127.0.0.1", 5060, proxy.listens[0]), 2.5)
    assert proxy.recorder.last_id > before + 1, "the other message was routed"
    assert w.do("finish")["done"]


def test_an_expression_in_the_stopped_frame(walk: Callable[..., Walk]) -> None:
    w = walk()
    w.do("next")
    assert w.stepper.evaluate("where[:3] + KSR.pv.get('$rU')") == "'sipbob'"
    with pytest.raises(NameError):
        w.stepper.evaluate("nothing")


def test_a_function_that_is_not_there_yet(make: Make, walk: Callable[..., Walk]) -> None:
    source = "import KSR\ndef ksr_request_route(msg):\n    KSR.ims_charging.Ro_CCR('a', 'b', 1, 2)\n"
    w = walk(make(source))
    w.do("finish")
    assert "KsrNotImplemented: KSR.ims_charging.Ro_CCR" in w.state["exception"]


def test_an_exception_ends_it(make: Make, walk: Callable[..., Walk]) -> None:
    proxy = make("import KSR\ndef ksr_request_route(msg):\n    KSR.setflag('x')\n")
    w = walk(proxy)
    w.do("finish")
    assert "KSR.setflag" in w.state["exception"]


def test_orders_that_make_no_sense(walk: Callable[..., Walk]) -> None:
    w = walk()
    with pytest.raises(DebugError, match="known: next, into"):
        w.stepper.order("sideways")
    with pytest.raises(DebugError, match="needs a line number"):
        w.stepper.order("to")
    w.do("finish")
    with pytest.raises(DebugError, match="has ended"):
        w.stepper.order("next")


def test_the_live_hook_is_gone_afterwards(make: Make, walk: Callable[..., Walk]) -> None:
    proxy = make()
    w = walk(proxy)
    assert proxy.env.hook is not None
    w.do("finish")
    w.stepper.thread.join(5)
    assert proxy.env.hook is None


def test_short_repr_never_fails() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    assert short_repr(Bad()) == "<Bad: repr failed: RuntimeError>"
    assert len(short_repr("x" * 1000)) == 400
