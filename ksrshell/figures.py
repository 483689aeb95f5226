"""Figures over time: how long callbacks took, how much went through. Shown as plots in notebooks, as bars elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session

#: Upper ends of the classes of durations, in seconds: three a decade.
CLASSES = tuple(base * 10.0**power for power in range(-6, 2) for base in (1, 2, 5))
#: Messages that are looked at.
LIMIT = 1000
#: At most so many intervals of time.
INTERVALS = 60


class Timing:
    """The runs of one callback: ``seconds`` in the order they ran, ``ids`` of their messages, ``times`` (unix)."""

    def __init__(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        self.name = name
        self.ids = [int(row[0]) for row in rows]
        self.times = [float(row[1]) for row in rows]
        self.seconds = [float(row[2]) for row in rows]
        self._sorted = sorted(self.seconds)

    def percentile(self, share: float) -> float:
        """The duration that ``share`` (0 to 1) of the runs did not exceed."""
        return self._sorted[max(0, math.ceil(share * len(self._sorted)) - 1)]

    @property
    def histogram(self) -> list[tuple[float, float, int]]:
        """(lower, upper, runs) of each class from the fastest run to the slowest."""
        counts: dict[int, int] = {}
        for each in self.seconds:
            at = next((n for n, upper in enumerate(CLASSES) if each <= upper), len(CLASSES) - 1)
            counts[at] = counts.get(at, 0) + 1
        low, high = min(counts), max(counts)
        return [(CLASSES[at - 1] if at else 0.0, CLASSES[at], counts.get(at, 0)) for at in range(low, high + 1)]


class Latency(View):
    """How long each callback took, by name: ``latency()["ksr_request_route"].percentile(0.99)``."""

    def __init__(self, callbacks: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        self.callbacks = {name: Timing(name, rows) for name, rows in callbacks.items() if rows}

    def __getitem__(self, name: str) -> Timing:
        try:
            return self.callbacks[name]
        except KeyError:
            known = ", ".join(self.callbacks) or "none"
            raise UsageError(f"no run of {name!r} is in the capture; there are: {known}") from None

    def __rich__(self) -> RenderableType:
        from .render.figures import latency_table

        return latency_table(self)

    def to_json(self) -> Any:
        return {
            name: {"runs": len(each.seconds), "median": each.percentile(0.5), "p99": each.percentile(0.99),
                   "longest": each.percentile(1.0)}
            for name, each in self.callbacks.items()
        }  # fmt: skip


class Traffic(View):
    """Messages over time. ``start`` (unix time), ``interval`` (seconds), ``kinds``: counts by what they are: requests
    by method, replies by class."""

    def __init__(self, rows: Sequence[tuple[float, str]]) -> None:
        self.total = len(rows)
        first = min((at for at, _ in rows), default=0.0)
        last = max((at for at, _ in rows), default=0.0)
        self.interval = _nice((last - first) / INTERVALS)
        self.start = math.floor(first / self.interval) * self.interval
        self.length = int((last - self.start) // self.interval) + 1 if rows else 0
        self.kinds: dict[str, list[int]] = {}
        for at, kind in rows:
            counts = self.kinds.setdefault(kind, [0] * self.length)
            counts[min(self.length - 1, int((at - self.start) // self.interval))] += 1
        self.kinds = dict(sorted(self.kinds.items(), key=lambda pair: (pair[0][0].isdigit(), -sum(pair[1]))))

    @property
    def sums(self) -> list[int]:
        return [sum(counts[at] for counts in self.kinds.values()) for at in range(self.length)]

    def __rich__(self) -> RenderableType:
        from .render.figures import traffic_table

        return traffic_table(self)

    def to_json(self) -> Any:
        return {"start": self.start, "interval": self.interval, "kinds": self.kinds}


def _nice(seconds: float) -> float:
    """The next longer of 0.1, 0.2, 0.5, 1, 2, 5 ... seconds, and of whole minutes and hours."""
    steps = [base * 10.0**power for power in range(-2, 1) for base in (1, 2, 5)]
    steps += [10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0]
    return next((step for step in steps if step >= seconds), 86400.0 * math.ceil(seconds / 86400.0))


def latency(session: Session, limit: int = LIMIT) -> Latency:
    return Latency(session.call("ksr.timings", {"limit": limit})["callbacks"])


def traffic(session: Session, limit: int = LIMIT) -> Traffic:
    rows = []
    for summary in session.call("ksr.messages", {"limit": limit})["messages"]:
        status = int(summary.get("status") or 0)
        kind = str(summary.get("method") or "unreadable") if not status else f"{status // 100}xx"
        rows.append((float(summary["time"]), kind))
    return Traffic(rows)
