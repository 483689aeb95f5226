"""Stepping a callback of the script on a captured message: forwards, backwards, with another future.

What was reached is recorded, and moving inside the recording shows it again. To look at more than was recorded, or to
change something, the run is made once more up to that step, in another fork of what the proxy was at the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..capture.recorder import Record
from ..proxy import Proxy
from ..pv.accessor import compile_spec
from .context import find_ran
from .errors import DebugError
from .recording import MOVES, STANDARD, Point, Recording
from .runner import LIMIT, Edit, Runner
from .sandbox import Sandboxes, fork_proxy, wall_of
from .states import short_repr

__all__ = ["OPS", "Stepper"]

OPS = MOVES

#: Seconds that a run may take to come to a step again.
PATIENCE = 10.0


class Stepper:
    """One callback under the debugger; ``publish(state)`` is called at each stop and at the end, from any thread.

    ``nth``: which run of that callback for the message, from 0. ``whole``: run to the end at once, with the standard
    pseudo-variables of every step.
    """

    live = False

    def __init__(
        self,
        sandboxes: Sandboxes,
        record: Record,
        callback: str,
        publish: Callable[[dict[str, Any]], None],
        *,
        nth: int = 0,
        limit: int = LIMIT,
        watches: tuple[str, ...] = (),
        whole: bool = False,
    ) -> None:
        self.sandboxes = sandboxes
        self.callback = callback
        self.publish = publish
        self.limit = limit
        self.note = ""
        self.shown = list(watches)
        self.position = 0
        self.closed = False
        live = sandboxes.live
        with live.lock:
            found = find_ran(live.recorder, record, callback, nth)
            self.base: Proxy = fork_proxy(live, lambda data, dest: True, wall_of(live, found[0] if found else record))
        if found is None and nth:
            raise DebugError(f"{callback} did not run {nth + 1} times for message {record.id}")
        self.record: Record = found[0] if found is not None else record
        self.ran = found[1] if found is not None else None
        self.edits: dict[int, list[Edit]] = {}
        self._past: Runner | None = None
        self._clean = True
        self._busy = threading.Lock()
        specs = (*watches, *(STANDARD if whole else ()))
        self.main = self._runner(tuple(dict.fromkeys(specs)))
        goal: Callable[[Point, int], bool] = (lambda p, at: False) if whole else (lambda p, at: p.event == "line")
        self.main.go(goal, self._main_reached)

    @property
    def proxy(self) -> Proxy:
        return self.sandboxes.live

    @property
    def recording(self) -> Recording:
        return self.main.recording

    @property
    def done(self) -> bool:
        """Whether it takes no more orders: it still goes back when the run has ended."""
        return self.closed

    @property
    def thread(self) -> threading.Thread:
        return self.main.thread

    def _runner(self, watches: tuple[str, ...] = ()) -> Runner:
        edits = {at: list(edits) for at, edits in self.edits.items()}
        return Runner(
            self.sandboxes,
            self.base,
            self.record,
            self.callback,
            self.ran,
            watches=watches,
            edits=edits,
            limit=self.limit,
        )

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, op: str, line: int = 0) -> None:
        """Move: see :data:`OPS`. ``line`` is a line, a position or how many. Raises :class:`DebugError`."""
        if op not in OPS:
            raise DebugError(f"cannot step {op!r}; known: {', '.join(OPS)}")
        if self.closed:
            raise DebugError("this step is closed: step(m) starts it again")
        if not self._busy.acquire(blocking=False):
            raise DebugError("something is being evaluated: wait for it")
        try:
            if not self.main.waiting:
                raise DebugError("the route still runs: wait for its next stop")
            recording = self.recording
            target = recording.move(self.position, op, line)
            if target is not None:
                self.position = target
                self.publish(self.state())
                return
            origin = recording.points[self.position]
            found = recording.found(op, origin, line)
            left = max(1, line) - (len(recording) - 1 - self.position) if op == "forward" else 1

            def goal(point: Point, at: int) -> bool:
                nonlocal left
                if not found(point):
                    return False
                left -= 1
                return left <= 0

            self.main.go(goal, self._main_reached)
        finally:
            self._busy.release()

    def _main_reached(self, runner: Runner) -> None:
        self.position = runner.position
        self.publish(self.state())

    def state(self) -> dict[str, Any]:
        """What is to be seen where it stands."""
        state = self.recording.state(self.position, self.shown)
        if self.ran is None and self.callback not in ("ksr_request_route", "ksr_reply_route") and not self.note:
            state["note"] = f"{self.callback} did not run for this message: it has no transaction here"
        elif self.note:
            state["note"] = self.note
        return state

    def close(self) -> None:
        """End the route where it is. Its thread ends soon: whoever calls may hold the lock that it needs for that."""
        self.closed = True
        for runner in (self.main, self._past):
            if runner is not None:
                runner.abort()

    def join(self) -> None:
        """Wait for the threads of a closed step. Not with the core's lock held."""
        for runner in (self.main, self._past):
            if runner is not None:
                runner.join()

    # -- looking and changing (a worker's thread) -----------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time looks and changes. Raises :class:`DebugError` when another one does not end."""
        if not self._busy.acquire(timeout=PATIENCE / 2):
            raise DebugError("something else is still being evaluated: step.close() gives up on the step")
        try:
            yield
        finally:
            self._busy.release()

    def _at(self) -> Runner:
        """A run that stands where the step stands: the first one, or one made again up to there."""
        if not self.main.waiting:
            raise DebugError("the route still runs: wait for its next stop")
        self.note = ""
        position = self.position
        if position == self.main.position:
            return self.main
        past = self._past
        if past is not None and self._clean and past.waiting and past.position <= position and not past.recording.ended:
            if past.position < position:
                self._run(past, position)
        else:
            self._drop_past()
            past = self._past = self._runner(tuple(self.recording.watches))
            self._run(past, position)
        self._clean = True
        self.note = self._compare(past, position)
        return past

    def _compare(self, past: Runner, position: int) -> str:
        if past.position != position:
            return f"run again, it ended after {past.position} steps: something it depends on has changed"
        differs = self.recording.differs(position, past.recording)
        return f"run again, it came to something else here: {differs}" if differs else ""

    def _run(self, runner: Runner, position: int) -> None:
        came = threading.Event()
        runner.go(lambda point, at: at >= position, lambda runner: came.set())
        if not came.wait(PATIENCE):
            runner.abort()
            self._past = None
            raise DebugError(f"the run did not come to step {position} again within {PATIENCE:.0f} s")

    def _drop_past(self) -> None:
        past, self._past = self._past, None
        if past is not None:
            past.abort()
            past.join()

    def evaluate(self, expression: str) -> str:
        """``repr`` of a Python expression where the step stands. Raises what it raises."""
        with self._alone():
            runner = self._at()
            if runner.tracer.frame is None:
                raise DebugError("the callback has ended: there is no frame to evaluate in; back() goes back in it")
            made = runner.box.made
            text = short_repr(runner.looking(lambda: runner.tracer.evaluate(expression)))
            if runner.box.made != made:
                if runner is self.main:
                    # It may have changed something: done again when the run is made again.
                    self.edits.setdefault(self.position, []).append(("", expression))
                    runner.refresh()
                else:
                    self._clean = False
            return text

    def set(self, name: str, expression: str) -> str:
        """Give a local variable or a pseudo-variable the value of an expression; ``repr`` of the value.

        In the past that is the beginning of another future: what was recorded after this step is dropped.
        """
        with self._alone():
            runner = self._at()
            if runner.tracer.frame is None:
                raise DebugError("the callback has ended: there is nothing to set; back() goes back in it")
            value = runner.apply((name, expression))
            position = self.position
            self.edits = {at: edits for at, edits in self.edits.items() if at <= position}
            self.edits.setdefault(position, []).append((name, expression))
            if runner is not self.main:
                old, self.main, self._past = self.main, runner, None
                old.abort()
                old.join()
            return short_repr(value)

    def pv(self, name: str) -> Any:
        """The value of a pseudo-variable where the step stands: str (latin-1), int, None. Raises PvError."""
        with self._alone():
            return self._at().pv(name)

    # -- when and watch -------------------------------------------------------------------------------------------

    def when(self, spec: str = "", header: str = "") -> list[dict[str, Any]]:
        """Where a local, a pseudo-variable (``$du``) or the header fields of a name changed, as far as is recorded."""
        with self._alone():
            if header:
                return self.recording.when_header(header)
            if not spec.startswith("$"):
                return self.recording.when_local(spec)
            self._see(spec)
            return self.recording.when_watch(spec)

    def watch(self, spec: str, on: bool = True) -> dict[str, Any]:
        """Show a pseudo-variable in every state from now on, or no longer. The state here."""
        with self._alone():
            if on:
                self._see(spec)
                if spec not in self.shown:
                    self.shown.append(spec)
            elif spec in self.shown:
                self.shown.remove(spec)
            else:
                raise DebugError(f"{spec} is not watched")
            return self.state()

    def _see(self, spec: str) -> None:
        """Values of that pseudo-variable for every point there is and will be."""
        recording = self.recording
        if spec in recording.watches:
            return
        if not self.main.waiting:
            raise DebugError("the route still runs: wait for its next stop")
        compile_spec(spec)
        again = self._runner((spec,))
        end = len(recording) - 1
        try:
            self._run(again, end)
            self.note = self._compare(again, end)
            values = again.recording.watches[spec]
            recording.watches[spec] = (values + [None] * len(recording))[: len(recording)]
        finally:
            again.abort()
            again.join()
