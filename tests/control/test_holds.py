"""``ksr.hold.*`` on a proxy in this process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ksrcore.control.errors import ControlError
from ksrcore.control.methods import Methods
from ksrcore.control.server import Connection
from tm.playbook import ALICE, BOB, Playbook, Sent, firsts, request

Ask = Callable[..., Any]

SCRIPT = """
def ksr_request_route(self, msg):
    user = KSR.pv.get("$rU")
    KSR.tm.t_relay()
    return 1
"""


class Server:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def publish(self, event: str, params: dict[str, Any]) -> None:
        self.events.append((event, params))


class Book(Playbook):
    """Its messages come in a loop, as in a proxy."""

    loop: asyncio.AbstractEventLoop

    def feed(self, *args: Any, **options: Any) -> list[Sent]:
        async def main() -> list[Sent]:
            return super(Book, self).feed(*args, **options)

        return self.loop.run_until_complete(main())


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path, SCRIPT)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client() -> Connection:
    return Connection(cast("Any", None), cast("Any", None))


@pytest.fixture
def ask(book: Book, client: Connection, server: Server) -> Iterator[Ask]:
    methods = Methods(book.proxy, lambda: None, dict)
    methods.server = cast("Any", server)
    table = methods.table()

    def call(method: str, **params: Any) -> Any:
        async def main() -> Any:
            result = table[method](client, params)
            return await result if inspect.isawaitable(result) else result

        return loop.run_until_complete(main())

    loop = book.loop = asyncio.new_event_loop()
    yield call
    methods.close()
    assert book.proxy.debugger is None
    loop.close()


def test_hold_step_and_resume(ask: Ask, book: Book, server: Server) -> None:
    hold = ask("ksr.hold.arm", where="ksr_request_route", **{"if": 'rU == "bob"'}, timeout=20)
    assert (hold["id"], hold["timeout"], hold["if"]) == (1, 20, 'rU == "bob"')
    assert [h["at"] for h in ask("ksr.hold.list")] == ["ksr_request_route"]
    assert ask("ksr.stats")["held"] == 0 and ask("ksr.stats")["holds"] == 1
    book.feed(request("INVITE"))
    assert ask("ksr.stats")["held"] == 1
    (held,) = ask("ksr.hold.held")
    assert (held["held"], held["line"], held["summary"]["method"], held["left"]) == (1, 6, "INVITE", 20)
    event, told = server.events[0]
    assert event == "held" and told["text"] == "held 1: INVITE alice -> bob at ksr_request_route:6"
    assert (told["position"], told["step"], told["state"]["line"], told["held"]) == (0, held["step"], 6, 1)
    assert ask("ksr.hold.state", held=1)["source"][5] == '        user = KSR.pv.get("$rU")'
    step = ask("ksr.hold.step", held=1)["step"]
    assert ask("ksr.hold.step", held=1)["step"] == step
    state = ask("ksr.step.do", step=step, op="next")
    assert (state["line"], state["live"], state["locals"]["user"]) == (7, True, "'bob'")
    assert ask("ksr.step.eval", step=step, expr="user * 2") == {"repr": "'bobbob'"}
    assert ask("ksr.step.set", step=step, name="user", expr="1") == {"repr": "1"}
    assert ask("ksr.step.pv", step=step, name="$rU") == {"value": "bob"}
    assert ask("ksr.hold.call", held=1, name="hdr.append", args=["X-A: 1\r\n"]) == {"result": 1}
    with pytest.raises(ControlError, match="nearest: KSR.hdr.append"):
        ask("ksr.hold.call", held=1, name="hdr.apend", args=["X-A: 1\r\n"])
    book.take()
    state = ask("ksr.step.do", step=step, op="finish")
    assert state["done"] and state["result"] == "1"
    (invite,) = book.take()
    assert invite.first == f"INVITE sip:bob@{BOB} SIP/2.0" and invite.header("X-A") == ["1"]
    assert [event for event, _ in server.events] == ["held", "released"]
    with pytest.raises(ControlError, match="held 1 waits no more: resumed"):
        ask("ksr.step.do", step=step, op="next")
    with pytest.raises(ControlError, match="no message is held under 1; held: none"):
        ask("ksr.hold.resume", held=1)
    assert ask("ksr.message", id=1)["held"] == ["held 1 at ksr_request_route:6 for 0.0 s: resumed"]
    assert ask("ksr.hold.disarm", id=1)["held"] == 1
    with pytest.raises(ControlError, match="no hold 1 is armed; armed: none"):
        ask("ksr.hold.disarm", id=1)


def test_drop_answer_resume(ask: Ask, book: Book) -> None:
    ask("ksr.hold.arm", where="KSR.tm.t_relay")
    for n, name in enumerate("abc"):
        book.feed(request("INVITE", branch=f"z9hG4bK{n}", callid=name))
    ask("ksr.hold.answer", held=1, code=486)
    assert firsts(book.take()) == [f"{ALICE} SIP/2.0 486 Busy Here"]
    ask("ksr.hold.drop", held=2)
    assert book.take() == []
    ask("ksr.hold.resume", held=3)
    assert firsts(book.take()) == [f"{BOB} INVITE sip:bob@{BOB} SIP/2.0"]


def test_a_client_that_goes(ask: Ask, book: Book, client: Connection, server: Server) -> None:
    ask("ksr.hold.arm", where="KSR.tm.t_relay")
    ask("ksr.hold.arm", where="ksr_request_route", keep=True, log="seen")
    book.feed(request("INVITE"))
    (closer,) = client.closers
    closer()
    assert [h["id"] for h in ask("ksr.hold.list")] == [2]
    assert [event for event, _ in server.events] == ["log", "held", "released"]
    assert server.events[2][1]["reason"] == "its client has gone"


def test_real_calls_in_a_sandbox(ask: Ask, book: Book) -> None:
    book.feed(request("OPTIONS"))
    box = ask("ksr.sandbox.open", id=1)["sandbox"]
    with pytest.raises(ControlError, match="message 1 is not held: KSR calls are real on a held message only"):
        ask("ksr.sandbox.call", sandbox=box, name="sl.send_reply", args=[200, "OK"], live=True)
    ask("ksr.hold.arm", where="ksr_request_route")
    book.feed(request("OPTIONS", branch="z9hG4bK9", callid="two"))
    id = ask("ksr.hold.held")[0]["message"]
    box = ask("ksr.sandbox.open", id=id)["sandbox"]
    assert ask("ksr.sandbox.call", sandbox=box, name="sl.send_reply", args=[200, "OK"], live=True)["result"] == 1
    assert firsts(book.take()) == [f"{ALICE} SIP/2.0 200 OK"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"where": 5}, "where is 5"),
        ({"hits": "x"}, "hits is 'x'"),
        ({"wheer": "x"}, "unknown parameter 'wheer'"),
        ({"where": "nosuch"}, "no function 'nosuch'"),
        ({"if": "nosuch == 1"}, "neither a field"),
        ({"timeout": 99}, "longer than tm's fr_timer"),
    ],
)
def test_wrong_parameters(ask: Ask, params: dict[str, Any], said: str) -> None:
    with pytest.raises(ControlError, match=said):
        ask("ksr.hold.arm", **params)
