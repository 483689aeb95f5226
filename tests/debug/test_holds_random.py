"""Thousands of random messages, holds and orders: nothing raises, nothing stays behind."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from debug.holding import Holding
from ksrcore.debug.errors import DebugError
from ksrcore.debug.held import Held
from tm.playbook import BOB, Sent, reply, request

PLACES = ("", "ksr_route_relay", "ksr_branch", "ksr_onreply", "ksr_failure", "KSR.tm.t_relay", "7", "exception")
CONDITIONS = ("", 'method == "INVITE"', 'rU == "bob"', 'callid != "c3"', 'pv("$du") == None')


class Traffic:
    """What happens next is chance; ``sent`` is all that left."""

    def __init__(self, book: Holding, seed: int) -> None:
        self.book = book
        self.random = random.Random(seed)
        self.sent: list[Sent] = []
        self.calls = 0

    def step(self) -> None:
        pick, choice, book = self.random.random(), self.random.choice, self.book
        if pick < 0.03:
            options: dict[str, Any] = {"hits": choice([1, 1, 2]), "once": pick < 0.01, "if_": choice(CONDITIONS)}
            book.hold(choice(PLACES), timeout=choice([0, 1, 3, 20]), log=choice(["", "", "{method}"]), **options)
        elif pick < 0.05 and book.holds.armed:
            book.holds.disarm(choice(list(book.holds.armed)))
        elif pick < 0.3:
            self.calls += 1
            self.feed(choice(["INVITE", "INVITE", "OPTIONS"]), self.calls)
        elif pick < 0.35 and self.calls:
            self.feed(choice(["INVITE", "CANCEL", "OPTIONS"]), self.random.randint(max(1, self.calls - 10), self.calls))
        elif pick < 0.55:
            out = [s for s in self.sent[-40:] if s.dest.ip == BOB and s.first.startswith(("INVITE", "OPTIONS"))]
            if out:
                code = choice([100, 180, 183, 200, 404, 486, 503, 603])
                self.sent += book.feed(reply(choice(out), code), BOB)
        elif pick < 0.7:
            self.sent += book.advance(choice([0.1, 0.6, 3, 12]))
        elif book.held:
            try:
                self.order(choice(book.held))
            except DebugError:
                pass
            self.sent += book.take()

    def feed(self, method: str, number: int) -> None:
        self.sent += self.book.feed(request(method, branch=f"z9hG4bK{number}", callid=f"c{number}"))

    def order(self, held: Held) -> None:
        holds, choice, pick = self.book.holds, self.random.choice, self.random.random()
        if pick < 0.4:
            held.order(choice(["next", "into", "out", "next_call", "finish"]))
        elif pick < 0.6:
            holds.release(held, "resumed")
        elif pick < 0.7:
            holds.drop(held)
        elif pick < 0.8:
            holds.answer(held, choice([200, 486, 603]), "Reason")
        elif pick < 0.9:
            held.state()
            held.evaluate("msg")
            held.call("hdr.append", ("X: 1\r\n",))
        else:
            held.set("$du", "'sip:10.0.0.3'")


@pytest.mark.parametrize("seed", range(3))
def test_nothing_stays_behind(tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    book = Holding(tmp_path)
    traffic = Traffic(book, seed)
    for _ in range(1500):
        traffic.step()
    book.holds.stop()
    book.advance(400.0)
    assert traffic.calls > 300 and any(event == "held" for event, _ in book.events)
    assert (book.held, book.transactions, book.proxy.debugger, book.proxy.env.hook) == ([], 0, None, None)
    assert not book.holds.waiting
    assert {r.error for r in book.proxy.recorder if r.error and not r.error.startswith("absorbed")} == set()
    assert "Traceback" not in caplog.text
    book.holds.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-task")]
