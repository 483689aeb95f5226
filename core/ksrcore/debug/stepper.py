"""Stepping a callback of the script on a captured message, in a sandbox and in a thread of its own.

The thread traces the script's frames only (``sys.settrace`` is per thread, so nothing else slows down). Where it stops
it publishes a state and waits for an order; the loop thread never waits for it.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Record
from ..kemi.declare import Decl
from ..kemi.xhttp import EVENT
from ..proxy import Proxy
from .sandbox import Sandbox, SandboxError, Sandboxes

if TYPE_CHECKING:
    from ..run import Run

OPS = ("next", "into", "out", "next_call", "to", "finish")

_REPR_LIMIT = 400
_CONTEXT = 5


class _Abort(BaseException):
    """Thrown into a stepped route to end it."""


def short_repr(value: object) -> str:
    """``repr`` for people: never raises, never long."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr failed: {type(error).__name__}>"
    return text if len(text) <= _REPR_LIMIT else text[: _REPR_LIMIT - 3] + "..."


def _code_lines(filename: str) -> set[int]:
    """The lines of that source on which a function's code stops a step."""
    try:
        code = compile("".join(linecache.getlines(filename)), filename, "exec", dont_inherit=True)
    except SyntaxError:
        return set()
    found: set[int] = set()
    waiting = [const for const in code.co_consts if isinstance(const, CodeType)]
    while waiting:
        code = waiting.pop()
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
        found.update(line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
    return found


class Stepper:
    """One callback under the debugger; ``publish(state)`` is called in its thread at each stop and at the end."""

    def __init__(
        self, sandboxes: Sandboxes, record: Record, callback: str, publish: Callable[[dict[str, Any]], None]
    ) -> None:
        self.sandboxes = sandboxes
        self.box = Sandbox(sandboxes.live, record)
        self.callback = callback
        self.publish = publish
        self.done = False
        self.frame: FrameType | None = None
        self.calls: list[dict[str, Any]] = []
        # Waiting for an order gives the core's lock back, also where the stop is inside a KSR call (a branch route).
        self._orders: deque[tuple[str, int]] = deque()
        self._ordered = threading.Condition(sandboxes.live.lock)
        self._mode = "into"
        self._line = 0
        self._file = ""
        self._depth = 0
        self._limit = 0
        self._frames: list[FrameType] = []
        self._files = self._script_files()
        self.box.on_call = self._on_call
        self.box.after_call = self._after_call
        self.thread = threading.Thread(target=self._main, name=f"ksr-step-{record.id}", daemon=True)
        self.thread.start()

    def _script_files(self) -> Callable[[str], bool]:
        script = self.box.proxy.script
        path = getattr(getattr(script, "module", None), "__file__", "")
        return lambda name: name == path or name.startswith("<swap ")

    @property
    def live(self) -> Proxy:
        return self.sandboxes.live

    # -- orders (loop thread) -------------------------------------------------------------------------------------

    def order(self, op: str, line: int = 0) -> None:
        """Go on: see :data:`OPS`. Raises :class:`SandboxError`."""
        if op not in OPS:
            raise SandboxError(f"cannot step {op!r}; known: {', '.join(OPS)}")
        if self.done:
            raise SandboxError("the callback has ended: step(m) starts it again")
        if op == "to":
            self._check_line(line)
        self._give((op, line))

    def _check_line(self, line: int) -> None:
        """A line of the file the route is in, with code on it: else the route would run to its end without a word."""
        if line < 1:
            raise SandboxError(f"step.to(line) needs a line number, got {line!r}")
        frame = self.frame
        if frame is None:
            return
        filename = frame.f_code.co_filename
        lines = sorted(_code_lines(filename))
        if line not in lines:
            after = next((n for n in lines if n > line), None)
            hint = f"; the next with code is {after}" if after is not None else f"; the last with code is {lines[-1]}"
            raise SandboxError(f"line {line} of {filename} has no code{hint}")
        self._file = filename

    def _give(self, order: tuple[str, int]) -> None:
        with self._ordered:
            self._orders.append(order)
            self._ordered.notify_all()

    def close(self) -> None:
        """End the route where it is and its thread."""
        self._give(("abort", 0))
        self.thread.join(2.0)

    def evaluate(self, expression: str) -> str:
        """``repr`` of a Python expression in the stopped frame. Raises what it raises."""
        frame = self.frame
        if frame is None:
            raise SandboxError("the callback has ended: there is no frame to evaluate in")
        with self.sandboxes.working_in(self.box):
            keep, self.box.on_call, self.box.after_call = (self.box.on_call, self.box.after_call), None, None
            try:
                return short_repr(eval(expression, frame.f_globals, frame.f_locals))
            finally:
                self.box.on_call, self.box.after_call = keep

    # -- the route's thread ---------------------------------------------------------------------------------------

    def _main(self) -> None:
        run = self.box.run
        script = self.box.proxy.script
        assert script is not None
        try:
            with self.sandboxes.working_in(self.box):
                sys.settrace(self._trace)
                try:
                    script.call(run, self.callback, *((EVENT,) if run.msg.http else ()))
                finally:
                    sys.settrace(None)
        except _Abort:
            self.done, self.frame = True, None
            return
        self._end(run)

    def _end(self, run: Run) -> None:
        self.done, self.frame = True, None
        with self.live.lock:
            state = self._state("end", None)
        state["result"] = short_repr(run.result)
        state["exited"], state["dropped"] = run.exited, run.dropped
        if run.exception is not None:
            state["exception"] = run.traceback
        self.publish(state)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self._files(frame.f_code.co_filename):
            return None
        self._depth += 1
        self._frames.append(frame)
        return self._local

    def _local(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            mode = self._mode
            if (
                mode == "into"
                or (mode == "next" and self._depth <= self._limit)
                or (mode == "out" and self._depth < self._limit)
                or (mode == "to" and frame.f_lineno == self._line and frame.f_code.co_filename == self._file)
            ):
                self._stop("line", frame)
        elif event == "return":
            self._depth -= 1
            self._frames.pop()
        return self._local

    def _on_call(self, decl: Decl, args: tuple[Any, ...]) -> None:
        if self._mode == "next_call":
            self._stop("call", self._frames[-1], f"{decl.path}({', '.join(map(short_repr, args))})")

    def _after_call(self, decl: Decl, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        raised = isinstance(result, BaseException)
        self.calls.append(
            {
                "name": decl.path,
                "args": list(args),
                "result": None if raised else result,
                "error": f"{type(result).__name__}: {result}" if raised else None,
                "duration": seconds,
            }
        )

    def _stop(self, event: str, frame: FrameType, call: str = "") -> None:
        with self._ordered:
            self.frame = frame
            state = self._state(event, frame)
            if call:
                state["call"] = call
            self.publish(state)
            while not self._orders:
                self._ordered.wait()
            op, line = self._orders.popleft()
            self.frame = None
        if op == "abort":
            raise _Abort
        self._mode, self._line, self._limit = op, line, self._depth

    def _state(self, event: str, frame: FrameType | None) -> dict[str, Any]:
        state: dict[str, Any] = {
            "done": self.done,
            "event": event,
            "calls": list(self.calls),
            "effects": self.box.effects(),
            "message": self.box.source.id,
            "callback": self.callback,
        }
        if frame is not None:
            filename = frame.f_code.co_filename
            lines = linecache.getlines(filename, frame.f_globals)
            first = max(1, frame.f_lineno - _CONTEXT)
            state |= {
                "function": frame.f_code.co_name,
                "file": filename,
                "line": frame.f_lineno,
                "first_line": first,
                "source": [text.rstrip("\n") for text in lines[first - 1 : frame.f_lineno + _CONTEXT]],
                "locals": {name: short_repr(value) for name, value in frame.f_locals.items()},
                "stack": [{"function": f.f_code.co_name, "line": f.f_lineno} for f in self._frames],
            }
        return state
