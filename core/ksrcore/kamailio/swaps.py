"""Swaps in all workers of the server: planned and checked on the proxy beside it, tried in one worker, then in all.

What is wanted is the whole of what differs from the loaded script, so a worker that connects late, or missed something,
is brought to it in one step. The node keeps a journal in the server's folder: a later node goes on from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import linecache
import logging
from collections.abc import Callable
from typing import Any

from ..control import errors
from ..control.errors import ControlError
from ..control.swapping import Swapping, swapped_view
from ..script.engine import ScriptError
from ..script.plan import Plan, Swapped
from ..script.program import Place
from ..script.python import PythonScript
from ..script.swap import Swaps
from ..script.writeback import reindent
from . import journal
from .seal import ours
from .workers import Worker, WorkerError, WorkerGone, Workers, WorkerSilent

log = logging.getLogger("ksrcore.kamailio")

#: Seconds for the first worker to take new code, and for all others.
FIRST, OTHERS = 2.0, 3.0

Want = dict[Place, dict[str, Any]]


class WorkerSwaps:
    """The versions of the script over all workers. ``note``: what is to be known about swaps of before, '' nothing."""

    def __init__(self, workers: Workers, script: PythonScript | None, generation: int) -> None:
        self.workers = workers
        self.script = script
        self.generation = generation
        self.note = ""
        self.lock = asyncio.Lock()
        #: The versions as they were loaded, by place.
        self.loaded: dict[Place, int] = {}
        if script is not None:
            self.loaded = {place: slot.current for place, slot in script.swaps.slots.by_place.items()}
            self._resume(script)
        self.want = self.wanted()
        workers.on_event("hello", self._hello)
        workers.on_event("reloaded", self._reloaded)

    # -- the journal ----------------------------------------------------------------------------------------------

    def _resume(self, script: PythonScript) -> None:
        """Have here, too, what an earlier node of this server has done in its workers."""
        problems, gone = journal.load(script, self.generation)
        if gone:
            self.note = "the server was started anew: it runs the script's file, what was swapped before is gone"
            self._write()
        for text in problems:
            self.note = text
            log.warning("%s", text)

    def _write(self) -> None:
        if self.script is None:
            return
        try:
            journal.write(self.script, self.loaded, self.generation)
        except OSError as error:
            log.warning("%s cannot be written: %s", journal.JOURNAL, error)

    # -- what the workers are to have ------------------------------------------------------------------------------

    def wanted(self) -> Want:
        """Everything that is not as it was loaded."""
        if self.script is None:
            return {}
        found: Want = {}
        for place, slot in self.script.swaps.slots.by_place.items():
            if slot.current == self.loaded.get(place, 0):
                continue
            version = slot.version
            if version is None:
                found[place] = _entry(place, slot.kind, None, "", 0, [])
            else:
                lines = linecache.getlines(version.filename) if version.filename.startswith("<") else []
                found[place] = _entry(place, slot.kind, version.source, version.filename, version.firstline, lines)
        return found

    def with_plan(self, plan: Plan) -> Want:
        """What is wanted when that plan is done."""
        want = dict(self.want)
        for item in plan.items:
            want[item.place] = _entry(item.place, item.kind, item.source, plan.filename, item.first, plan.lines)
        for slot in plan.removed:
            want[slot.place] = _entry(slot.place, slot.kind, None, "", 0, [])
        return want

    def status(self, worker: Worker) -> str:
        """``applied``: it has what is wanted; ``waiting``: it will before its next message."""
        wanted = {place: entry["key"] for place, entry in self.want.items()}
        return "applied" if worker.swaps == wanted else "waiting"

    def statuses(self) -> list[dict[str, Any]]:
        """For every process that receives SIP: ``pid rank status``; ``version`` is the script's generation there."""
        found = []
        for proc in self.workers.receivers():
            worker = self.workers.by_pid(proc.pid)
            status = self.status(worker) if worker is not None else "applied" if not self.want else "waiting"
            generation = worker.generation if worker is not None else 0
            found.append({"pid": proc.pid, "rank": proc.rank, "status": status, "version": generation})
        return found

    # -- orders ---------------------------------------------------------------------------------------------------

    def _hello(self, worker: Worker, event: dict[str, Any]) -> None:
        """A worker that has connected is brought to what is wanted."""
        if self.status(worker) == "applied":
            worker.generation = self._generation()
        else:
            self._order(worker, self.want)
            self.workers.kick()

    def _reloaded(self, worker: Worker, event: dict[str, Any]) -> None:
        """``app_python.reload`` in one worker: it has the script's file anew, and gets what was swapped on top."""
        worker.swaps = {}
        self._hello(worker, event)

    def _generation(self) -> int:
        return self.script.generation if self.script is not None else 0

    def _order(self, worker: Worker, want: Want) -> asyncio.Future[Any]:
        generation = self._generation()
        future = worker.order("swap", want=list(want.values()))

        def answered(done: asyncio.Future[Any]) -> None:
            if not done.cancelled() and done.exception() is None:
                worker.swaps = {(cls, name): key for cls, name, key in done.result()}
                worker.generation = generation

        future.add_done_callback(answered)
        return future

    async def first(self, want: Want) -> Worker:
        """Have one worker take it. Raises :class:`ScriptError` when it cannot; then nothing has changed anywhere."""
        silent: list[Worker] = []
        for worker in sorted(self.workers.all, key=lambda worker: worker.rank < 1):
            future = self._order(worker, want)
            self.workers.kick()
            try:
                await worker.answer(future, FIRST)
                return worker
            except WorkerError as error:
                for each in silent:
                    self._order(each, self.want)
                line = f"line {error.data['line']}: " if error.data.get("line") else ""
                raise ScriptError(
                    f"not swapped: process {worker.pid} cannot take the new code: {line}{error}", "", 0
                ) from None
            except WorkerGone:
                continue
            except WorkerSilent:
                silent.append(worker)
                if len(silent) > 3:
                    break
        for each in silent:
            self._order(each, self.want)
        if not self.workers.receivers():
            raise ScriptError("not swapped: the server does not run")
        raise ScriptError(
            "not swapped: no process of the server has answered (all may be held, or busy with one message)"
        )

    async def spread(self) -> list[str]:
        """Have all workers take what is wanted; a line for each that has not (yet)."""
        orders = [(each, self._order(each, self.want)) for each in self.workers.all if self.status(each) != "applied"]
        self.workers.kick()
        # A timer process that has run a callback is linked, too: it cannot be woken, and changes before its next one.
        receivers = {proc.pid for proc in self.workers.receivers()}
        if awaited := [future for worker, future in orders if worker.pid in receivers]:
            await asyncio.wait(awaited, timeout=OTHERS)
        notes = []
        for worker, future in orders:
            if not future.done() and worker.pid in receivers:
                notes.append(f"process {worker.pid} has not answered yet: it changes before its next message")
            elif future.done() and isinstance(error := future.exception(), WorkerError):
                notes.append(f"process {worker.pid} has NOT taken it: {error}")
        connected = {worker.pid for worker in self.workers.all}
        notes += [
            f"process {proc.pid} has not connected: it changes when it next has a message"
            for proc in self.workers.receivers()
            if proc.pid not in connected
        ]
        return notes

    # -- swaps ----------------------------------------------------------------------------------------------------

    def _script(self) -> tuple[PythonScript, Swaps]:
        if self.script is None:
            raise ScriptError("the script's file cannot be read here, so that nothing of it can be swapped")
        return self.script, self.script.swaps

    async def swap(self, source: str, who: str, remove: list[str]) -> tuple[Swapped, list[str]]:
        """Raises :class:`ScriptError`: nothing has changed then."""
        async with self.lock:
            script, swaps = self._script()
            plan = swaps.prepare(source, remove)
            if not plan.items and not plan.removed:
                return Swapped(warnings=plan.warnings), []
            first = await self.first(self.with_plan(plan))
            try:
                done = swaps.commit(plan, who)
            except ScriptError:
                await self.spread()  # back in the one that took it
                raise
            self.want = self.wanted()
            first.generation = script.generation
            self._write()
            return done, await self.spread()

    async def rollback(self, name: str, number: int | None) -> tuple[Swapped, list[str]]:
        async with self.lock:
            script, _ = self._script()
            done = script.rollback(name, number)
            self.want = self.wanted()
            self._write()
            return done, await self.spread()


def _entry(place: Place, kind: str, source: str | None, file: str, line: int, lines: list[str]) -> dict[str, Any]:
    """What a worker is told of one function or constant; ``source`` None: it is to go."""
    cls, name = place
    text = None if source is None else reindent(source, "")
    key = "-" if text is None else hashlib.sha1(f"{line}\n{text}".encode(), usedforsecurity=False).hexdigest()[:16]
    return {
        "cls": cls, "name": name, "kind": kind, "key": key, "source": text, "file": file, "line": line, "lines": lines,
    }  # fmt: skip


class NodeSwapping(Swapping):
    """``ksr.swap`` and its relatives, over :class:`WorkerSwaps`."""

    workers: WorkerSwaps
    #: :meth:`NodeMethods._embedded`.
    check_engine: Callable[[str, str, str], None]

    def embedded(self, engine: str) -> None:
        self.check_engine(engine, "try_swap(new)", 'try_swap(new, engine="embedded")')

    def swap(
        self, source: str = "", who: str = "", pin: bool = False, try_on: int = 0, remove: list[str] | None = None
    ) -> Any:
        if pin:
            raise ControlError(
                errors.USER_ERROR, "pin is for the embedded core: a Kamailio's workers share no transactions with us"
            )
        if try_on:
            raise ControlError(
                errors.USER_ERROR,
                "try_on needs a sandbox, which a production server has not: "
                'try_swap(new, engine="embedded") tries it on the embedded core beside the server, then swap()',
            )
        return self._swap(source, who, remove or [])

    async def _swap(self, source: str, who: str, remove: list[str]) -> dict[str, Any]:
        done, notes = await self.workers.swap(source, who, remove)
        return self._all(done, who, notes)

    async def _rollback(self, name: str, number: int | None) -> dict[str, Any]:
        done, notes = await self.workers.rollback(name, number)
        return self._all(done, "", notes)

    def rollback(self, name: str = "", number: int | None = None) -> Any:
        if number is not None and not name:
            raise ControlError(errors.USER_ERROR, "rollback to a version needs a function's name")
        return self._rollback(name, number)

    def save(self, diff: bool = False) -> dict[str, Any]:
        with ours():
            return super().save(diff)

    def _all(self, done: Swapped, who: str, notes: list[str]) -> dict[str, Any]:
        view = swapped_view(done)
        view["warnings"] += notes
        view["workers"] = self.workers.statuses()
        if view["swapped"]:
            self.publish("swap", {"swapped": view["swapped"], "who": who})
        return view
