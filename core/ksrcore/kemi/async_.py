"""Kamailio's async: a request goes on later, in another callback; a callback runs with data of its own.

What Kamailio gives to a process of a group (``async_workers``) runs here at the next turn of the one there is. Groups
are names only.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.registry import Value as PvValue
from ..pv.spec import Spec
from ..run import EVENT_ROUTE, Run
from ..tm import suspend
from ..tm.errors import error_reply
from .declare import Module, Param, Value, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .tm import Tm

__all__ = ["Async"]

log = logging.getLogger("ksrcore.async")

#: The longest pauses, in seconds and in milliseconds.
MAX_SECONDS, MAX_MILLISECONDS = 100, 30000

DEFAULT = "default"


class Async(Module):
    """``data`` and ``group``: of the task that runs; '' outside of one."""

    name = "async"

    workers = Param(1, "no effect: int")
    ms_timer = Param(0, "above 0: ms_route works: int")
    # Kamailio's name for it is a word of Python's.
    locals()["return"] = Param(0, "what the functions that suspend a request give: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.data = ""
        self.group = ""

    def _later(self, run: Run, seconds: float, name: str, group: str) -> int:
        """Suspend the request and go on in ``seconds``."""
        tm: Tm = self.proxy.modules.tm
        if suspend.suspend(tm.engine, run) <= 0 or run.t is None:
            log.error("async: the request cannot be suspended")
            return -1
        self.proxy.after(seconds, partial(self._resume, run.t.id_index, run.t.id_label, name, group))
        result: int = getattr(self, "return")
        return result

    def _resume(self, index: int, label: int, name: str, group: str) -> None:
        engine = self.proxy.modules.tm.engine
        self.group = group
        try:
            if suspend.resume(engine, index, label, name) < 0:
                t = engine.find(index, label)
                if t is not None and t.engine is not None and t.status < 200:
                    engine.reply(t, *error_reply(1, "TM"), t.record)
        finally:
            self.group = ""

    def _task(self, name: str, group: str, data: str) -> None:
        """Call a callback with data, on a message that stands for none."""
        script = self.proxy.script
        if script is None or not script.has(name):
            log.error("async: the script has no callback %r", name)
            return
        fake = self.proxy.fake_run()
        self.data, self.group = data, group
        try:
            script.call(Run(self.proxy, fake.msg, EVENT_ROUTE, fake.record), name, "async:task-data")
        finally:
            self.data = self.group = ""

    @export
    def route(self, run: Run, rn: str, s: int) -> int:
        """Go on with the request in ``s`` seconds, at most 100, in the callback ``rn``: 0, -1 it cannot be."""
        if not 0 < s <= MAX_SECONDS:
            log.error("async.route expects 1 to %d seconds, got %d", MAX_SECONDS, s)
            return -1
        return self._later(run, float(s), rn, "")

    @export
    def ms_route(self, run: Run, rn: str, s: int) -> int:
        """Go on with the request in ``s`` milliseconds, at most 30000, in the callback ``rn``: 0, -1 it cannot be."""
        if self.ms_timer <= 0:
            log.error("async.ms_route needs modparam async:ms_timer above 0")
            return -1
        if not 0 < s <= MAX_MILLISECONDS:
            log.error("async.ms_route expects 1 to %d milliseconds, got %d", MAX_MILLISECONDS, s)
            return -1
        return self._later(run, s / 1000, rn, DEFAULT)

    @export
    def task_route(self, run: Run, rn: str) -> int:
        """Go on with the request at once, but not here, in the callback ``rn``: 0, -1 it cannot be."""
        return self._later(run, 0.0, rn, DEFAULT)

    @export
    def task_group_route(self, run: Run, rn: str, gn: str) -> int:
        """``task_route`` in a group of workers."""
        return self._later(run, 0.0, rn, gn)

    @export
    def task_data(self, run: Run, rn: str, sdata: str) -> int:
        """Call ``rn(msg, "async:task-data")`` soon, without this message; get_data() gives ``sdata`` there: 1."""
        return self.task_group_data(run, rn, DEFAULT, sdata)

    @export
    def task_group_data(self, run: Run, rn: str, gn: str, sdata: str) -> int:
        """``task_data`` in a group of workers."""
        self.proxy.after(0.0, partial(self._task, rn, gn, sdata))
        return 1

    @export
    def get_data(self, run: Run) -> Value:
        """The data of the task that runs, '' outside of one."""
        return self.data

    @export
    def get_gname(self, run: Run) -> Value:
        """The group of the task that runs, '' outside of one."""
        return self.group


@pv_class("async")
def _async(spec: Spec) -> Accessor:
    """``data`` and ``gname`` of the task that runs; null outside of one."""
    inner = (spec.inner or "").strip()
    if inner not in ("data", "gname"):
        raise PvError(f"expected $async(data) or $async(gname), got ({spec.inner})", str(spec))

    def get(run: Run) -> PvValue:
        module: Async = run.proxy.modules["async"]  # type: ignore[assignment]
        return (module.data if inner == "data" else module.group) or None

    return Accessor(spec, get)
