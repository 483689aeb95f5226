"""scripts/stock.py with a stop-watch around every callback.

``KSR_LAB_TIMES`` names the file that the times go to, as JSON: callback -> list of nanoseconds, when an
``OPTIONS sip:lab-times@...`` comes. A request route that relays contains the branch callbacks that it causes.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

stock: Any = importlib.import_module("stock")
KSR: Any = importlib.import_module("KSR")

CALLBACKS = (
    "ksr_request_route",
    "ksr_branch_manage",
    "ksr_onreply_manage",
    "ksr_failure_manage",
    "ksr_reply_route",
    "ksr_onsend_route",
)

times: dict[str, list[int]] = {}


def timed(name: str, callback: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
    def run(self: Any, msg: Any) -> int:
        start = perf_counter_ns()
        result = callback(self, msg)
        took = perf_counter_ns() - start
        times.setdefault(name, []).append(took)
        return result

    return run


def timed_by_method(name: str, callback: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
    """As ``timed``, one list for each request method; writes the times when it is asked to."""

    def run(self: Any, msg: Any) -> int:
        start = perf_counter_ns()
        result = callback(self, msg)
        took = perf_counter_ns() - start
        times.setdefault(f"{name} {KSR.pv.get('$rm')}", []).append(took)
        return result

    def answer(self: Any, msg: Any) -> int:
        if KSR.pv.get("$rU") == "lab-times":
            Path(os.environ["KSR_LAB_TIMES"]).write_text(json.dumps(times))
            times.clear()
            KSR.sl.send_reply(200, "Times written")
            return 1
        return run(self, msg)

    return answer


def mod_init() -> Any:
    routes = stock.mod_init()
    kind = type(routes)
    for name in CALLBACKS:
        wrap = timed_by_method if name == "ksr_request_route" else timed
        if hasattr(kind, name):
            setattr(kind, name, wrap(name, getattr(kind, name)))
    return routes
