"""Timers of transactions: one per transaction or branch, in FIFO queues by length.

Thousands of transactions share a handful of lengths (T1, T2, fr_timer, wt_timer), so a queue per length is sorted by
itself and costs an append and a popleft; other lengths wait in a heap. A timer is lazy: moving its time later changes
one number, and the queue entry asks again when its time comes. No entry stays longer than ``HOP`` seconds, so that a
finished transaction is not kept alive by a queue.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final

__all__ = ["HOP", "NEVER", "Timed", "Timers"]

NEVER: Final = inf
HOP: Final = 5.0
#: A timer set to come sooner comes then. So time goes on between two of its firings: what sets itself to come at once,
#: again and again, would never let :meth:`Timers.advance` return.
LEAST: Final = 0.001

log = logging.getLogger("ksrcore.tm")


class Timed(ABC):
    """Something with one timer. ``due``: when it fires (monotonic seconds), NEVER when it does not; ``queued``: the
    time of its entry in a queue, NEVER without one."""

    __slots__ = ("due", "queued")

    due: float
    queued: float

    @abstractmethod
    def fire(self, now: float) -> None:
        """The time has come."""


class Timers:
    """The queues. ``next``: when :meth:`advance` has work."""

    def __init__(self) -> None:
        self.next = NEVER
        self._queues: dict[float, deque[tuple[float, Timed]]] = {HOP: deque()}
        self._heap: list[tuple[float, int, Timed]] = []
        self._ids = count()

    def common(self, *lengths: float) -> None:
        """Have queues for these lengths in seconds."""
        for length in lengths:
            if 0 < length <= HOP:
                self._queues.setdefault(length, deque())

    def set(self, item: Timed, now: float, delay: float) -> None:
        """Fire ``item`` in ``delay`` seconds (LEAST at least), not when it was to fire before."""
        if delay < LEAST:
            delay = LEAST
        item.due = at = now + delay
        if at >= item.queued:
            return
        if delay > HOP:
            delay = HOP
            at = now + HOP
        item.queued = at
        queue = self._queues.get(delay)
        # A clock that went back must not break the order of a queue.
        if queue is None or (queue and queue[-1][0] > at):
            heappush(self._heap, (at, next(self._ids), item))
        else:
            queue.append((at, item))
        if at < self.next:
            self.next = at

    def clear(self) -> None:
        """Forget everything."""
        for queue in self._queues.values():
            queue.clear()
        self._heap.clear()
        self.next = NEVER

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self._queues.values()))

    def advance(self, now: float) -> None:
        """Fire what is due, in order of time. Never raises."""
        heap = self._heap
        queues = self._queues.values()
        # What was answered in time is most of it and fires nothing: it goes first, in whatever order.
        for queue in queues:
            while queue:
                at, item = queue[0]
                if at > now or item.due < NEVER:
                    break
                queue.popleft()
                if at == item.queued:
                    item.queued = NEVER
        while True:
            # The queue whose first entry is the earliest, and until when it stays so.
            best = limit = heap[0][0] if heap else NEVER
            chosen = None
            for queue in queues:
                if queue:
                    at = queue[0][0]
                    if at < best:
                        best, limit, chosen = at, best, queue
                    elif at < limit:
                        limit = at
            if best > now:
                self.next = best
                return
            if chosen is None:
                at, _, item = heappop(heap)
                self._pass(item, at, now)
                continue
            if limit > now:
                limit = now
            while chosen and chosen[0][0] <= limit:
                at, item = chosen.popleft()
                if item.due < NEVER:
                    self._pass(item, at, now)
                elif at == item.queued:
                    item.queued = NEVER

    def _pass(self, item: Timed, at: float, now: float) -> None:
        """An entry's time has come: fire it, or queue it again."""
        if at != item.queued:
            return  # was set to an earlier time after this entry was made
        item.queued = NEVER
        due = item.due
        if due > now:
            if due < NEVER:
                self.set(item, now, due - now)
            return
        item.due = NEVER
        try:
            item.fire(now)
        except Exception:
            log.exception("timer of %r failed", item)
