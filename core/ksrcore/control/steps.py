"""The registry of steps: runs that wait for orders, in sandboxes and live ones, under one series of numbers."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from ..debug.errors import DebugError
from ..debug.stepper import Stepper
from ..debug.tracefile import items
from ..pv.errors import PvError
from ..script.python import user_traceback
from . import errors
from .errors import ControlError

#: A step that has not stopped again by then (seconds) is reported as still running.
STEP_TIMEOUT = 10.0

#: Bytes of a recording that are sent in one answer.
PART = 4 * 1024 * 1024


async def in_thread(ended: Callable[[], None], function: Callable[..., Any], *args: Any) -> Any:
    """The function's result, from a thread of its own, which ends with the process whatever it does: user code may
    never end. ``ended()`` is called in the thread at its end. Raises what the function raises, :class:`ControlError`
    when it takes too long."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def finish(result: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as raised:
            # A coroutine cannot raise it as it is.
            error = raised
            if isinstance(raised, StopIteration):
                error = ControlError(errors.USER_ERROR, f"StopIteration: {raised}")
        ended()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=run, name="ksr-step-look", daemon=True).start()
    try:
        return await asyncio.wait_for(asyncio.shield(done), STEP_TIMEOUT)
    except TimeoutError:
        if done.done():
            raise
        done.cancel()
        raise ControlError(
            errors.USER_ERROR, f"no result for {STEP_TIMEOUT:.0f} s: it still runs; step.close() gives up on the step"
        ) from None


class Steppable(Protocol):
    """A run under the debugger. What cannot be done raises :class:`~ksrcore.debug.errors.DebugError`.

    ``live``: it is a message of the traffic, not a copy in a sandbox. ``done``: it takes no more orders. ``evaluate``,
    ``set`` and ``pv`` of a :class:`Stepper` may take their time and are called in a worker thread; else in the loop's.
    They may be coroutines, too.
    """

    @property
    def live(self) -> bool: ...
    @property
    def done(self) -> bool: ...

    def order(self, op: str, line: int) -> None:
        """Go on. The state it comes to is published, later or at once."""

    def evaluate(self, expression: str) -> Any:
        """``repr`` of the expression's value in the stopped frame (str). Raises what the expression raises."""

    def set(self, name: str, expression: str) -> Any:
        """Give a local variable, or a pseudo-variable (``$du``), the value of an expression. ``repr`` of that value."""

    def pv(self, name: str) -> Any:
        """The value of a pseudo-variable: str (latin-1), int or None."""

    def close(self) -> Any:
        """Give it up; a live one goes on without stopping."""


class Entry:
    """A step in the registry: its ``number``, its ``object``, the ``last`` state, and who waits for the next one.
    ``owner``: the client that began it (None: none), with which it ends."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop, owner: object = None) -> None:
        self.number = number
        self.owner = owner
        self.object: Steppable | None = None
        self.last: dict[str, Any] | None = None
        self.waiting: asyncio.Future[dict[str, Any]] | None = None
        self._loop = loop

    def publish(self, state: dict[str, Any]) -> None:
        """A state was reached; to be called from any thread. Nobody needs to wait for it."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._published, state)

    def _published(self, state: dict[str, Any]) -> None:
        state["step"] = self.number
        self.last = state
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(state)

    def expect(self) -> None:
        """The next state is waited for: to be called before the order that leads to it."""
        if self.waiting is not None:
            raise ControlError(errors.USER_ERROR, "the route still runs: wait for its next stop")
        self.waiting = self._loop.create_future()

    async def wait(self) -> dict[str, Any]:
        """The next state. Raises :class:`ControlError` when none comes in time."""
        assert self.waiting is not None
        try:
            return await asyncio.wait_for(asyncio.shield(self.waiting), STEP_TIMEOUT)
        except TimeoutError:
            raise ControlError(
                errors.USER_ERROR,
                f"the route has not stopped for {STEP_TIMEOUT:.0f} s: it still runs; step.close() gives up on it",
            ) from None


class Steps:
    """``ksr.step.*`` on whatever can be stepped.

    ``add(object)`` gives a number to a run; publish its states with the entry's ``publish``. The oldest sandboxed
    step is closed when there are more than ``limit``; live ones stay until they are closed or dropped.
    """

    def __init__(self, limit: int = 32) -> None:
        self.limit = limit
        self.entries: dict[int, Entry] = {}
        self._next = 0

    def table(self) -> dict[str, Callable[..., Any]]:
        return {
            "ksr.step.do": self.do,
            "ksr.step.state": self.state,
            "ksr.step.eval": self.eval,
            "ksr.step.set": self.set,
            "ksr.step.pv": self.pv,
            "ksr.step.when": self.when,
            "ksr.step.watch": self.watch,
            "ksr.step.recording": self.recording,
            "ksr.step.close": self.close_step,
        }

    def add(self, obj: Steppable | None = None, owner: object = None) -> Entry:
        """A number for a run. Without ``obj`` its maker sets ``entry.object`` before anybody else can ask for it."""
        self._make_room()
        self._next += 1
        entry = self.entries[self._next] = Entry(self._next, asyncio.get_running_loop(), owner)
        entry.object = obj
        return entry

    def leave(self, owner: object) -> None:
        """A client has gone, and what it stepped through with it."""
        for number in [n for n, entry in self.entries.items() if entry.owner is owner]:
            self.forget(number)

    def drop(self, number: int) -> None:
        """Forget a run without closing it: it has ended by itself."""
        self.entries.pop(number, None)

    def _make_room(self) -> None:
        own = [n for n, entry in self.entries.items() if entry.object is not None and not entry.object.live]
        for number in own[: max(0, len(own) + 1 - self.limit)]:
            self.forget(number)

    def get(self, number: int) -> tuple[Entry, Steppable]:
        entry = self.entries.get(number)
        if entry is None or entry.object is None:
            raise ControlError(errors.USER_ERROR, f"no step {number}: step(m) starts one")
        return entry, entry.object

    def forget(self, number: int) -> None:
        entry = self.entries.pop(number, None)
        if entry is not None and entry.object is not None:
            entry.object.close()

    def close(self) -> None:
        """The proxy ends: no thread stays behind."""
        objects = [entry.object for entry in self.entries.values()]
        for number in list(self.entries):
            self.forget(number)
        for obj in objects:
            if isinstance(obj, Stepper):
                obj.join()

    # -- the methods ----------------------------------------------------------------------------------------------

    async def do(self, step: int, op: str, line: int = 0) -> dict[str, Any]:
        entry, obj = self.get(step)
        entry.expect()
        try:
            obj.order(op, line)
        except BaseException:
            entry.waiting = None
            raise
        return await entry.wait()

    def state(self, step: int) -> dict[str, Any]:
        """The latest state, as it was published."""
        entry, _ = self.get(step)
        if entry.last is None:
            raise ControlError(errors.USER_ERROR, f"step {step} has not stopped yet")
        return entry.last

    async def eval(self, step: int, expr: str) -> dict[str, Any]:
        _, obj = self.get(step)
        return self._noted(obj, {"repr": await self.ask(obj, obj.evaluate, expr)})

    async def set(self, step: int, name: str, expr: str) -> dict[str, Any]:
        entry, obj = self.get(step)
        answer = self._noted(obj, {"repr": await self.ask(obj, obj.set, name, expr)})
        if isinstance(obj, Stepper):
            entry.last = answer["state"] = obj.state() | {"step": step}
        return answer

    async def pv(self, step: int, name: str) -> dict[str, Any]:
        _, obj = self.get(step)
        return self._noted(obj, {"value": await self.ask(obj, obj.pv, name)})

    @staticmethod
    def _noted(obj: Steppable, answer: dict[str, Any]) -> dict[str, Any]:
        """With what is to be known of an answer that took another run of the script."""
        note = getattr(obj, "note", "")
        return answer | {"note": note} if note else answer

    def _recorded(self, step: int) -> tuple[Entry, Stepper]:
        entry, obj = self.get(step)
        if not isinstance(obj, Stepper):
            raise ControlError(
                errors.USER_ERROR, f"step {step} is of a live message: only runs in a sandbox are recorded"
            )
        return entry, obj

    async def when(self, step: int, spec: str = "", header: str = "") -> dict[str, Any]:
        _, obj = self._recorded(step)
        if bool(spec) == bool(header):
            raise ControlError(errors.INVALID_PARAMS, "ksr.step.when takes either spec (a name or $name) or header")
        return self._noted(obj, {"changes": await self.ask(obj, obj.when, spec, header)})

    async def watch(self, step: int, spec: str, on: bool = True) -> dict[str, Any]:
        entry, obj = self._recorded(step)
        state: dict[str, Any] = await self.ask(obj, obj.watch, spec, on)
        entry.last = state = state | {"step": step}
        return state

    async def recording(self, step: int, after: int = 0) -> dict[str, Any]:
        """A part of the recording, as the values of a trace file; ``next``: where the following part begins, 0: none.

        The parts belong together as long as the step does not go on meanwhile.
        """
        _, obj = self._recorded(step)
        part: dict[str, Any] = await self.ask(obj, self._part, obj, after)
        return part

    @staticmethod
    def _part(obj: Stepper, after: int) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        size = 0
        for at, item in enumerate(items(obj.recording)):
            if at < after:
                continue
            size += len(json.dumps(item))
            if size > PART and found:
                return {"items": found, "next": at}
            found.append(item)
        return {"items": found, "next": 0}

    def close_step(self, step: int) -> dict[str, Any]:
        self.forget(step)
        return {}

    @staticmethod
    async def ask(obj: Steppable, method: Callable[..., Any], *args: Any) -> Any:
        """Call a method of a step where it may be called; what user code raises becomes the answer."""
        try:
            if isinstance(obj, Stepper):
                result = await in_thread(obj.sandboxes.share(), method, *args)
            else:
                result = method(*args)
            return await result if inspect.isawaitable(result) else result
        except (DebugError, ControlError, PvError):
            raise
        except (Exception, SystemExit) as error:
            raise ControlError(
                errors.USER_ERROR, f"{type(error).__name__}: {error}", {"traceback": user_traceback(error)}
            ) from None
