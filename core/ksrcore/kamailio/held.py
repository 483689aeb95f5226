"""A message that waits in a worker of a real Kamailio, as ``ksr.hold.*`` and ``ksr.step.*`` see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ..control import errors, views
from ..control.errors import ControlError
from ..debug import recording
from ..debug.errors import DebugError
from .workers import Worker, WorkerError, WorkerGone, WorkerSilent

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..control.steps import Entry
    from .holding import Holding
    from .holdspec import ServerHold

OPS = ("next", "into", "out", "next_call", "to", "finish")
#: Seconds that one look or call on a held message may take.
PATIENCE = 10.0


class Held:
    """A held message. Looks and calls are carried out by the worker, on the message itself.

    ``waiting``: what came meanwhile and belongs to it, but for its repetitions, which ``absorbed`` counts.
    """

    live = True

    def __init__(
        self, holding: Holding, number: int, worker: Worker, ask: int, hold: ServerHold, seconds: float
    ) -> None:
        self.holding = holding
        self.id = number
        self.worker = worker
        self.ask_number = ask
        self.hold = hold
        self.until = time.monotonic() + seconds
        self.since = time.time()
        self.title = ""
        self.record: Record | None = None
        self.last: dict[str, Any] = {}
        self.at = ("", "", 0)
        self.released = ""
        self.step = 0
        self.entry: Entry | None = None
        self.waiting: list[str] = []
        self.absorbed = 0
        #: Whether the worker has said that it waits.
        self.waits = False
        self.asked: set[asyncio.Future[Any]] = set()

    @property
    def done(self) -> bool:
        return bool(self.released)

    def _check(self) -> None:
        if self.released:
            raise DebugError(f"held {self.id} waits no more: {self.released}")

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, op: str, line: int = 0) -> None:
        """Go on to the next stop, or to the end of the callback. Raises :class:`DebugError`."""
        self._check()
        if op not in OPS:
            raise DebugError(f"cannot step {op!r}; known: {', '.join(OPS)}")
        self.holding.later(self._go(op, line))

    async def _go(self, op: str, line: int) -> None:
        try:
            await self.ask("hold.go", op=op, line=line)
        except (DebugError, ControlError) as error:
            entry = self.entry
            if entry is not None:
                waiting, entry.waiting = entry.waiting, None
                if waiting is not None and not waiting.done():
                    waiting.set_exception(error)

    async def ask(self, do: str, **params: Any) -> Any:
        """An order about this message; the worker's answer. Raises :class:`DebugError`, and :class:`ControlError` for
        what user code raised."""
        self._check()
        # Its worker waits for orders: nobody has to wake it.
        future = self.worker.order(do, held=self.id, **params)
        self.asked.add(future)
        future.add_done_callback(self.asked.discard)
        try:
            return await self.worker.answer(future, PATIENCE)
        except WorkerError as error:
            if error.type == "StepError":
                raise DebugError(error.text) from None
            data = {"type": error.type}
            if error.data.get("traceback"):
                data["traceback"] = str(error.data["traceback"])
            raise ControlError(errors.USER_ERROR, str(error), data) from None
        except (WorkerGone, WorkerSilent) as error:
            raise DebugError(str(error)) from None

    def over(self) -> None:
        """The message has gone on. An order that was under way then is in nobody's hands until the worker looks."""
        if any(not future.done() for future in self.asked):
            self.worker.workers.kick()

    async def release(self, reason: str, how: str = "resume", **params: Any) -> None:
        """Let it go on. Raises :class:`DebugError`."""
        await self.ask("hold.release", how=how, reason=reason, **params)

    def close(self) -> None:
        """Go on without stopping."""
        if not self.released:
            self.holding.later(self._close("resumed"))

    async def _close(self, reason: str) -> None:
        try:
            await self.release(reason)
        except (DebugError, ControlError):
            return  # it went on meanwhile

    # -- looking and changing -------------------------------------------------------------------------------------

    def evaluate(self, expression: str) -> Awaitable[str]:
        return self._field("repr", "hold.eval", expr=expression)

    def set(self, name: str, expression: str) -> Awaitable[str]:
        return self._field("repr", "hold.set", name=name, expr=expression)

    def pv(self, name: str) -> Awaitable[Any]:
        return self._field("value", "hold.pv", name=name)

    async def _field(self, field: str, do: str, **params: Any) -> Any:
        return (await self.ask(do, **params))[field]

    async def call(self, name: str, args: list[Any]) -> dict[str, Any]:
        """``KSR.<name>(*args)`` on the message, for real: ``result``, and ``exited`` when it ends scripts."""
        found: dict[str, Any] = await self.ask("hold.call", name=name, args=args)
        return found

    # -- states ---------------------------------------------------------------------------------------------------

    async def state(self) -> dict[str, Any]:
        """The state of the stop it waits at."""
        return self.stopped(await self.ask("hold.state"))

    def stopped(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state that the worker tells, with what is known here."""
        record = self.record
        updated = state.pop("updated", "")
        state["held"] = self.id
        state["message"] = record.id if record is not None else 0
        state["step"] = self.step
        effects = state["effects"]
        if record is not None:
            if updated:
                effects["diff"] = recording.diff(record.data, updated)
            effects["sent"] = self.holding.sent(record)
        if state["done"] and not effects["diff"] and self.last:
            effects["diff"] = self.last["effects"]["diff"]
        self.last = state
        return state

    def view(self) -> dict[str, Any]:
        """What a list of held messages shows."""
        state = self.last
        record = self.record
        return {
            "held": self.id,
            "hold": self.hold.id,
            "where": str(self.hold.place) if self.hold.watch is None else f"a change of {self.hold.watch.name}",
            "message": record.id if record is not None else 0,
            "summary": views.summary(record) if record is not None else None,
            "callback": state.get("callback", ""),
            "route": state.get("route", ""),
            "function": state.get("function", self.at[0]),
            "file": state.get("file", self.at[1]),
            "line": state.get("line", self.at[2]),
            "event": state.get("event", ""),
            "why": state.get("why", ""),
            "since": self.since,
            "left": max(0.0, self.until - time.monotonic()),
            "waiting": list(self.waiting),
            "absorbed": self.absorbed,
            "step": self.step,
            "worker": self.worker.pid,
        }

    def line(self) -> str:
        """``held 1: INVITE alice -> bob at ksr_route_relay:118``."""
        return f"held {self.id}: {self.title or 'event'} at {self.at[0]}:{self.at[2]}"
