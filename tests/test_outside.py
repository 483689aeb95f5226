"""Messages whose script waits for somebody outside: others flow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from debug.holding import Holding
from ksrcore.outside import look_at
from tm.playbook import ALICE, BOB, Playbook, Sent

RELAY = """
def ksr_request_route(self, msg):
    if KSR.pv.get("$rU") == "ask":
        KSR.info("%s" % KSR.rtpproxy.rtpproxy_manage0())
    self.relay(msg)
    return 1

def relay(self, msg):
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_relay()
    return 1

def ksr_failure(self, msg):
    KSR.rtpproxy.rtpproxy_manage0()
    KSR.info("failed")
    return 1
"""

INVITE = """INVITE sip:{user}@10.0.0.3 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{n}
From: <sip:alice@10.0.0.2>;tag=a{n}
To: <sip:{user}@10.0.0.3>
Call-ID: call{n}
CSeq: 1 INVITE
Max-Forwards: 70
Content-Length: 0

"""


class Asking(Playbook):
    """rtpproxy's functions wait until :meth:`answer`; ``asked`` counts the questions."""

    def __init__(self, tmp_path: Path, script: str = RELAY) -> None:
        super().__init__(tmp_path, script)
        self.prepare()

    def prepare(self) -> None:
        self.turns: Queue[Callable[[], None]] = Queue()
        self.there: Queue[int] = Queue()
        self.asked = 0
        proxy = self.proxy
        proxy.tasks.post = self.turns.put
        module: Any = proxy.modules["rtpproxy"]
        module.waits = lambda: True
        module._manage = lambda run, flags, ip: proxy.wait(self.ask)
        assert proxy.script is not None
        look_at(proxy, proxy.script)

    def ask(self) -> int:
        self.asked += 1
        return self.there.get(timeout=5)

    def answer(self, code: int = 1) -> list[Sent]:
        self.there.put(code)
        self.turns.get(timeout=5)()
        return self.take()

    def close(self) -> None:
        for _ in range(200):
            self.there.put(0)
        self.proxy.tasks.close()


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    others = set(threading.enumerate())
    made = Asking(tmp_path)
    yield made
    made.close()
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("ksr-task")]


def firsts(sent: list[Sent]) -> list[str]:
    return [s.first for s in sent]


def test_which_callbacks_wait(asking: Asking) -> None:
    outside = asking.proxy.outside
    assert outside is not None and asking.proxy.debugger is outside
    assert (outside.requests, outside.others) == (True, True)


def test_others_flow_while_one_waits(asking: Asking) -> None:
    assert asking.feed(INVITE.format(user="ask", n=1)) == []
    assert asking.asked == 1
    assert firsts(asking.feed(INVITE.format(user="bob", n=2))) == [
        "SIP/2.0 100 trying -- your call is important to us",
        "INVITE sip:bob@10.0.0.3 SIP/2.0",
    ]
    # A retransmission is another message, as for another worker.
    assert asking.feed(INVITE.format(user="ask", n=1)) == []
    assert asking.asked == 2
    sent = asking.answer()
    assert firsts(sent) == ["SIP/2.0 100 trying -- your call is important to us", "INVITE sip:ask@10.0.0.3 SIP/2.0"]
    # t_relay finds the transaction that the other has made meanwhile.
    assert "INVITE sip:ask@10.0.0.3 SIP/2.0" not in firsts(asking.answer())
    assert not asking.proxy.outside.busy()  # type: ignore[union-attr]


def _reply(sent: Sent, code: int) -> str:
    head = [line for line in sent.text.split("\r\n")[1:] if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
    return "\n".join([f"SIP/2.0 {code} X", *head, "To: <sip:bob@10.0.0.3>;tag=b", "Content-Length: 0", "", ""])


def test_replies_and_timers_come_after_a_failure_route_that_waits(asking: Asking) -> None:
    sent = asking.feed(INVITE.format(user="bob", n=3))[-1]
    assert firsts(asking.feed(_reply(sent, 486), BOB)) == ["ACK sip:bob@10.0.0.3 SIP/2.0"]
    assert asking.asked == 1
    assert asking.feed(_reply(sent, 486), BOB) == []  # behind it
    asking.advance(1.0)
    sent_now = asking.answer()
    assert firsts(sent_now)[0] == "SIP/2.0 486 X"
    assert "ACK sip:bob@10.0.0.3 SIP/2.0" in firsts(sent_now)


def test_further_ones_queue(asking: Asking) -> None:
    outside = asking.proxy.outside
    assert outside is not None
    outside.limit = 3
    for n in range(5):
        asking.feed(INVITE.format(user="ask", n=10 + n))
    assert asking.asked == 3
    relayed: list[str] = []
    for _ in range(5):
        relayed += [first for first in firsts(asking.answer()) if first.startswith("INVITE")]
    assert len(relayed) == 5 and asking.asked == 5 and outside.most == 3 and not outside.busy()


def test_a_script_that_does_not_wait_has_no_tasks(tmp_path: Path) -> None:
    book = Playbook(tmp_path, RELAY)
    assert book.proxy.outside is None and book.proxy.debugger is None


def test_a_swap_changes_who_waits(asking: Asking) -> None:
    script = asking.proxy.script
    assert script is not None and asking.proxy.outside is not None
    script.swap("def ksr_failure(self, msg):\n    return 1\n")
    assert (asking.proxy.outside.requests, asking.proxy.outside.others) == (True, False)
    script.swap("def ksr_request_route(self, msg):\n    return 1\n")
    assert asking.proxy.debugger is None
    script.rollback("ksr_failure")
    assert (asking.proxy.outside.requests, asking.proxy.outside.others) == (False, True)
    assert asking.proxy.debugger is asking.proxy.outside


class AskingHolding(Holding):
    def __init__(self, tmp_path: Path, script: str = RELAY) -> None:
        super().__init__(tmp_path, script)
        Asking.prepare(self)  # type: ignore[arg-type]

    ask = Asking.ask
    answer = Asking.answer
    close = Asking.close
    turns: Queue[Callable[[], None]]
    there: Queue[int]
    asked: int


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[AskingHolding]:
    others = set(threading.enumerate())
    made = AskingHolding(tmp_path)
    yield made
    made.holds.close()
    made.close()  # type: ignore[misc]
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("ksr-task")]


def test_a_message_of_a_hold_waits_and_is_held(holding: AskingHolding) -> None:
    book: Any = holding
    book.hold("relay")
    assert book.feed(INVITE.format(user="ask", n=1)) == []
    assert book.held == [] and book.asked == 1
    assert book.feed(INVITE.format(user="bob", n=2), ALICE)[0].first.startswith("SIP/2.0 100")  # held, too
    assert [held.at[0] for held in book.held] == ["relay"]
    assert book.answer()[0].first.startswith("SIP/2.0 100")
    assert len(book.held) == 2
    for held in list(book.held):
        assert firsts(book.release(held))[-1].startswith("INVITE")
    assert book.proxy.debugger is book.holds


def test_stepping_over_a_call_that_waits(holding: AskingHolding) -> None:
    book: Any = holding
    hold = book.hold("ksr_request_route")
    book.feed(INVITE.format(user="ask", n=1))
    (held,) = book.held
    book.holds.disarm(hold.id)
    held.order("next")
    held.order("next")
    assert book.asked == 1 and book.held == [held]
    with pytest.raises(Exception, match="waits for somebody outside"):
        held.order("next")
    book.answer()
    assert book.held == [held] and (held.view()["function"], held.view()["line"]) == ("ksr_request_route", 8)
    assert firsts(book.release(held))[-1].startswith("INVITE")
    assert book.proxy.debugger is book.proxy.outside


def test_released_while_it_waits(holding: AskingHolding) -> None:
    book: Any = holding
    hold = book.hold("ksr_request_route")
    book.feed(INVITE.format(user="ask", n=1))
    (held,) = book.held
    book.holds.disarm(hold.id)
    held.order("next")
    held.order("next")
    book.holds.release(held, "resumed")
    assert book.held == [] and held.released == "resumed"
    assert firsts(book.answer())[-1].startswith("INVITE")
    assert book.proxy.debugger is book.proxy.outside and not book.holds.waiting


def test_functions_that_wait_are_functions_of_their_module(tmp_path: Path) -> None:
    script = "def ksr_request_route(self, msg):\n    return 1\n"
    book = Playbook(tmp_path, script, modparams=["cfgutils:lock_set_size=2"])
    for module in book.proxy.modules.values():
        names = module.waits()
        assert isinstance(names, bool) or set(names) <= set(module.exports), module.name


def test_modules_that_wait_say_so() -> None:
    """A file whose code waits for somebody outside belongs to a module that declares it."""
    folder = files("ksrcore.kemi")
    texts = {file.name: file.read_text() for file in folder.iterdir() if file.name.endswith(".py")}
    families = {name.partition("_")[0].removesuffix(".py") for name, text in texts.items() if "proxy.wait(" in text}
    saying = {name.partition("_")[0].removesuffix(".py") for name, text in texts.items() if "def waits(" in text}
    assert families - saying == set()
