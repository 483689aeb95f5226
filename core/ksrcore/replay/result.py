"""What became of one message in a replay, and how that differs from what a capture shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Raised", "Result", "Sent", "Summary"]


class Sent(NamedTuple):
    """A message that left: its first line without the version, and where to (``udp:10.0.0.2:5060``)."""

    first: str
    dest: str

    @property
    def text(self) -> str:
        return f"{self.first} to {self.dest}"


@dataclass
class Raised:
    """An exception of a callback: in one line, the script's line (``routes.py:42``), the traceback of its frames."""

    callback: str
    error: str
    place: str
    traceback: str

    @property
    def text(self) -> str:
        return f"{self.error} in {self.callback}{f' ({self.place})' if self.place else ''}"


@dataclass
class Result:
    """One message that came to the proxy. ``number`` counts from 1; ``time`` is unix time; ``seconds``: what it took to
    process it; ``sent``: what left because of it, timers included; ``real``: what the capture shows instead."""

    number: int
    time: float
    source: str
    title: str
    callid: str
    is_request: bool
    seconds: float = 0.0
    callbacks: list[str] = field(default_factory=list)
    dropped: bool = False
    error: str = ""
    sent: list[Sent] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    #: As facts.Causes tells, for comparing.
    ours: list[Sent] = field(default_factory=list)
    real: list[Sent] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """In a few words: ``replied 404``, ``replied 100, relayed to udp:10.0.0.2:5060``, ``dropped`` ..."""
        parts: list[str] = []
        if self.raised:
            parts.append(f"exception: {self.raised[0].text}")
        for each in self.sent:
            code = each.first.partition(" ")[0]
            if not code.isdigit():
                method, _, uri = each.first.partition(" ")
                what = "relayed" if self.is_request and self.title.startswith(f"{method} ") else f"sent {method}"
                part = f"{what} to {each.dest}"
            elif self.is_request:
                part = f"replied {code}"
            else:
                part = f"passed on to {each.dest}"
            if part not in parts:
                parts.append(part)
        if not parts:
            if self.error:
                parts.append(self.error)
            elif self.dropped:
                parts.append("dropped")
            else:
                parts.append("nothing sent" if self.callbacks else "absorbed")
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "time": self.time,
            "from": self.source,
            "message": self.title,
            "callid": self.callid,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 6),
            "callbacks": self.callbacks,
            "sent": [each._asdict() for each in self.sent],
            "raised": [vars(each) for each in self.raised],
            "differences": self.differences,
        }


@dataclass
class Summary:
    """All of a replay. ``capture``: what was read, in a line; ``proxy``: the addresses that were taken for the proxy's;
    ``guessed``: they were not given; ``unrelated``: messages neither from nor to them; ``left_out``: those that --where
    left out; ``compared``: the capture shows what the real proxy sent; ``interrupted``: the user ended it early."""

    capture: str
    script: str
    proxy: str
    guessed: bool
    results: list[Result] = field(default_factory=list)
    unrelated: int = 0
    left_out: int = 0
    compared: bool = False
    against: str = "the capture"
    interrupted: bool = False

    @property
    def raised(self) -> list[Result]:
        return [each for each in self.results if each.raised]

    @property
    def differing(self) -> list[Result]:
        return [each for each in self.results if each.differences]

    def latency(self) -> tuple[float, float, float]:
        """Seconds a message took: median, 99th percentile, longest; zeros without messages."""
        times = sorted(each.seconds for each in self.results)
        if not times:
            return 0.0, 0.0, 0.0
        return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)], times[-1]

    def status(self, strict: bool) -> int:
        """The exit code: 1 when a callback raised, or something differs and that counts."""
        return 1 if self.raised or (strict and self.differing) else 0

    def to_json(self) -> dict[str, Any]:
        median, most, longest = self.latency()
        return {
            "capture": self.capture,
            "script": self.script,
            "proxy": self.proxy,
            "guessed": self.guessed,
            "messages": len(self.results),
            "raised": len(self.raised),
            "compared": self.compared,
            "differing": len(self.differing),
            "unrelated": self.unrelated,
            "left_out": self.left_out,
            "interrupted": self.interrupted,
            "seconds": {"median": round(median, 6), "p99": round(most, 6), "longest": round(longest, 6)},
            "results": [each.to_json() for each in self.results],
        }
