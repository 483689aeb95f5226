"""What happened in one step of a test, in order: callbacks with their lines, KSR calls, messages sent, log lines."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ksrcore.run import ROUTE_NAMES

from .calls import Call
from .lines import make_lines
from .sent import Sent

if TYPE_CHECKING:
    from types import FrameType

    from ksrcore.kemi.declare import Decl
    from ksrcore.run import Run

    from .messages import Message

__all__ = ["Callback", "Line", "Log", "Step", "Watch"]

__tracebackhide__ = True

#: Functions of their own on Python 3.11 only.
_INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>")
#: Lines kept of one callback: a loop that goes on and on shall not fill the memory.
MAX_LINES = 2000


class Log(NamedTuple):
    """A line of the log: ``level`` as logging names it, the logger's ``name`` (``ksrcore.script`` for the script's)."""

    level: str
    text: str
    name: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


class Line:
    """A line of the script that ran, ``depth`` functions below its callback, and what happened on it."""

    __slots__ = ("depth", "file", "frame", "function", "happened", "line")

    def __init__(self, file: str, line: int, function: str, depth: int, frame: int) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.depth = depth
        #: Tells calls of one function apart.
        self.frame = frame
        self.happened: list[Call | Callback | Sent] = []


class Callback:
    """A callback that ran. ``route``: the kind (request, reply, onreply, branch, failure ...); ``msg``: what it was
    called for, as text. ``result``, ``exited``, ``dropped``, ``exception`` and ``frames`` (the traceback) say how it
    ended."""

    def __init__(self, name: str, run: Run, args: tuple[Any, ...]) -> None:
        self.name = name
        self.args = args
        self.route = ROUTE_NAMES.get(run.route, "event")
        self.run: Run | None = run
        msg = run.msg
        self.msg = f"{msg.method} {msg.uri}" if msg.is_request else f"{msg.status} {msg.reason}"
        self.lines: list[Line] = []
        self.left_out = 0
        self.result: Any = None
        self.exited = self.dropped = False
        self.exception: BaseException | None = None
        self.frames = ""

    def add(self, line: Line) -> None:
        if len(self.lines) < MAX_LINES:
            self.lines.append(line)
        else:
            self.left_out += 1

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        if self.exception is not None:
            return f"raised {type(self.exception).__name__}: {self.exception}"
        if self.exited:
            return "exit"
        return f"returned {self.result!r}" + (", dropped" if self.dropped else "")

    def __repr__(self) -> str:
        return f"<{self.name} for {self.msg}: {self.ending}>"


class Step:
    """One thing a test did to the proxy. ``title`` says which; ``message`` is what came in, None for time or events.

    ``happened``: the callbacks the proxy called and what it sent by itself, in order. ``callbacks`` and ``sent`` are
    all of them: those that a KSR call led to also.
    """

    def __init__(self, title: str, message: Message | None) -> None:
        self.title = title
        self.message = message
        self.happened: list[Callback | Sent] = []
        self.callbacks: list[Callback] = []
        self.calls: list[Call] = []
        self.sent: list[Sent] = []
        self.logs: list[Log] = []
        #: Why the proxy could not use the message, '' usually.
        self.error = ""
        #: What a function called directly gave.
        self.value: Any = None

    @property
    def first_callbacks(self) -> list[Callback]:
        """Those that the proxy called."""
        return [each for each in self.happened if isinstance(each, Callback)]


class Watch:
    """Puts what happens into the current step, beside the line of the script it happens on."""

    def __init__(self, is_script: Callable[[str], bool]) -> None:
        self.is_script = is_script
        self.step = Step("loading the script", None)
        self.lines = make_lines(is_script, self._line)
        self._starts = _Starts()
        self._stack: list[tuple[Callback, FrameType]] = []

    def call(self, name: str, run: Run, args: tuple[Any, ...], work: Callable[[], int]) -> int:
        """Run a callback: ``work`` never raises."""
        callback = Callback(name, run, args)
        if not self._happened(callback):
            self.step.happened.append(callback)
        self.step.callbacks.append(callback)
        self._stack.append((callback, sys._getframe()))
        self.lines.start()
        try:
            return work()
        finally:
            self.lines.stop()
            self._stack.pop()
            callback.result, callback.exited, callback.dropped = run.result, run.exited, run.dropped
            callback.exception, callback.frames = run.exception, run.traceback

    def begin_call(self, decl: Decl, args: tuple[Any, ...]) -> Call:
        """A KSR call begins; what it leads to happens on the same line, after it."""
        frame = self._script_frame()
        if frame is None:
            call = Call(decl, args, "", 0, "")
        else:
            call = Call(decl, args, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            if self._stack:
                self._at(frame, frame.f_lineno)
        self.step.calls.append(call)
        self._happened(call)
        return call

    def sent(self, sent: Sent) -> None:
        self.step.sent.append(sent)
        if not self._happened(sent):
            self.step.happened.append(sent)

    def _happened(self, what: Call | Callback | Sent) -> bool:
        if not self._stack or not self._stack[-1][0].lines:
            return False
        callback = self._stack[-1][0]
        if not (callback.left_out and isinstance(what, Call)):
            callback.lines[-1].happened.append(what)
        return True

    def _script_frame(self) -> FrameType | None:
        end = self._stack[-1][1] if self._stack else None
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame is not end:
            if self.is_script(frame.f_code.co_filename) and frame.f_code.co_name not in _INLINE:
                return frame
            frame = frame.f_back
        return None

    # -- lines ----------------------------------------------------------------------------------------------------

    def _line(self, frame: FrameType, line: int) -> None:
        if self._stack:
            self._at(frame, line)

    def _at(self, frame: FrameType, line: int) -> None:
        """The script is at that line: a new one, unless it was there already."""
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if name in _INLINE:
            return
        line = self._starts.of(file, line)
        callback, end = self._stack[-1]
        last = callback.lines[-1] if callback.lines else None
        if last is not None and last.frame == id(frame) and last.line == line:
            return
        depth = -1
        each: FrameType | None = frame
        while each is not None and each is not end:
            depth += each.f_code.co_name not in _INLINE and self.is_script(each.f_code.co_filename)
            each = each.f_back
        if each is None:
            return  # a thread of the script's own, or a callback of another proxy
        callback.add(Line(file, line, name, max(depth, 0), id(frame)))


class _Starts:
    """The first line of the statement that a line belongs to: a statement of several lines is shown once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[int, int]] = {}

    def of(self, file: str, line: int) -> int:
        found = self._files.get(file)
        if found is None:
            found = self._files[file] = self._read(file)
        return found.get(line, line)

    @staticmethod
    def _read(file: str) -> dict[int, int]:
        starts: dict[int, int] = {}
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except (SyntaxError, ValueError):
            return starts
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt):
                body = getattr(node, "body", None)
                last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
                starts.update((line, node.lineno) for line in range(node.lineno + 1, last + 1))
        return starts
