"""The processing of one message that some holds may stop, in its worker, and each time it is held."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any

from .hold_acts import UNREAD
from .hold_caught import is_caught
from .hold_keys import reply_keys, request_keys
from .hold_limit import LIMIT, within
from .hold_names import Names, matches
from .link import LinkLost
from .step import StepError, Tracer, lines_in, plain, real, short_repr

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from .hold import Hold, Holds
    from .step import Order

#: How scripts and Python use exceptions without anything being wrong.
_QUIET = (StopIteration, StopAsyncIteration, GeneratorExit)
#: Callbacks of the core, and what kind of route they are; others are of tm or of events.
ROUTES = {"ksr_request_route": "request", "ksr_reply_route": "reply", "ksr_onsend_route": "onsend"}
_UNSEEN: Any = object()
_GO_ON: Order = ("finish", 0)


class Drop(BaseException):
    """The script ends where it is. No script catches it: it is no :class:`Exception`."""


class Live:
    """One message in its worker. ``callbacks``: those that run, outermost first; ``made``: paths of its KSR calls;
    ``ending``: why its script ends, '' while it goes on; ``busy``: an order is carried out."""

    def __init__(self, holds: Holds, wanted: list[Hold], name: str, is_request: bool) -> None:
        self.holds = holds
        self.is_request = is_request
        self.callbacks: list[str] = []
        self.made: list[str] = []
        self.ending = ""
        self.busy = False
        self.tracer = Tracer(holds.host.is_script, self._stop, self)
        self.tracer.broken = holds.broken
        #: The number under which it is held, 0 while it is not; until when (monotonic).
        self.held = 0
        self.until = 0.0
        self.since = 0.0
        self.last = 0
        self._first = name
        self._wanted = wanted
        self._answer: tuple[int, str] | None = None
        self._cause: Hold | None = None
        self._why = ""
        self._change: tuple[str, Any, Any] | None = None
        self._at_entry = True
        self._raised: BaseException | None = None
        self._event = ""
        self._coming = ""
        self._told_100 = False
        self._sort()

    def _sort(self) -> None:
        self._of: dict[str, list[Hold]] = {}
        for hold in self._wanted:
            self._of.setdefault(hold.kind, []).append(hold)
        self._lines = self._of.get("line", [])
        self.at_calls = "call" in self._of
        self._watched = [(hold, [_UNSEEN]) for hold in self._of.get("watch", [])]

    def disarm(self, left: set[int]) -> None:
        """Only those holds are armed any more."""
        if any(hold.id not in left for hold in self._wanted):
            self._wanted = [hold for hold in self._wanted if hold.id in left]
            self._sort()

    # -- its callbacks --------------------------------------------------------------------------------------------

    def enter(self, name: str) -> None:
        """A callback begins. Raises :class:`Drop` when nothing more of the message is to run."""
        self.callbacks.append(name)
        if self.ending:
            raise Drop
        if len(self.callbacks) == 1:
            self.tracer.start()

    def leave(self) -> None:
        """A callback has ended."""
        self.callbacks.pop()
        if not self.callbacks:
            self.tracer.end()

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Its processing is over: what was put off is done, and who steps through it is told."""
        acts = self.holds.acts
        if self._answer is not None:
            try:
                acts.reply(*self._answer, in_transaction=self.route != "request")
            except Exception as failed:
                self._tell({"event": "hold.failed", "held": self.held or self.last, "text": str(failed)})
        if self.ending == "drop" and self._first == "ksr_request_route" and not self._relayed():
            acts.let_go()
        number = self.held or self.last
        if not number:
            return
        self._over("resumed")
        state = self._common("end") | {"result": short_repr(result)}
        state["exited"] = isinstance(error, SystemExit)
        state["dropped"] = bool(self.ending)
        if error is not None and not isinstance(error, SystemExit):
            state["exception"] = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._tell({"event": "hold.end", "held": number, "state": state})

    def _relayed(self) -> bool:
        """Whether the script has sent it on."""
        return any(
            path.startswith("KSR.tm.t_relay") and isinstance(result, int) and result > 0
            for path, _, result, _ in self.tracer.made
        )

    @property
    def route(self) -> str:
        """The kind of route it is in, as far as a script can tell."""
        name = self.callbacks[-1] if self.callbacks else self._first
        if name in ROUTES:
            return ROUTES[name]
        if len(self.callbacks) > 1:
            return "branch"
        if not self.is_request:
            return "onreply"
        return "event" if self.holds.acts.no_message() else "failure"

    # -- what the tracer asks -------------------------------------------------------------------------------------

    def function(self, frame: FrameType) -> bool:
        found = False
        if self._at_entry:
            self._at_entry = False
            found = self._reached(self._of.get("entry", []), frame)
        named = self._of.get("function")
        if named:
            name = frame.f_code.co_name
            found = self._reached([hold for hold in named if hold.name == name], frame) or found
        return found

    def lines_of(self, code: CodeType) -> bool | set[int]:
        if self._watched:
            return True
        if not self._lines:
            return False
        lines = {hold.line for hold in self._lines if hold.file == real(code.co_filename)}
        return lines & lines_in(code) if lines else False

    def line(self, frame: FrameType) -> bool:
        found = self._look(frame) if self._watched else False
        if self._lines:
            number, file = frame.f_lineno, real(frame.f_code.co_filename)
            here = [hold for hold in self._lines if hold.line == number and hold.file == file]
            found = self._reached(here, frame) or found
        return found

    def call(self, path: str, args: tuple[Any, ...], frame: FrameType) -> bool:
        named = self._of.get("call", [])
        return self._reached([hold for hold in named if hold.name == path], frame)

    def exception(self, frame: FrameType, error: BaseException) -> bool:
        wanted = self._of.get("exception")
        if not wanted or error is self._raised or not isinstance(error, Exception) or isinstance(error, _QUIET):
            return False
        self._raised = error  # it passes through the callers' frames as well
        if is_caught(frame, error, self.holds.host.is_script):
            return False
        return self._reached(wanted, frame)

    def _look(self, frame: FrameType) -> bool:
        found = False
        acts = self.holds.acts
        for hold, last in self._watched:
            new = acts.watched(hold.watch)
            old, last[0] = last[0], new
            if old is not _UNSEEN and old != new and self._reached([hold], frame):
                self._change = (hold.watch, old, new)
                found = True
        return found

    def before_call(self, path: str, args: tuple[Any, ...]) -> None:
        """A KSR call of the script. Raises :class:`Drop` when its script ends."""
        if self.ending:
            raise Drop  # the script has caught its end: nothing more comes of it
        self.tracer.before_call(path, args)
        self.made.append(path)

    def _names(self, frame: FrameType | None = None) -> Names:
        values = frame.f_locals if frame is not None else None
        return Names(
            self.holds.host.ksr.pv.get, self.is_request, values=values, calls=self.made, callbacks=self.callbacks
        )

    def _reached(self, holds: list[Hold], frame: FrameType) -> bool:
        found = False
        if self.ending or not self.callbacks:
            return False
        for hold in holds:
            if not matches(hold.late, self._names()):
                continue
            if hold.log is not None:
                self._logged(hold, frame)
            elif self._may(hold):
                self._cause = hold
                found = True
        return found

    def _logged(self, hold: Hold, frame: FrameType) -> None:
        assert hold.log is not None
        self._tell(
            {
                "event": "hold.log",
                "mi": self._known(),
                "hold": hold.id,
                "text": hold.log.format(self._names(frame)),
                "place": f"{frame.f_code.co_name}:{frame.f_lineno}",
                "time": time.time(),
            }
        )

    def _known(self) -> int:
        """The number of the message in this worker; the node has the message then, before its script has ended."""
        host = self.holds.host
        run = host.run
        if run is None or run.seen is None:
            return 0
        host.capture.tell(run.seen, run)
        return int(run.mi)

    def _may(self, hold: Hold) -> bool:
        """Whether it may wait here: the node's word."""
        try:
            grant = self.holds.ask(hold, self.held, self.route)
        except LinkLost:
            self._gone()
            return False
        if not grant:
            return False
        if not self.held:
            self.held = self.last = int(grant["held"])
            self.since = time.time()
            self.until = time.monotonic() + float(grant["seconds"])
        return True

    # -- held -----------------------------------------------------------------------------------------------------

    def _stop(self, event: str, frame: FrameType, call: str) -> Order:
        """It stops, for a hold or after a step: wait for orders. Raises :class:`Drop`."""
        if not self.held:
            return _GO_ON  # released between two stops
        self._event, self._coming = event, call
        cause, self._cause = self._cause, None
        first = not self._why
        if cause is None:
            self._why = "step"
        elif self._change is not None:
            self._why = "{} changed: {!r} -> {!r}".format(*self._change)
        else:
            self._why = cause.at
        self._change = None
        self.busy = True
        try:
            if first:
                self._mark()
            return self._obey(first, cause)
        except LinkLost:
            self._gone()
            return _GO_ON
        finally:
            self.busy = False
            if not self.held:
                self.holds.mark([], 0)
            if self.ending:
                raise Drop

    def _mark(self) -> None:
        """The other workers leave alone what belongs to this message; its sender is told that it has come."""
        acts = self.holds.acts
        if acts.no_message():
            return
        get = self.holds.host.ksr.pv.get
        route = self.route
        if self.is_request:
            keys = request_keys(get, route == "failure")
        else:
            keys = reply_keys(get, acts.has_tmx)
        self.holds.mark(keys, time.time() + self.until - time.monotonic())
        if self._first == "ksr_request_route" and not self._told_100:
            self._told_100 = True
            acts.trying(self.made)

    def _obey(self, first: bool, cause: Hold | None) -> Order:
        holds = self.holds
        told = {"event": "hold.held" if first else "hold.stop", "held": self.held, "state": self.state()}
        if cause is not None:
            told["hold"] = cause.id
        if first:
            told["title"] = holds.acts.title(self.is_request)
            told["mi"] = self._known()
        holds.send(told)
        while True:
            order = holds.wait(self.until)
            if order is None:
                self._over("timeout")
                return _GO_ON
            go = self._carry_out(order)
            if go is not None:
                return go

    def _carry_out(self, order: dict[str, Any]) -> Order | None:
        """One order of the node's, answered; what to do next when the message goes on."""
        holds = self.holds
        go: Order | None = None
        try:
            if order.get("held") != self.held:
                raise StepError(f"held {order.get('held')} waits no more")
            do = order["do"]
            if do == "hold.go":
                go = (str(order["op"]), int(order.get("line") or 0))
                self.tracer.check_order(*go)
                result: Any = {}
            elif do == "hold.release":
                result = self._release(order)
                go = _GO_ON
            else:
                result = self._act(do, order)
        except LinkLost:
            raise
        except (KeyboardInterrupt, SystemExit, Exception) as raised:
            error: BaseException = raised
            if isinstance(error, SystemError) and error.__cause__ is not None:
                error = error.__cause__  # Kamailio's functions leave what is wrong pending, and Python wraps it
            more = {} if isinstance(error, StepError) else {"traceback": traceback.format_exc(limit=-4)}
            if isinstance(error, SystemExit) and order.get("do") == "hold.call":
                holds.answer(order, {"result": None, "exited": True})
            else:
                holds.fail(order, type(error).__name__, str(error), **more)
            return None
        holds.answer(order, result)
        if go == _GO_ON and order["do"] == "hold.release":
            self._over(str(order.get("reason") or "resumed"))
        return go

    def _act(self, do: str, order: dict[str, Any]) -> Any:
        acts = self.holds.acts
        tracer = self.tracer
        if do == "hold.state":
            return self.state()
        if do == "hold.pv":
            return {"value": acts.pv(order["name"])}
        if do == "hold.eval":
            return {"repr": within(LIMIT, lambda: short_repr(tracer.evaluate(order["expr"])))}
        if do == "hold.set":
            name = order["name"]
            value = within(LIMIT, lambda: tracer.evaluate(order["expr"]))
            if name.startswith("$"):
                acts.set_pv(name, value)
            else:
                tracer.set_local(name, value)
            return {"repr": short_repr(value)}
        if do == "hold.call":
            return {"result": plain(self._call(order["name"], tuple(order["args"])))}
        raise StepError(f"the agent knows no order {do!r}")

    def _call(self, name: str, args: tuple[Any, ...]) -> Any:
        """A KSR call of the user's on the message, for real, kept with the script's calls."""
        acts = self.holds.acts
        function = acts.find(name)
        acts.check_quiet(name)
        path = name if name.startswith("KSR.") else "KSR." + name
        began = time.perf_counter()
        try:
            result = function(*args)
        except BaseException as error:
            self.tracer.after_call(path, args, error, time.perf_counter() - began)
            self.holds.host.made(path, args, error)
            raise
        self.tracer.after_call(path, args, result, time.perf_counter() - began)
        self.holds.host.made(path, args, result)
        self.made.append(path)
        return result

    def _release(self, order: dict[str, Any]) -> dict[str, Any]:
        how = order.get("how") or "resume"
        if how == "answer":
            code, reason = int(order["code"]), str(order["text"])
            self.holds.acts.check_answer(self.is_request, code)
            if len(self.callbacks) > 1:
                # Inside a call of tm's that is not over: the reply would be its transaction's, too early.
                self._answer = (code, reason)
            else:
                self.holds.acts.reply(code, reason, in_transaction=self.route != "request")
        if how in ("drop", "answer"):
            self.ending = how
            if len(self.callbacks) > 1:
                self.holds.acts.no_error()
        return {}

    def _gone(self) -> None:
        """The node went while it was asked."""
        self.holds.host.lost()
        self.holds.detached()

    def detached(self) -> None:
        """The node is gone."""
        self._wanted = []
        self._sort()
        self.held = 0

    def _over(self, reason: str) -> None:
        """It is held no more."""
        number, self.held = self.held, 0
        if not number:
            return
        self._why = ""
        self.holds.mark([], 0)
        self._tell({"event": "hold.over", "held": number, "reason": reason, "seconds": time.time() - self.since})

    def _tell(self, event: dict[str, Any]) -> None:
        try:
            self.holds.send(event)
        except LinkLost:
            return  # nobody is there to be told

    # -- states ---------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The state of the stop it waits at (docs/control-channel.md), but for what the node knows."""
        view = self.tracer.view()
        self.tracer.seen(view)
        return {**self._common(self._event), **view}

    def _common(self, event: str) -> dict[str, Any]:
        acts = self.holds.acts
        state: dict[str, Any] = {
            "done": event == "end",
            "live": True,
            "event": event,
            "callback": self.callbacks[-1] if self.callbacks else self._first,
            "route": self.route,
            "calls": self.tracer.calls(),
            "why": self._why,
            "effects": {"sent": [], "diff": "", "state": {}, "writes": []},
        }
        if not acts.no_message():
            state["effects"]["state"] = acts.routing(self.is_request)
            if acts.can_update:
                state["updated"] = acts.updated()
            else:
                state["effects"]["unknown"] = UNREAD
        if self._coming and event == "call":
            state["call"] = self._coming
        error = self.tracer.error
        if error is not None and event == "exception":
            state["exception"] = f"{type(error).__name__}: {error}"
        return state
