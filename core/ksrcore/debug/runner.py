"""Running a callback in a sandbox and a thread of its own, every line and KSR call of it recorded.

The loop thread never waits for it: it says how far the run may go (:meth:`Runner.go`) and is told when it came there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from ..capture.recorder import Ran, Record
from ..run import REQUEST_ROUTE
from . import states
from .errors import DebugError
from .recording import Point, Recording
from .sandbox import Sandbox, Sandboxes
from .tracer import Abort, Order, Tracer

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

T = TypeVar("T")

#: Steps that are recorded of one run at most.
LIMIT = 20_000

#: Values whose repr never changes while it is the same object.
_PLAIN = (str, int, float, bool, type(None), bytes)

#: (name of a local or pseudo-variable, '' for an expression alone; expression).
Edit = tuple[str, str]


class Runner:
    """One execution. ``recording`` grows with it; ``position`` is the latest point.

    It begins to run with :meth:`go`. ``edits``: what the user changed, by position, done again on the way there.
    """

    def __init__(
        self,
        sandboxes: Sandboxes,
        base: Proxy,
        record: Record,
        callback: str,
        ran: Ran | None,
        *,
        watches: tuple[str, ...] = (),
        edits: dict[int, list[Edit]] | None = None,
        limit: int = LIMIT,
    ) -> None:
        self.sandboxes = sandboxes
        self.callback = callback
        self.edits = edits if edits is not None else {}
        self.limit = limit
        self.box = box = Sandbox(sandboxes.live, record, ran=ran, base=base)
        self.recording = Recording(_meta(box, callback), box.msg.buf)
        self.recording.watches = {spec: [] for spec in watches}
        self.waiting = False
        self._accessors: dict[str, Any] = {}
        self._aborted = False
        self._over = False
        self._goal: Callable[[Point, int], bool] | None = None
        self._reached: Callable[[Runner], None] = lambda runner: None
        self._ordered = threading.Condition(sandboxes.live.lock)
        self._unshare: Callable[[], None] = lambda: None
        self._activations: list[tuple[FrameType, int]] = []
        self._reprs: dict[int, dict[str, tuple[Any, str]]] = {}
        self._next_activation = 0
        self._made = -1
        self._uris = ("", "")
        self._text = self._routing = 0
        self.tracer = Tracer(box.is_script, self._stop)
        self.tracer.calls = self.recording.calls
        box.on_call = self.tracer.before_call
        box.after_call = self.tracer.after_call
        self.thread = threading.Thread(target=self._main, name=f"ksr-step-{record.id}", daemon=True)

    @property
    def position(self) -> int:
        return len(self.recording) - 1

    # -- orders (any other thread) --------------------------------------------------------------------------------

    def go(self, goal: Callable[[Point, int], bool], reached: Callable[[Runner], None]) -> None:
        """Run on until ``goal(point, position)``, or the end; ``reached`` is called there, in the route's thread."""
        with self._ordered:
            self._goal, self._reached, self.waiting = goal, reached, False
            if self.thread.ident is None:
                self._unshare = self.sandboxes.share()
                self.thread.start()
            self._ordered.notify_all()

    def abort(self) -> None:
        """End the route where it is."""
        with self._ordered:
            self._aborted = True
            self._ordered.notify_all()

    def join(self) -> None:
        if self.thread.ident is not None:
            self.thread.join(2.0)

    def looking(self, look: Callable[[], T]) -> T:
        """Run code of the user in the sandbox: its KSR calls are not the route's."""
        with self.sandboxes.working_in(self.box):
            keep, self.box.on_call, self.box.after_call = (self.box.on_call, self.box.after_call), None, None
            try:
                return look()
            finally:
                self.box.on_call, self.box.after_call = keep

    def pv(self, name: str) -> Any:
        """The value of a pseudo-variable where the run is. Raises PvError."""
        run: Run = self.box.proxy.env.run
        with self.sandboxes.live.lock, _unmoved(run):
            return self._accessor(name).get(run)

    def _accessor(self, name: str) -> Any:
        found = self._accessors.get(name)
        if found is None:
            from ..pv.accessor import compile_spec

            found = self._accessors[name] = compile_spec(name)
        return found

    def apply(self, edit: Edit) -> Any:
        """Do what the user did: give a local or a pseudo-variable the value of an expression, or only evaluate it."""
        name, expression = edit

        def change() -> Any:
            value = self.tracer.evaluate(expression)
            if name.startswith("$"):
                self._set_pv(name, value)
            elif name:
                self.tracer.set_local(name, value)
            return value

        value = self.looking(change)
        self.refresh()
        return value

    def _set_pv(self, name: str, value: Any) -> None:
        from ..kemi.facade import to_wire

        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DebugError(f"{name} takes text or a number, got {type(value).__name__}")
        accessor = self._accessor(name)
        if not accessor.writable:
            raise DebugError(f"{name} cannot be set")
        with self.sandboxes.live.lock:
            accessor.set(self.box.proxy.env.run, to_wire(value) if isinstance(value, str) else value)

    def refresh(self) -> None:
        """What was changed at the latest point shows in it."""
        self._made = -1
        if self.tracer.frame is not None and self.recording.points:
            point = self.recording.points[-1]
            self._reprs.pop(point.activation, None)
            new = self._point(point.event, point.call)
            self.recording.points[-1] = new
            for name, value in self._watched().items():
                self.recording.watches[name][-1] = value

    # -- the route's thread ---------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            end = self._run()
            if end is not None:
                self._made = -1
                self.recording.end = end
                self.recording.add(self._point("end", ""), self._watched())
        finally:
            self._unshare()
        if end is not None:
            self._tell()

    def _run(self) -> dict[str, Any] | None:
        """Run the callback. What there is to say of its end, None when it was given up."""
        box = self.box
        run = box.run
        script = box.proxy.script
        assert script is not None
        try:
            with self.sandboxes.working_in(box):
                self.tracer.start("each")
                try:
                    script.call(run, self.callback, *box.args)
                    if run.route == REQUEST_ROUTE and self.callback == "ksr_request_route":
                        self._settle(run)
                finally:
                    self.tracer.end()
            result = states.short_repr(run.result)
            end: dict[str, Any] = {"result": result, "exited": run.exited, "dropped": run.dropped}
            if run.exception is not None:
                end["exception"] = run.traceback
            return end
        except Abort:
            if not self._over:
                return None
            return {"result": None, "exited": False, "dropped": False, "exception": self._too_long()}

    def _too_long(self) -> str:
        return f"stopped after {self.limit:,} steps, as many as are recorded of a run: is there a loop without end?"

    def _settle(self, run: Run) -> None:
        """What the proxy does when a request's callback has ended: answer when it raised or relayed nothing."""
        proxy = self.box.proxy
        with self.sandboxes.live.lock:
            if run.exception is not None and not run.handled and run.msg.method != "ACK":
                proxy.modules.sl.exception_reply(run)
            for done in proxy.request_done:
                done(run)

    def _stop(self, event: str, frame: FrameType, call: str) -> Order:
        if self._aborted:
            return "abort", 0
        if self.position + 1 >= self.limit:
            self._over = True
            return "abort", 0
        at = self.recording.add(self._point(event, call), self._watched())
        if at in self.edits:
            self._edit(self.edits[at])
        goal = self._goal
        if goal is None or goal(self.recording.points[-1], at):
            # Waiting gives the core's lock back, also where the stop is inside a KSR call (a branch route).
            with self._ordered:
                self._tell()
                while self.waiting and not self._aborted:
                    self._ordered.wait()
            if self._aborted:
                return "abort", 0
        return "each", 0

    def _edit(self, edits: list[Edit]) -> None:
        # A function of the script that an expression calls is not part of the route.
        tracing = sys.gettrace()
        sys.settrace(None)
        for edit in edits:
            # It went well the first time; if not now, the comparison with the recorded state tells.
            with suppress(Exception):
                self.apply(edit)
        sys.settrace(tracing)

    def _tell(self) -> None:
        self.waiting = True
        self._reached(self)

    # -- points ---------------------------------------------------------------------------------------------------

    def _watched(self) -> dict[str, Any]:
        names = self.recording.watches
        if not names:
            return {}
        run = self.box.proxy.env.run
        found: dict[str, Any] = {}
        with self.sandboxes.live.lock, _unmoved(run):
            for name in names:
                try:
                    found[name] = self._accessor(name).get(run)
                except Exception:
                    found[name] = None
        return found

    def _point(self, event: str, call: str) -> Point:
        recording, box = self.recording, self.box
        uris = (box.msg.new_uri, box.msg.dst_uri)
        if self._made != box.made or uris != self._uris:
            self._made, self._uris = box.made, uris
            self._text = recording.text(states.outgoing(box.msg, box.proxy.listens))
            self._routing = recording.routing(states.message_state(box.msg))
            for dest, text in box.sent[len(recording.sent) :]:
                recording.sent.append(states.sent_view(dest, text))
            recording.writes[:] = box.writes()
        frames = [] if event == "end" else self.tracer.frames
        activation = self._activation(frames)
        return Point(
            event,
            tuple([(f.f_code.co_name, self._file(f), f.f_lineno) for f in frames]),
            activation,
            self._locals(activation) if frames else {},
            len(recording.calls),
            len(recording.sent),
            len(recording.writes),
            self._text,
            self._routing,
            call,
        )

    def _file(self, frame: FrameType) -> str:
        name = frame.f_code.co_filename
        if name not in self.recording.sources:
            self.recording.sources[name] = states.file_lines(name, frame.f_globals)
        return name

    def _activation(self, frames: list[FrameType]) -> int:
        """The number of this call of the innermost function."""
        known = self._activations
        same = 0
        while same < len(frames) and same < len(known) and known[same][0] is frames[same]:
            same += 1
        for _, number in known[same:]:
            self._reprs.pop(number, None)
        del known[same:]
        for frame in frames[same:]:
            self._next_activation += 1
            known.append((frame, self._next_activation))
        return known[-1][1] if known else 0

    def _locals(self, activation: int) -> dict[str, str]:
        before = self._reprs.setdefault(activation, {})
        found: dict[str, str] = {}
        for name, value in self.tracer.locals.items():
            known = before.get(name)
            if known is None or known[0] is not value or type(value) not in _PLAIN:
                known = before[name] = (value, states.short_repr(value))
            found[name] = known[1]
        return found


@contextmanager
def _unmoved(run: Run) -> Iterator[None]:
    """Looking must change nothing: some pseudo-variables look the transaction up, and the script may see that."""
    before = run.t, run.t_lookup, run.branch
    try:
        yield
    finally:
        run.t, run.t_lookup, run.branch = before


def _meta(box: Sandbox, callback: str) -> dict[str, Any]:
    import platform

    from .. import __version__

    record, script = box.source, box.live.script
    return {
        "callback": callback,
        "message": record.id,
        "time": record.time,
        "proto": record.proto,
        "src": list(record.src),
        "dst": list(record.dst),
        "out": record.out,
        "script": script.path if script is not None else "",
        "proxy": box.live.name,
        "version": __version__,
        "python": platform.python_version(),
    }
