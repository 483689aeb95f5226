"""Code that does not end is ended."""

from __future__ import annotations

import threading
import time

import pytest

from ksrcore.debug.errors import DebugError
from ksrcore.debug.overtime import within


def _for_ever() -> None:
    while True:
        pass


def _stubborn() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:
            continue


@pytest.mark.parametrize("fn", [_for_ever, _stubborn])
def test_a_loop_without_end_is_ended(fn: object) -> None:
    started = time.monotonic()
    with pytest.raises(DebugError, match=r"ended after 0\.05 s"):
        within(0.05, fn)  # type: ignore[arg-type]
    assert time.monotonic() - started < 5


def test_results_and_errors_come_through() -> None:
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    assert not [each for each in threading.enumerate() if isinstance(each, threading.Timer) and not each.finished]


def test_what_ends_just_in_time_is_not_disturbed_later() -> None:
    for _ in range(200):
        try:
            within(0.0005, lambda: sum(range(20_000)))
        except DebugError:
            continue
    time.sleep(0.01)  # an exception that came late would come here
