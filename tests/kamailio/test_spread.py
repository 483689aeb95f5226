"""A swap over all processes of a server: which of them are waited for."""

import asyncio
import time
from typing import Any, cast

from ksrcore.kamailio import swaps
from ksrcore.kamailio.ksragent.state import Proc
from ksrcore.kamailio.swaps import WorkerSwaps
from ksrcore.kamailio.workers import Worker, Workers


class Linked:
    """A process that has connected; it answers orders, or never looks."""

    def __init__(self, pid: int, rank: int, answers: bool) -> None:
        self.pid, self.rank, self.answers = pid, rank, answers
        self.swaps: dict[tuple[str, str], str] = {}
        self.generation = 0

    def order(self, do: str, **params: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.answers:
            future.set_result([(each["cls"], each["name"], each["key"]) for each in params["want"]])
        return future


class Everybody:
    def __init__(self, *linked: Linked) -> None:
        self.all = linked

    def on_event(self, name: str, fn: object) -> None:
        pass

    def kick(self) -> None:
        pass

    def by_pid(self, pid: int) -> Worker | None:
        return next((cast(Worker, each) for each in self.all if each.pid == pid), None)

    def receivers(self) -> list[Proc]:
        return [Proc(0, each.pid, each.rank, 0, 0, 0, False) for each in self.all if each.rank > 0]


async def _spread(*linked: Linked) -> tuple[list[str], float]:
    made = WorkerSwaps(cast(Workers, Everybody(*linked)), None, 1)
    made.want = {("", "f"): {"cls": "", "name": "f", "key": "k"}}
    began = time.monotonic()
    notes = await made.spread()
    return notes, time.monotonic() - began


def test_a_timer_process_is_not_waited_for() -> None:
    """It has run a callback, so it is linked, but nothing can wake it: it changes before its next callback."""
    notes, took = asyncio.run(_spread(Linked(11, 1, True), Linked(12, 2, True), Linked(13, -1, False)))
    assert notes == [] and took < 1.0


def test_a_worker_that_is_busy_is_said(monkeypatch: Any) -> None:
    monkeypatch.setattr(swaps, "OTHERS", 0.05)
    notes, _ = asyncio.run(_spread(Linked(11, 1, True), Linked(12, 2, False)))
    assert notes == ["process 12 has not answered yet: it changes before its next message"]
