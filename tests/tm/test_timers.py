"""Queues of timers: order, laziness, and that they always come to rest."""

from __future__ import annotations

import pytest

from ksrcore.tm.timers import LEAST, NEVER, Timed, Timers


class Item(Timed):
    """Notes when it fires; sets itself again to come after ``again`` seconds, when that is given."""

    def __init__(self, timers: Timers, again: float | None = None) -> None:
        self.timers = timers
        self.again = again
        self.due = self.queued = NEVER
        self.fired: list[float] = []

    def fire(self, now: float) -> None:
        self.fired.append(now)
        if self.again is not None:
            self.timers.set(self, now, self.again)


def test_they_fire_when_due() -> None:
    timers = Timers()
    timers.common(0.5)
    items = [Item(timers) for _ in range(3)]
    for item, delay in zip(items, (0.5, 0.2, 60.0), strict=True):
        timers.set(item, 10.0, delay)
    for now in (10.1, 10.3, 10.6, 15.1, 69.9, 70.1):
        timers.advance(now)
    assert [item.fired for item in items] == [[10.6], [10.3], [70.1]]
    assert timers.next == NEVER and not len(timers)


def test_one_moved_later_fires_later() -> None:
    timers = Timers()
    item = Item(timers)
    timers.set(item, 0.0, 0.5)
    timers.set(item, 0.1, 2.0)
    timers.advance(0.6)
    assert item.fired == []
    timers.advance(2.2)
    assert item.fired == [2.2]


@pytest.mark.parametrize("again", [0.0, -1.0, 1e-20])
def test_one_that_wants_to_come_at_once_does_not_hold_up_the_rest(again: float) -> None:
    timers = Timers()
    restless, other = Item(timers, again), Item(timers)
    timers.set(restless, 1e6, again)
    timers.set(other, 1e6, 0.01)
    for turn in range(1, 21):
        timers.advance(1e6 + turn * 2 * LEAST)
    assert len(restless.fired) == 20
    assert len(other.fired) == 1
