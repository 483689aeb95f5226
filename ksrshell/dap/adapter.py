"""The adapter: an editor's requests in, answers and events out. One instance is one debugging session.

What is debugged are messages: each one that a breakpoint holds is a thread of the protocol, and so is a captured
message that is stepped in a sandbox. Stopping holds that one message, never the proxy.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import KsrShellError
from .breakpoints import Breakpoints
from .target import Target, Threadlike
from .variables import Variables
from .wire import WireError, read_message, write_message

Body = dict[str, Any]

CAPABILITIES: Body = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsLogPoints": True,
    "supportsDataBreakpoints": True,
    "supportsBreakpointLocationsRequest": True,
    "supportsEvaluateForHovers": True,
    "supportsExceptionInfoRequest": True,
    "supportsStepBack": True,
    "supportsSetVariable": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": ["$", "."],
    "supportsLoadedSourcesRequest": True,
    "supportsTerminateRequest": True,
    "supportTerminateDebuggee": True,
    "exceptionBreakpointFilters": [
        {
            "filter": "exception",
            "label": "Exceptions of the script",
            "description": "Hold a message whose callback raises, in the frame that raised",
            "default": False,
            "supportsCondition": True,
            "conditionDescription": 'Which messages, such as method == "INVITE" and rU == "bob"',
        }
    ],
    "supportsExceptionFilterOptions": True,
}

#: Frames of a thread are numbered from this many times its id.
FRAMES = 1000


class Refused(Exception):
    """A request cannot be done: one line for the editor's user."""


class Adapter:
    """``Adapter(stdin, stdout).run()`` serves one editor until it disconnects or its end of the stream closes."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer
        self._writing = threading.Lock()
        self._seq = 0
        self._ended = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.target: Target | None = None
        self.threads: dict[int, Threadlike] = {}
        self.variables = Variables()
        self.breakpoints: Breakpoints | None = None
        #: The editor counts lines and columns from 1 (0 when it said so).
        self._line0 = 1
        self._column0 = 1
        self._pending_stops: list[Threadlike] = []
        self._configured = False

    # -- the session ----------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until the end; the exit code."""
        worker = threading.Thread(target=self._work, name="ksrshell-dap", daemon=True)
        worker.start()
        code = 0
        try:
            while not self._ended:
                message = read_message(self._reader)
                if message is None:
                    break
                self._handle(message)
        except WireError as error:
            self.event("output", {"category": "important", "output": f"ksrshell dap: {error}\n"})
            code = 1
        except BrokenPipeError:
            pass
        finally:
            self._jobs.put(None)
            worker.join(5.0)
            self._leave()
        return code

    def _work(self) -> None:
        """What may take its time, in order: steps, and events of the proxy."""
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except (KsrShellError, Refused) as error:
                self.output(f"{error}\n", "important")
            except BrokenPipeError:
                return
            except Exception as error:
                # A defect of ours ends neither the session nor the thread that serves it.
                self.output(f"ksrshell dap failed: {type(error).__name__}: {error}\n", "important")

    def _leave(self) -> None:
        target, self.target = self.target, None
        if target is not None:
            target.close()

    def _send(self, message: Body) -> None:
        with self._writing:
            self._seq += 1
            write_message(self._writer, {"seq": self._seq, **message})

    def event(self, name: str, body: Body | None = None) -> None:
        self._send({"type": "event", "event": name, **({"body": body} if body is not None else {})})

    def output(self, text: str, category: str = "console") -> None:
        """A line in the editor's debug console."""
        self.event("output", {"category": category, "output": text})

    def _handle(self, message: Body) -> None:
        if message.get("type") != "request":
            return
        command = message.get("command")
        answer: Body = {"type": "response", "request_seq": message.get("seq", 0), "command": command}
        arguments = message.get("arguments") or {}
        handler = getattr(self, f"on_{command}", None) if isinstance(command, str) else None
        try:
            if handler is None:
                raise Refused(f"ksrshell's adapter does not know the request {command!r}")
            if not isinstance(arguments, dict):
                raise Refused(f"{command} expects an object of arguments, got {type(arguments).__name__}")
            body, then = handler(arguments)
        except (KsrShellError, Refused) as error:
            self._send({**answer, "success": False, "message": str(error), "body": _shown(str(error))})
            return
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            text = f"{command}: wrong arguments: {type(error).__name__}: {error}"
            self._send({**answer, "success": False, "message": text, "body": _shown(text)})
            return
        self._send({**answer, "success": True, **({"body": body} if body is not None else {})})
        if then is not None:
            self._jobs.put(then)

    def _attached(self) -> Target:
        if self.target is None:
            raise Refused("no proxy is attached: the first request after initialize is attach or launch")
        return self.target

    # -- start and end --------------------------------------------------------------------------------------------

    def on_initialize(self, arguments: Body) -> Any:
        self._line0 = 1 if arguments.get("linesStartAt1", True) else 0
        self._column0 = 1 if arguments.get("columnsStartAt1", True) else 0
        return CAPABILITIES, None

    def on_attach(self, arguments: Body) -> Any:
        """``proxy``: name or control socket (none: the only one that runs); ``message``: the id of a captured message
        to step in a sandbox, with ``callback``; ``timeout``: seconds that a live message may be held."""
        return self._start(Target.attach(arguments), arguments)

    def on_launch(self, arguments: Body) -> Any:
        """``program``: the script, run as a proxy of its own with ``args``, as ``ksrshell serve`` has them."""
        return self._start(Target.launch(arguments), arguments)

    def _start(self, target: Target, arguments: Body) -> Any:
        if self.target is not None:
            target.close()
            raise Refused("this session has a proxy already")
        self.target = target
        self.breakpoints = Breakpoints(target)
        target.listen(lambda event: self._jobs.put(lambda: self._on_event(event)))

        def then() -> None:
            self.event("initialized")
            self.output(f"attached to {target.describe()}\n")
            if "message" in arguments:
                self._pending_stops.append(target.step(arguments["message"], str(arguments.get("callback") or "")))
                if self._configured:
                    self._show_pending()

        return None, then

    def on_configurationDone(self, arguments: Body) -> Any:
        def then() -> None:
            self._configured = True
            self._show_pending()

        return None, then

    def _show_pending(self) -> None:
        """Stops from before the editor had said all of its breakpoints."""
        pending, self._pending_stops = self._pending_stops, []
        for thread in pending:
            self._stopped(thread, "entry", new=True)

    def on_disconnect(self, arguments: Body) -> Any:
        self._end(bool(arguments.get("terminateDebuggee")))
        return None, None

    def on_terminate(self, arguments: Body) -> Any:
        target = self._attached()
        if target.child is None:
            raise Refused("the proxy was attached to, not launched: disconnect leaves it running")
        return None, lambda: self._end(True, tell=True)

    def _end(self, terminate: bool, tell: bool = False) -> None:
        target, self.target = self.target, None
        self._ended = not tell
        if target is not None:
            target.close(stop=terminate)
        if tell:
            self.event("terminated")

    # -- breakpoints ----------------------------------------------------------------------------------------------

    def _breakpoints(self) -> Breakpoints:
        self._attached()
        assert self.breakpoints is not None
        return self.breakpoints

    def on_setBreakpoints(self, arguments: Body) -> Any:
        path = _path(arguments["source"])
        wanted = arguments.get("breakpoints") or []
        wanted = [{**one, "line": int(one["line"]) + 1 - self._line0} for one in wanted]
        found = self._breakpoints().set_lines(path, wanted)
        return {"breakpoints": [self._out(one) for one in found]}, None

    def on_setFunctionBreakpoints(self, arguments: Body) -> Any:
        found = self._breakpoints().set_functions(arguments.get("breakpoints") or [])
        return {"breakpoints": [self._out(one) for one in found]}, None

    def on_setExceptionBreakpoints(self, arguments: Body) -> Any:
        wanted = [{"filterId": name} for name in arguments.get("filters") or []]
        wanted += arguments.get("filterOptions") or []
        found = self._breakpoints().set_exceptions(wanted)
        return {"breakpoints": [self._out(one) for one in found]}, None

    def on_dataBreakpointInfo(self, arguments: Body) -> Any:
        name = str(arguments["name"])
        reference = arguments.get("variablesReference")
        spec = self.variables.watchable(reference, name) if reference else _watchable(name)
        if not spec:
            return {"dataId": None, "description": f"{name}: only pseudo-variables and headers can be watched"}, None
        return {"dataId": spec, "description": spec, "accessTypes": ["write"], "canPersist": True}, None

    def on_setDataBreakpoints(self, arguments: Body) -> Any:
        found = self._breakpoints().set_data(arguments.get("breakpoints") or [])
        return {"breakpoints": [self._out(one) for one in found]}, None

    def on_breakpointLocations(self, arguments: Body) -> Any:
        first = int(arguments["line"]) + 1 - self._line0
        last = int(arguments.get("endLine") or arguments["line"]) + 1 - self._line0
        lines = self._attached().code_lines(_path(arguments["source"]))
        found = [line for line in lines if first <= line <= last]
        return {"breakpoints": [{"line": line - 1 + self._line0} for line in found]}, None

    def _out(self, breakpoint: Body) -> Body:
        if "line" in breakpoint:
            return {**breakpoint, "line": breakpoint["line"] - 1 + self._line0}
        return breakpoint

    # -- what is stopped ------------------------------------------------------------------------------------------

    def _on_event(self, event: Body) -> None:
        target = self.target
        if target is None:
            return
        kind = event.get("event")
        if kind == "held":
            thread = target.held(event)
            if self._configured:
                self._stopped(thread, self._breakpoints().reason(event), new=True, hit=event)
            else:
                self._pending_stops.append(thread)
        elif kind == "released":
            self._released(event)
        elif kind == "log":
            self.output(str(event.get("text", "")) + "\n", "stdout")
        elif kind == "lost":
            self.output(f"{event['text']}\n", "important")
            self.threads.clear()
            self.event("terminated")

    def _stopped(self, thread: Threadlike, reason: str, *, new: bool = False, hit: Body | None = None) -> None:
        if new:
            self.threads[thread.id] = thread
            self.event("thread", {"reason": "started", "threadId": thread.id})
        if thread.done:
            self._gone(thread, thread.ending())
            return
        body: Body = {"reason": reason, "threadId": thread.id, "allThreadsStopped": False}
        if hit is not None:
            body |= self._breakpoints().hit(hit)
        if reason == "exception" and thread.state.get("exception"):
            body["text"] = str(thread.state["exception"]).splitlines()[-1]
        self.event("stopped", body)

    def _released(self, event: Body) -> None:
        thread = next((t for t in self.threads.values() if t.held == event.get("held")), None)
        if thread is not None:
            self._gone(thread, f"{thread.name} was released: {event.get('reason', 'resumed')}")

    def _gone(self, thread: Threadlike, why: str) -> None:
        self.threads.pop(thread.id, None)
        self.variables.forget(thread.id)
        if why:
            self.output(why + "\n")
        self.event("continued", {"threadId": thread.id, "allThreadsContinued": False})
        self.event("thread", {"reason": "exited", "threadId": thread.id})
        if not thread.live and not self.threads:
            self.event("terminated")

    def _thread(self, number: Any) -> Threadlike:
        thread = self.threads.get(number)
        if thread is None:
            raise Refused("that message is not held any more: it was released or its run has ended")
        return thread

    def on_threads(self, arguments: Body) -> Any:
        return {"threads": [{"id": t.id, "name": t.name} for t in self.threads.values()]}, None

    def on_stackTrace(self, arguments: Body) -> Any:
        thread = self._thread(arguments["threadId"])
        stack = list(reversed(thread.state.get("stack") or []))
        first = int(arguments.get("startFrame") or 0)
        levels = int(arguments.get("levels") or 0) or len(stack)
        frames = [
            {
                "id": thread.id * FRAMES + depth,
                "name": frame["function"],
                "line": int(frame["line"]) - 1 + self._line0,
                "column": self._column0,
                "source": self._attached().source_of(str(frame.get("file") or thread.state.get("file") or "")),
            }
            for depth, frame in enumerate(stack)
        ]
        return {"stackFrames": frames[first : first + levels], "totalFrames": len(frames)}, None

    def on_source(self, arguments: Body) -> Any:
        source = arguments.get("source") or {}
        reference = arguments.get("sourceReference") or source.get("sourceReference")
        content = self._attached().content(int(reference or 0), str(source.get("path") or ""))
        return {"content": content, "mimeType": "text/x-python"}, None

    def on_loadedSources(self, arguments: Body) -> Any:
        return {"sources": self._attached().sources()}, None

    # -- what is seen there ---------------------------------------------------------------------------------------

    def _frame(self, number: Any) -> tuple[Threadlike, int]:
        return self._thread(int(number) // FRAMES), int(number) % FRAMES

    def on_scopes(self, arguments: Body) -> Any:
        thread, depth = self._frame(arguments["frameId"])
        return {"scopes": self.variables.scopes(thread, depth)}, None

    def on_variables(self, arguments: Body) -> Any:
        found = self.variables.read(self._attached(), int(arguments["variablesReference"]))
        if found is None:
            raise Refused("these values are of an earlier stop")
        first, count = int(arguments.get("start") or 0), int(arguments.get("count") or 0)
        return {"variables": found[first : first + count] if count else found[first:]}, None

    def on_setVariable(self, arguments: Body) -> Any:
        reference, name, value = int(arguments["variablesReference"]), str(arguments["name"]), str(arguments["value"])
        new = self.variables.write(self._attached(), reference, name, value)
        return {"value": new}, None

    def on_evaluate(self, arguments: Body) -> Any:
        expression = str(arguments["expression"]).strip()
        if arguments.get("frameId") is None:
            raise Refused("an expression needs a stopped message: hold one with a breakpoint first")
        thread, depth = self._frame(arguments["frameId"])
        if depth and not expression.startswith("$"):
            raise Refused("expressions are evaluated in the innermost function: pick the topmost frame")
        target = self._attached()
        if arguments.get("context") == "hover" and not _quiet(expression, thread):
            raise Refused("not a local variable or a pseudo-variable")  # a hover must not call functions
        return {"result": target.evaluate(thread, expression), "variablesReference": 0}, None

    def on_completions(self, arguments: Body) -> Any:
        text, column = str(arguments["text"]), int(arguments["column"]) - self._column0
        thread = self._frame(arguments["frameId"])[0] if arguments.get("frameId") is not None else None
        return {"targets": self._attached().complete(text[:column], thread)}, None

    def on_exceptionInfo(self, arguments: Body) -> Any:
        thread = self._thread(arguments["threadId"])
        text = str(thread.state.get("exception") or "")
        if not text:
            raise Refused("no exception was raised here")
        last = text.splitlines()[-1]
        name, _, why = last.partition(": ")
        details = {"typeName": name, "message": why, "stackTrace": text}
        return {"exceptionId": name, "description": why, "breakMode": "always", "details": details}, None

    # -- going on -------------------------------------------------------------------------------------------------

    def _go(self, arguments: Body, op: str, reason: str = "step") -> Any:
        """Move by a method of the step."""
        thread = self._thread(arguments["threadId"])

        def then() -> None:
            self.variables.forget(thread.id)
            try:
                getattr(thread.step, op)()
            except KsrShellError as error:
                # Where it stands has not changed: say why, and show it again.
                self.output(f"{error}\n", "important")
            if thread.id in self.threads:
                self._stopped(thread, reason)

        return None, then

    def on_next(self, arguments: Body) -> Any:
        return self._go(arguments, "next")

    def on_stepIn(self, arguments: Body) -> Any:
        return self._go(arguments, "into")

    def on_stepOut(self, arguments: Body) -> Any:
        return self._go(arguments, "out")

    def on_stepBack(self, arguments: Body) -> Any:
        return self._go(arguments, "back")

    def on_reverseContinue(self, arguments: Body) -> Any:
        return self._go(arguments, "first", "entry")

    def on_continue(self, arguments: Body) -> Any:
        thread = self._thread(arguments["threadId"])
        target = self._attached()
        _, then = (None, lambda: target.resume(thread)) if thread.live else self._go(arguments, "finish")
        return {"allThreadsContinued": False}, then

    def on_pause(self, arguments: Body) -> Any:
        """The next message that comes is held at the start of its callback."""
        return None, self._breakpoints().pause


def _shown(text: str) -> Body:
    return {"error": {"id": 1, "format": text.replace("{", "(").replace("}", ")"), "showUser": True}}


def _path(source: Body) -> str:
    path = source.get("path")
    if not isinstance(path, str) or not path:
        raise Refused("a breakpoint needs a file: this source has no path")
    return str(Path(path).resolve()) if not path.startswith("<") else path


def _watchable(name: str) -> str:
    """A pseudo-variable or the name of a header; else empty."""
    return name if name.startswith("$") or name.replace("-", "").isalnum() else ""


def _quiet(expression: str, thread: Threadlike) -> bool:
    """Whether evaluating this changes nothing: a pseudo-variable or the name of a local variable."""
    return expression.startswith("$") or expression in (thread.state.get("locals") or {})
