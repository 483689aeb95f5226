"""Lines of the script are known beside others who trace."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from shell.testing.routers import Load

TWO = """
def ksr_request_route(self, msg):
    number = 1
    KSR.sl.send_reply(200, "OK")
    return number
"""


def test_another_tracer_stays_and_sees_the_script(load: Load) -> None:
    ksr = load(TWO)
    seen: set[str] = set()

    def tracer(frame: FrameType, event: str, arg: Any) -> Any:
        seen.add(frame.f_code.co_name)
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        r = ksr.route(ksr.request())
        during = sys.gettrace()
    finally:
        sys.settrace(before)
    assert during is tracer and "ksr_request_route" in seen
    assert "7  KSR.sl.send_reply(200" in r.trace
    # Python 3.11 has one trace function: then only lines with KSR calls are known.
    assert ("6  number = 1" in r.trace) is (sys.version_info >= (3, 12))


def test_nothing_is_traced_once_a_callback_has_ended(load: Load) -> None:
    before = sys.gettrace()
    ksr = load(TWO)
    assert "6  number = 1" in ksr.route(ksr.request()).trace
    assert sys.gettrace() is before
