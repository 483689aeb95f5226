"""``ksr.hold.*`` on a real Kamailio: what is armed in its workers, and the messages that wait in them.

A held message keeps its worker: nothing else is done by that process. So the node grants each hold, and refuses where
nobody else would be left to receive on that socket. A worker without a node goes on by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Record
from ..debug.errors import DebugError
from ..debug.states import sent_view
from ..sip.reasons import reason_for
from .held import Held
from .holdspec import ServerHold
from .ksragent.hold_acts import READING_HURTS
from .workers import Worker, WorkerError, Workers

if TYPE_CHECKING:
    from ..control.server import Connection
    from ..control.steps import Steps
    from ..proxy import Proxy

log = logging.getLogger("ksrcore.hold")

#: Messages held at once; further ones flow and are counted.
MAX_HELD = 32
#: Where more than the worker waits, it does for so many seconds at most, unless the hold says how long: in routes that
#: tm runs with the transaction locked (the server's timer process waits for the lock when another branch's time is
#: over), and over streams (a worker has connections of its own, which nobody else reads).
SHORT = 5.0
_LOCKED = ("onreply", "failure")
_STREAMS = ("tcp", "tls", "ws", "wss", "sctp")
#: Steps of released messages that are remembered.
_OVER = 16
#: Notes about messages that are remembered.
_KEPT = 10_000
#: Seconds that arming waits for workers that have not connected yet.
_CONNECT = 2.0


class Holding:
    """The holds of one server.

    ``proxy``: the one beside, which knows the script; ``path``: the server's script; ``steps``: the registry of steps;
    ``publish(event, params)`` tells the clients that asked for it; ``record(worker, mi)``: the captured
    message that a worker numbers so.
    """

    def __init__(
        self,
        proxy: Proxy,
        path: str,
        workers: Workers,
        steps: Steps,
        publish: Callable[[str, dict[str, Any]], None],
        record: Callable[[Worker, int], Record | None],
        limit: int = MAX_HELD,
        version: tuple[int, ...] = (),
    ) -> None:
        """``version``: the server's."""
        self.proxy = proxy
        self.path = path
        self.workers = workers
        self.steps = steps
        self.publish = publish
        self.record = record
        self.limit = limit
        self.version = version
        self.armed: dict[int, ServerHold] = {}
        self.held: dict[int, Held] = {}
        #: Released, but their callbacks run yet.
        self.ending: dict[int, Held] = {}
        #: What was held of a message that is captured: by its id, a line for each time.
        self.notes: dict[int, list[str]] = {}
        #: What is to be said of a message that was absorbed, by worker: its number there and a text.
        self._meant: dict[int, tuple[int, str]] = {}
        self._holds = 0
        self._numbers = 0
        self._over: deque[int] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        for name, fn in (
            ("hello", self._hello),
            ("gone", self._gone),
            ("hold.ask", self._ask),
            ("hold.unasked", self._unasked),
            ("hold.held", self._held),
            ("hold.stop", self._stop),
            ("hold.over", self._released),
            ("hold.end", self._end),
            ("hold.log", self._log),
            ("hold.failed", self._failed),
            ("hold.slow", self._slow),
            ("hold.absorbed", self._absorbed),
            ("ran", self._ran),
        ):
            workers.on_event(name, fn)

    def table(self) -> dict[str, Callable[..., Any]]:
        return {
            "ksr.hold.arm": self.arm,
            "ksr.hold.list": self.all_armed,
            "ksr.hold.disarm": self.disarm,
            "ksr.hold.held": self.all_held,
            "ksr.hold.state": self.state,
            "ksr.hold.step": self.step,
            "ksr.hold.call": self.call,
            "ksr.hold.resume": self.resume,
            "ksr.hold.drop": self.drop,
            "ksr.hold.answer": self.answer,
        }

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do that in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- holds ----------------------------------------------------------------------------------------------------

    async def arm(
        self,
        connection: Connection,
        where: str = "",
        if_: str = "",
        hits: int = 1,
        once: bool = False,
        timeout: float = 0.0,
        log: str = "",
        watch: str = "",
        keep: bool = False,
    ) -> dict[str, Any]:
        """Unless ``keep`` the hold ends with the client."""
        if watch and self.version >= READING_HURTS and (watch.strip() == "$mbu" or not watch.strip().startswith("$")):
            raise DebugError(
                f"cannot watch {watch}: from Kamailio 6.1 on, looking at the message as it would leave takes its edits "
                "away; watch a pseudo-variable, or hold at the call that edits (hold('KSR.hdr.append'))"
            )
        self._holds += 1
        hold = ServerHold(
            self.proxy,
            self.path,
            self._holds,
            where,
            if_=if_,
            hits=hits,
            once=once,
            timeout=timeout,
            log=log,
            watch=watch,
            keep=keep,
            owner=connection,
        )
        await self._connected()
        if not log and not any(self._free(worker) > 1 for worker in self.workers.all):
            raise DebugError(
                "this server has no worker to spare: each socket keeps one that receives, so a hold needs children=2 "
                "or more (tcp_children=2 for TCP)"
                if self.workers.all
                else "no worker of the server has connected yet: try again"
            )
        self.armed[hold.id] = hold
        connection.when_gone(self.leave)
        self._tell_workers()
        return hold.view()

    async def _connected(self) -> None:
        """Wait for the workers that have not connected yet, for a while: one that connects because of a message hears
        what is armed when that message is through."""
        kicked = False
        end = time.monotonic() + _CONNECT
        while {proc.pid for proc in self.workers.receivers()} - {worker.pid for worker in self.workers.all}:
            if time.monotonic() > end:
                return
            if not kicked:
                kicked = True
                self.workers.kick()
            await asyncio.sleep(0.01)

    def _tell_workers(self) -> None:
        """Every worker knows what is armed before it begins with its next message. Idle ones need not be woken."""
        for worker in self.workers.all:
            self._order(worker)
        self.workers.page.bump()

    def _order(self, worker: Worker) -> None:
        def answered(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and isinstance(future.exception(), WorkerError):
                log.error("worker %d cannot arm a hold: %s", worker.pid, future.exception())

        worker.order("arm", holds=[hold.spec() for hold in self.armed.values()]).add_done_callback(answered)

    def rearm(self) -> None:
        """The script has changed: places that follow a function are found again."""
        if not self.armed:
            return
        script = self.proxy.script
        if script is not None:
            for hold in self.armed.values():
                hold.place.refresh(script)
        self._tell_workers()

    def all_armed(self) -> list[dict[str, Any]]:
        return [hold.view() for hold in self.armed.values()]

    def disarm(self, id: int) -> dict[str, Any]:
        hold = self._take(id)
        self._tell_workers()
        return hold.view()

    def _take(self, id: int) -> ServerHold:
        hold = self.armed.pop(id, None)
        if hold is None:
            have = ", ".join(map(str, self.armed)) or "none"
            raise DebugError(f"no hold {id} is armed; armed: {have}")
        hold.armed = False
        return hold

    def leave(self, owner: object) -> None:
        """A client has gone: its holds are disarmed and what they hold is released, unless they are to be kept."""
        gone = [hold for hold in self.armed.values() if hold.owner is owner and not hold.keep]
        for hold in gone:
            self._take(hold.id)
        for held in [h for h in self.held.values() if h.hold.owner is owner and not h.hold.keep]:
            self.later(held._close("its client has gone"))
        if gone:
            self._tell_workers()

    def close(self) -> None:
        """The node ends: what is held goes on; each worker sees to that by itself when its link ends."""
        self.armed.clear()
        for held in self.held.values():
            held.worker.order("hold.release", held=held.id, how="resume", reason="stopped")
        for task in list(self._tasks):
            task.cancel()

    @property
    def holds(self) -> Holding:
        """What :class:`~ksrcore.control.methods.Methods` looks into: ``held``, ``armed``, ``notes``."""
        return self

    # -- held messages --------------------------------------------------------------------------------------------

    def get(self, number: int) -> Held:
        held = self.held.get(number)
        if held is None or not held.waits:
            have = ", ".join(str(n) for n, each in self.held.items() if each.waits) or "none"
            raise DebugError(f"no message is held under {number}; held: {have}")
        return held

    def of_message(self, id: int) -> Held:
        """The held message of that id. Raises :class:`DebugError`."""
        for held in self.held.values():
            if held.record is not None and held.record.id == id:
                return held
        raise DebugError(f"message {id} is not held: KSR calls are real on a held message only, see hold(...)")

    def all_held(self) -> list[dict[str, Any]]:
        return [held.view() for held in self.held.values() if held.waits]

    async def state(self, held: int) -> dict[str, Any]:
        return await self.get(held).state()

    async def step(self, held: int) -> dict[str, Any]:
        """The held message as a step, for ``ksr.step.*``: one for each, whoever asks."""
        found = self.get(held)
        self._register(found)
        return await found.state()

    def _register(self, held: Held) -> None:
        if held.entry is None:
            held.entry = self.steps.add(held)
            held.step = held.entry.number
            held.entry.last = held.last

    @staticmethod
    async def call_on(held: Held, name: str, args: list[Any]) -> dict[str, Any]:
        return await held.call(name, args)

    async def call(self, held: int, name: str, args: list[Any]) -> dict[str, Any]:
        return await self.get(held).call(name, args)

    async def resume(self, held: int) -> dict[str, Any]:
        await self.get(held).release("resumed")
        return {}

    async def drop(self, held: int) -> dict[str, Any]:
        await self.get(held).release("dropped", "drop")
        return {}

    async def answer(self, held: int, code: int, reason: str = "") -> dict[str, Any]:
        await self.get(held).release("answered", "answer", code=code, text=reason or reason_for(code))
        return {}

    def sent(self, record: Record) -> list[dict[str, Any]]:
        """What is known to have left because of that message."""
        found = []
        for id in record.sent:
            out = self.proxy.recorder.get(id)
            if out is not None:
                found.append(sent_view(out.where, out.data))  # type: ignore[arg-type]
        return found

    # -- what workers tell ----------------------------------------------------------------------------------------

    def _hello(self, worker: Worker, event: dict[str, Any]) -> None:
        if self.armed:
            self._order(worker)
            # It looks for orders when the epoch has moved: else its next message would pass.
            self.workers.page.bump()

    def _gone(self, worker: Worker, event: dict[str, Any]) -> None:
        for held in [h for h in (*self.held.values(), *self.ending.values()) if h.worker is worker]:
            self._close(held, "its worker has gone", time.time() - held.since)
            self._ended(held, {**held.last, "done": True, "event": "end"} if held.last else None)

    def _free(self, worker: Worker) -> int:
        """Processes that receive where this one does, and hold nothing; 0 for one that receives nothing."""
        receivers = self.workers.receivers()
        if not any(proc.pid == worker.pid for proc in receivers):
            return 0
        groups = self.workers.groups
        group = groups.get(worker.pid)
        own = {proc.pid for proc in receivers if groups.get(proc.pid) == group}
        return len(own - {held.worker.pid for held in self.held.values()})

    def _ask(self, worker: Worker, event: dict[str, Any]) -> None:
        """May it hold its message?"""
        number, seconds = self._grant(worker, event)
        worker.order("grant", ask=event["ask"], held=number, seconds=seconds)

    def _grant(self, worker: Worker, event: dict[str, Any]) -> tuple[int, float]:
        hold = self.armed.get(event["hold"])
        if hold is None:
            return 0, 0.0
        hold.hits += 1
        if hold.hits < hold.wanted:
            return 0, 0.0
        if event["held"]:
            held = self.held.get(event["held"])
            if held is None:
                return 0, 0.0
            self._once(hold)
            return held.id, max(0.0, held.until - time.monotonic())
        if len(self.held) >= self.limit or self._free(worker) < 2:
            hold.missed += 1
            return 0, 0.0
        seconds = hold.timeout
        if (event["route"] in _LOCKED or event["proto"] in _STREAMS) and not hold.timed:
            seconds = min(seconds, SHORT)
        self._numbers += 1
        hold.holds += 1
        self.held[self._numbers] = Held(self, self._numbers, worker, event["ask"], hold, seconds)
        self._once(hold)
        return self._numbers, seconds

    def _once(self, hold: ServerHold) -> None:
        if hold.once and hold.armed:
            self._take(hold.id)
            self._tell_workers()

    def _unasked(self, worker: Worker, event: dict[str, Any]) -> None:
        """It went on: our word came too late."""
        for held in list(self.held.values()):
            if held.worker is worker and held.ask_number == event["ask"] and not held.waits:
                del self.held[held.id]
                held.hold.holds -= 1
                held.hold.missed += 1

    def _held(self, worker: Worker, event: dict[str, Any]) -> None:
        held = self.held.get(event["held"])
        if held is None:
            return
        held.waits = True
        held.title = event.get("title", "")
        held.record = self.record(worker, event["mi"]) if "mi" in event else None
        state = held.stopped(event["state"])
        held.at = state["function"], state["file"], state["line"]
        log.info("%s", held.line())
        self._register(held)
        state["step"] = held.step
        at = list(self.held).index(held.id)
        self.publish("held", {**held.view(), "state": state, "text": held.line(), "position": at})

    def _stop(self, worker: Worker, event: dict[str, Any]) -> None:
        held = self.held.get(event["held"])
        if held is not None:
            state = held.stopped(event["state"])
            if held.entry is not None:
                held.entry.publish(state)

    def _released(self, worker: Worker, event: dict[str, Any]) -> None:
        held = self.held.get(event["held"])
        if held is not None:
            self.ending[held.id] = held
            held.over()
            self._close(held, event["reason"], event["seconds"])

    def _close(self, held: Held, reason: str, seconds: float) -> None:
        if self.held.pop(held.id, None) is None:
            return
        view = held.view()
        held.released = reason
        note = f"held {held.id} at {held.at[0]}:{held.at[2]} for {seconds:.1f} s: {reason}"
        if held.record is not None and held.record.id:
            if len(self.notes) >= _KEPT:
                self.notes.clear()
            self.notes.setdefault(held.record.id, []).append(note)
        level = logging.WARNING if reason == "timeout" else logging.INFO
        log.log(level, "message %d was %s", view["message"], note)
        if held.waits:
            self.publish("released", {**view, "reason": reason, "seconds": seconds})

    def _end(self, worker: Worker, event: dict[str, Any]) -> None:
        """Its processing is over."""
        held = self.ending.get(event["held"])
        if held is not None:
            self._ended(held, held.stopped(event["state"]))

    def _ended(self, held: Held, state: dict[str, Any] | None) -> None:
        self.ending.pop(held.id, None)
        if held.entry is None:
            return
        if state is not None:
            held.entry.publish(state)
        # It still says why it takes no orders, for a while.
        self._over.append(held.entry.number)
        if len(self._over) > _OVER:
            self.steps.drop(self._over.popleft())

    def _failed(self, worker: Worker, event: dict[str, Any]) -> None:
        log.warning("held %s could not be answered: %s", event["held"], event["text"])

    def _slow(self, worker: Worker, event: dict[str, Any]) -> None:
        log.warning("%s", event["text"])
        told = {"hold": 0, "message": 0, "place": f"process {worker.pid}", "text": event["text"], "time": time.time()}
        self.publish("log", told)

    def _log(self, worker: Worker, event: dict[str, Any]) -> None:
        hold = self.armed.get(event["hold"])
        if hold is None:
            return
        hold.hits += 1
        if hold.hits < hold.wanted:
            return
        hold.holds += 1
        record = self.record(worker, event["mi"])
        told = {name: event[name] for name in ("hold", "place", "text", "time")}
        told["message"] = record.id if record is not None else 0
        log.info("message %d at %s: %s", told["message"], told["place"], told["text"])
        self.publish("log", told)
        self._once(hold)

    def _absorbed(self, worker: Worker, event: dict[str, Any]) -> None:
        """A worker met what belongs to a message that another one holds."""
        for held in self.held.values():
            if held.worker.pid == event["pid"]:
                title = event["title"]
                if title == held.title or title in held.waiting:
                    held.absorbed += 1
                else:
                    held.waiting.append(title)
                of = held.record.id if held.record is not None else 0
                self._meant[worker.pid] = event["mi"], f"absorbed: it belongs to message {of}, which is held"

    def _ran(self, worker: Worker, event: dict[str, Any]) -> None:
        """The capture has it now."""
        meant = self._meant.pop(worker.pid, None)
        if meant is not None and meant[0] == event["mi"]:
            record = self.record(worker, event["mi"])
            if record is not None:
                record.error = meant[1]


__all__ = ["Held", "Holding"]
