"""What is fuzzed: each target takes any bytes and checks one invariant, which its docstring states.

A target raises when its invariant is broken, and returns when all is well.
"""

from __future__ import annotations

from collections.abc import Callable

from fuzz.captures import capture
from fuzz.channel import control, control_channel
from fuzz.expressions import pv, sample_proxy, where
from fuzz.parsing import frames, message, stream
from fuzz.traffic import CALLS_STREAK, DEMO_STREAK, STOCK_STREAK, TALK_STREAKS, calls, datagram, stock, talk


def finish(target: str) -> None:
    """The end of a target's inputs: its worlds come to rest, or raise what is wrong with them; then they are closed."""
    streaks = {"datagram": [DEMO_STREAK], "stock": [STOCK_STREAK], "calls": [CALLS_STREAK]}
    if target == "talk":
        streaks["talk"] = list(TALK_STREAKS.values())
    failed: list[Exception] = []
    for streak in streaks.get(target, ()):
        try:
            if streak.world is not None:
                streak.world.settle()
        except Exception as error:
            failed.append(error)
        finally:
            streak.drop()
    for place in (control_channel, sample_proxy):
        if place.cache_info().currsize:
            place().close()
            place.cache_clear()
    if failed:
        raise failed[0]


#: Each target by name, and its share of a run's inputs.
TARGETS: dict[str, tuple[Callable[[bytes], None], float]] = {
    "message": (message, 0.32),
    "stream": (stream, 0.05),
    "frames": (frames, 0.02),
    "capture": (capture, 0.04),
    "datagram": (datagram, 0.30),
    "stock": (stock, 0.10),
    "calls": (calls, 0.05),
    "talk": (talk, 0.02),
    "pv": (pv, 0.04),
    "where": (where, 0.04),
    "control": (control, 0.02),
}
