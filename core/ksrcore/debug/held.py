"""A live message under the debugger: its processing (:class:`Live`) and each time it is held (:class:`Held`)."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..kemi.declare import Decl
from ..kemi.facade import find_decl, perform, to_wire
from ..run import ROUTE_NAMES
from ..tm.timers import NEVER
from . import states
from .caught import is_caught
from .errors import DebugError
from .overtime import LIMIT, within
from .places import ENTRY, EXCEPTION, FUNCTION, KSR_CALL, LINE
from .states import call_text, check_line, short_repr
from .tracer import OPS, Order, Tracer
from .watches import Watched

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..proxy import Timer
    from ..run import Run
    from ..sip.message import SipMessage
    from ..tasks import Task
    from ..tm.transaction import Transaction
    from .hold import Hold
    from .holds import Holds

#: How scripts and Python use exceptions without anything being wrong.
_QUIET = (StopIteration, StopAsyncIteration, GeneratorExit)


def _nothing(frame: FrameType, event: str, arg: Any) -> None:
    """A thread's trace function that follows no new frame: those that are to be followed have one of their own."""


class Live:
    """The processing of one message (or timer) that some holds may stop.

    ``record`` and ``msg`` are the message it began with (None for a timer without one). While it is paused, ``queue``
    collects what belongs to the same transaction, ``transactions`` have their clocks stopped.
    """

    def __init__(self, holds: Holds, wanted: list[Hold], msg: SipMessage | None, record: Record | None) -> None:
        self.holds = holds
        self.msg = msg
        self.record = record
        self.transactions: set[Transaction] = set()
        self.keys: set[tuple[str, str, str]] = set()
        self.queue: deque[tuple[str, Callable[[], None]]] = deque()
        self.absorbed = 0
        self.task: Task | None = None
        self.held: Held | None = None
        #: The latest time it was held, over or not.
        self.last: Held | None = None
        #: Which repeated timer it is.
        self.tick: object = None
        #: The run that is stopped, or was last.
        self.run: Run | None = None
        self.event = ""
        self.coming = ""
        self.cause: Hold | None = None
        self.change: tuple[str, Any, Any] | None = None
        self.order: Order = ("finish", 0)
        #: Why everything of this message ends: '' while it goes on as usual.
        self.ending = ""
        self.paused_at = NEVER
        self.answered_100 = False
        self._at_entry = True
        self._of: dict[str, list[Hold]] = {}
        self._watched: list[tuple[Hold, Watched]] = []
        for hold in wanted:
            if hold.watch is not None:
                self._watched.append((hold, Watched(hold.watch)))
            else:
                self._of.setdefault(hold.place.kind, []).append(hold)
        self._lines = self._of.get(LINE, ())
        #: Whether it may have to wait: logpoints alone stop nothing.
        self.task_wanted = any(hold.log is None for hold in wanted)
        self.at_calls = KSR_CALL in self._of
        self._raised: BaseException | None = None
        #: KSR calls made before the tracer followed: what it is told when it does.
        self._made: list[tuple[Decl, tuple[Any, ...], Any, float]] = []
        self._following = False
        self.tracer = Tracer(holds.is_script, self._stop, self)

    # -- following the script, in the message's thread ------------------------------------------------------------

    def process(self, fn: Callable[[], None]) -> None:
        """Do the message's processing, watching for the places of its holds.

        Until it stops for the first time it is not traced: functions tell that they are entered, KSR calls come by
        anyway, and of lines only those functions are traced that have one of them.
        """
        before = sys.gettrace()
        if self._watched or not self.holds.entries.able:
            self._follow(None)
        try:
            fn()
        finally:
            sys.settrace(before)

    def _follow(self, frame: FrameType | None) -> None:
        self._following = True
        if frame is None:
            self.tracer.start("finish")
        else:
            self.tracer.attach(frame)
        for call in self._made:
            self.tracer.after_call(*call)
        self._made.clear()

    def _halt(self, event: str, frame: FrameType, call: str = "", error: BaseException | None = None) -> None:
        self._follow(frame)
        self.tracer.halt(event, frame, call, error)

    def entered(self, frame: FrameType) -> None:
        """A function of the script begins: its first line is about to run."""
        if self._following:
            return  # the tracer says so itself
        if self.function(frame):
            self._halt("line", frame)
            return
        lines = self._lines_of(frame)
        if frame.f_lineno in lines and self.line(frame):
            self._halt("line", frame)
            return
        if lines or EXCEPTION in self._of:
            frame.f_trace = self._light
            frame.f_trace_lines = bool(lines)
            if sys.gettrace() is None:
                sys.settrace(_nothing)

    def _lines_of(self, frame: FrameType) -> set[int]:
        """The lines of this function that a hold is at."""
        code = frame.f_code
        lines = {hold.place.line for hold in self._lines if hold.place.file == code.co_filename}
        return lines and {n for _, _, n in code.co_lines() if n in lines and n != code.co_firstlineno}

    def _light(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line" and self.line(frame):
            self._halt("line", frame)
        elif event == "exception" and self.exception(frame, arg[1]):
            self._halt("exception", frame, error=arg[1])
        # The stop has put the tracer's own function there.
        return frame.f_trace

    # -- what the tracer asks -------------------------------------------------------------------------------------

    def function(self, frame: FrameType) -> bool:
        found = False
        if self._at_entry:
            self._at_entry = False
            found = self._reached(self._of.get(ENTRY, ()), frame)
        named = self._of.get(FUNCTION)
        if named:
            name = frame.f_code.co_name
            found = self._reached([hold for hold in named if hold.place.name == name], frame) or found
        return found

    def line(self, frame: FrameType) -> bool:
        found = False
        if self._watched:
            found = self._look(frame)
        if self._lines:
            number, file = frame.f_lineno, frame.f_code.co_filename
            here = [hold for hold in self._lines if hold.place.line == number and hold.place.file == file]
            found = self._reached(here, frame) or found
        return found

    def call(self, decl: Decl, args: tuple[Any, ...]) -> bool:
        named = self._of.get(KSR_CALL)
        if not named:
            return False
        frame = self.tracer.frames[-1] if self._following else self._script_frame()
        return frame is not None and self._reached([hold for hold in named if hold.place.name == decl.path], frame)

    def _script_frame(self) -> FrameType | None:
        """The innermost frame of the script."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.holds.is_script(frame.f_code.co_filename):
            frame = frame.f_back
        return frame

    def exception(self, frame: FrameType, error: BaseException) -> bool:
        wanted = self._of.get(EXCEPTION)
        if not wanted or error is self._raised or not isinstance(error, Exception) or isinstance(error, _QUIET):
            return False
        self._raised = error  # it passes through the callers' frames as well
        if is_caught(frame, error, self.holds.is_script):
            return False
        return self._reached(wanted, frame)

    def _look(self, frame: FrameType) -> bool:
        run = self.holds.proxy.env.run
        found = False
        for hold, watched in self._watched:
            change = watched.changed(run)
            if change is not None and self._reached((hold,), frame):
                self.change = (watched.watch.name, *change)
                found = True
        return found

    def _reached(self, holds: list[Hold] | tuple[Hold, ...], frame: FrameType) -> bool:
        found = False
        if not self.ending:
            for hold in holds:
                if self.holds.reached(hold, self, frame):
                    self.cause = hold
                    found = True
        return found

    def _stop(self, event: str, frame: FrameType, call: str) -> Order:
        holds = self.holds
        self.event, self.coming, self.run = event, call, holds.proxy.env.run
        holds.stopped(self)
        self.change = None
        if self.ending:
            self._end()
        return self.order

    def _end(self) -> None:
        """The script ends here: by drop."""
        run = self.holds.proxy.env.run
        run.dropped = run.handled = True
        raise SystemExit

    # -- KSR calls, in the message's thread -----------------------------------------------------------------------

    def dispatch(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        """A KSR call of the script: what the facade does, between the tracer's questions."""
        if self.ending:
            self._end()  # the script has caught its end: nothing more comes of it
        if self._following:
            self.tracer.before_call(decl, args)
        elif self.call(decl, args) and (frame := self._script_frame()) is not None:
            self._halt("call", frame, call_text(decl, args))
        result = self.perform(decl, args)
        if self.ending:
            self._end()
        return result

    def publish_end(self, held: Held | None) -> None:
        """Its processing is over: tell those who step through it, of ``held`` and of the time before."""
        for each in {id(h): h for h in (held, self.last) if h is not None}.values():
            if each.publish is not None:
                each.publish(each.end_state())
                each.publish = None

    def perform(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        """Do a KSR call on the current run, for real, and keep it with the run's calls."""
        return perform(self.holds.proxy, decl, args, self._keep)

    def _keep(self, decl: Decl, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        if self._following:
            self.tracer.after_call(decl, args, result, seconds)
        else:
            self._made.append((decl, args, result, seconds))


class Held:
    """A message that waits. What it offers to ``ksr.step.*`` is that of any step, on the live proxy."""

    live = True

    def __init__(self, holds: Holds, number: int, live: Live, hold: Hold, until: float) -> None:
        self.holds = holds
        self.id = number
        self.of = live
        self.hold = hold
        self.since = holds.proxy.wall()
        self.until = until
        self.timer: Timer | None = None
        self.released = ""
        #: Told of each state (a step's registry entry).
        self.publish: Callable[[dict[str, Any]], None] | None = None
        self.step = 0
        self.why = ""
        #: Function, file and line where it was held.
        self.at = ("", "", 0)

    @property
    def done(self) -> bool:
        return bool(self.released)

    # -- orders ---------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.released:
            raise DebugError(f"held {self.id} waits no more: {self.released}")

    def order(self, op: str, line: int = 0) -> None:
        """Go on to the next stop, or to the end of the message's processing. Raises :class:`DebugError`."""
        self._check()
        if op not in OPS or op in ("each", "abort"):
            raise DebugError(f"cannot step {op!r}; known: next, into, out, next_call, to, finish")
        frame = self.of.tracer.frame
        if op == "to" and frame is not None:
            check_line(frame.f_code.co_filename, line)
        self.holds.go_on(self.of, (op, line))

    def close(self) -> None:
        """Go on without stopping."""
        if not self.released:
            self.holds.release(self, "resumed")

    # -- looking and changing -------------------------------------------------------------------------------------

    @contextmanager
    def acting(self) -> Iterator[Run]:
        """KSR calls inside are made on the held run, for real."""
        self._check()
        proxy = self.holds.proxy
        with proxy.lock:
            run = self.of.run
            assert run is not None
            outer, proxy.env.run = proxy.env.run, run
            try:
                yield run
            finally:
                proxy.env.run = outer

    def evaluate(self, expression: str) -> str:
        """``repr`` of an expression's value in the stopped frame. Raises what it raises, and :class:`DebugError` when
        it takes too long."""
        with self.acting():
            return within(LIMIT, lambda: short_repr(self.of.tracer.evaluate(expression)))

    def set(self, name: str, expression: str) -> str:
        """Give a local variable, or a pseudo-variable, the value of an expression."""
        with self.acting():
            value = within(LIMIT, lambda: self.of.tracer.evaluate(expression))
            if name.startswith("$"):
                self._set_pv(name, value)
            else:
                self.of.tracer.set_local(name, value)
            return short_repr(value)

    def _set_pv(self, name: str, value: Any) -> None:
        if value is None:
            self.call("pv.unset", (name,))
        elif isinstance(value, int):
            self.call("pv.seti", (name, int(value)))
        elif isinstance(value, str):
            self.call("pv.sets", (name, value))
        else:
            raise DebugError(f"{name} takes a number, a text or None, got {short_repr(value)}")

    def pv(self, name: str) -> Any:
        """The value of a pseudo-variable: str (latin-1), int or None."""
        from ..pv.accessor import compile_spec

        with self.acting() as run:
            return compile_spec(to_wire(name)).get(run)

    def call(self, name: str, args: tuple[Any, ...]) -> Any:
        """``KSR.<name>(*args)`` on the held run, for real. Raises what the function raises."""
        decl = find_decl(self.holds.proxy, name)
        with self.acting():
            return self.of.perform(decl, args)

    # -- states ---------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The state of the stop it waits at."""
        self._check()
        with self.holds.proxy.lock:
            return self._common(self.of.event) | self.of.tracer.view()

    def end_state(self) -> dict[str, Any]:
        """The state after the message's processing has ended."""
        state = self._common("end")
        run = self.of.run
        if run is not None:
            state["result"] = short_repr(run.result)
            state["exited"], state["dropped"] = run.exited, run.dropped
            if run.exception is not None:
                state["exception"] = run.traceback
        return state

    def _common(self, event: str) -> dict[str, Any]:
        live = self.of
        run = live.run
        proxy = self.holds.proxy
        record = live.record
        sent = []
        for id in record.sent if record is not None else ():
            out = proxy.recorder.get(id)
            if out is not None:
                sent.append((out.where, out.data))
        state: dict[str, Any] = {
            "done": event == "end",
            "live": True,
            "held": self.id,
            "event": event,
            "message": record.id if record is not None else 0,
            "callback": run.callback if run is not None else "",
            "route": ROUTE_NAMES.get(run.route, "") if run is not None else "",
            "calls": list(live.tracer.calls),
            "why": self.why,
        }
        if run is not None:
            state["effects"] = states.effects(run.msg, proxy.listens, sent)  # type: ignore[arg-type]
        if live.coming and event == "call":
            state["call"] = live.coming
        error = live.tracer.error
        if error is not None and event == "exception":
            state["exception"] = f"{type(error).__name__}: {error}"
        return state

    def view(self) -> dict[str, Any]:
        """What a list of held messages shows."""
        live = self.of
        run = live.run
        frame = live.tracer.frame
        function, file, line = self.at
        if frame is not None:
            function, file, line = frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno
        proxy = self.holds.proxy
        return {
            "held": self.id,
            "hold": self.hold.id,
            "where": str(self.hold.place) if self.hold.watch is None else f"a change of {self.hold.watch.name}",
            "message": live.record.id if live.record is not None else 0,
            "callback": run.callback if run is not None else "",
            "route": ROUTE_NAMES.get(run.route, "") if run is not None else "",
            "function": function,
            "file": file,
            "line": line,
            "event": live.event,
            "why": self.why,
            "since": self.since,
            "left": max(0.0, self.until - proxy.now),
            "waiting": [name for name, _ in live.queue],
            "absorbed": live.absorbed,
            "step": self.step,
        }
