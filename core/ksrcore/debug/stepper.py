"""Stepping a callback of the script on a captured message, in a sandbox and in a thread of its own.

Where it stops it publishes a state and waits for an order; the loop thread never waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from ..capture.recorder import Record
from ..kemi.xhttp import EVENT
from ..proxy import Proxy
from .sandbox import Sandbox, SandboxError, Sandboxes
from .states import check_line, short_repr
from .tracer import Abort, Order, Tracer

if TYPE_CHECKING:
    from ..run import Run

T = TypeVar("T")

OPS = ("next", "into", "out", "next_call", "to", "finish")


class Stepper:
    """One callback under the debugger; ``publish(state)`` is called in its thread at each stop and at the end."""

    live = False
    threaded = False

    def __init__(
        self, sandboxes: Sandboxes, record: Record, callback: str, publish: Callable[[dict[str, Any]], None]
    ) -> None:
        self.sandboxes = sandboxes
        self.box = Sandbox(sandboxes.live, record)
        self.callback = callback
        self.publish = publish
        self.done = False
        # Waiting for an order gives the core's lock back, also where the stop is inside a KSR call (a branch route).
        self._orders: deque[Order] = deque()
        self._ordered = threading.Condition(sandboxes.live.lock)
        self.tracer = Tracer(self.box.is_script, self._stop)
        self.box.on_call = self.tracer.before_call
        self.box.after_call = self.tracer.after_call
        self.thread = threading.Thread(target=self._main, name=f"ksr-step-{record.id}", daemon=True)
        self.thread.start()

    @property
    def proxy(self) -> Proxy:
        return self.sandboxes.live

    # -- orders (loop thread) -------------------------------------------------------------------------------------

    def order(self, op: str, line: int = 0) -> None:
        """Go on: see :data:`OPS`. Raises :class:`SandboxError`."""
        if op not in OPS:
            raise SandboxError(f"cannot step {op!r}; known: {', '.join(OPS)}")
        if self.done:
            raise SandboxError("the callback has ended: step(m) starts it again")
        frame = self.tracer.frame
        if op == "to" and frame is not None:
            check_line(frame.f_code.co_filename, line)
        self._give((op, line))

    def _give(self, order: Order) -> None:
        with self._ordered:
            self._orders.append(order)
            self._ordered.notify_all()

    def close(self) -> None:
        """End the route where it is and its thread."""
        self._give(("abort", 0))
        self.thread.join(2.0)

    def _looking(self, look: Callable[[], T]) -> T:
        """Run code of the user in the sandbox: its KSR calls are not the route's."""
        with self.sandboxes.working_in(self.box):
            keep, self.box.on_call, self.box.after_call = (self.box.on_call, self.box.after_call), None, None
            try:
                return look()
            finally:
                self.box.on_call, self.box.after_call = keep

    def evaluate(self, expression: str) -> str:
        """``repr`` of a Python expression in the stopped frame. Raises what it raises."""
        return self._looking(lambda: short_repr(self.tracer.evaluate(expression)))

    def set(self, name: str, expression: str) -> str:
        """Give a local variable the value of an expression."""

        def assign() -> str:
            value = self.tracer.evaluate(expression)
            self.tracer.set_local(name, value)
            return short_repr(value)

        return self._looking(assign)

    def pv(self, name: str) -> Any:
        from ..pv.accessor import compile_spec

        run: Run = self.box.proxy.env.run
        return compile_spec(name).get(run)

    # -- the route's thread ---------------------------------------------------------------------------------------

    def _main(self) -> None:
        run = self.box.run
        script = self.box.proxy.script
        assert script is not None
        try:
            with self.sandboxes.working_in(self.box):
                self.tracer.start()
                try:
                    script.call(run, self.callback, *((EVENT,) if run.msg.http else ()))
                finally:
                    self.tracer.end()
        except Abort:
            self.done = True
            return
        self._end(run)

    def _end(self, run: Run) -> None:
        self.done = True
        with self.proxy.lock:
            state = self._state("end")
        state["result"] = short_repr(run.result)
        state["exited"], state["dropped"] = run.exited, run.dropped
        if run.exception is not None:
            state["exception"] = run.traceback
        self.publish(state)

    def _stop(self, event: str, frame: FrameType, call: str) -> Order:
        with self._ordered:
            state = self._state(event) | self.tracer.view()
            if call:
                state["call"] = call
            self.publish(state)
            while not self._orders:
                self._ordered.wait()
            return self._orders.popleft()

    def _state(self, event: str) -> dict[str, Any]:
        return {
            "done": self.done,
            "live": False,
            "event": event,
            "calls": list(self.tracer.calls),
            "effects": self.box.effects(),
            "message": self.box.source.id,
            "callback": self.callback,
        }
