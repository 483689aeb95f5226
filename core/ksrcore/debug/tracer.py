"""Following the script's frames in one thread, and stopping where an order or a break says so.

``sys.settrace`` is per thread: nothing but the thread under the tracer slows down. Whoever owns the thread calls
:meth:`Tracer.start` and :meth:`Tracer.end` in it, and hands it the KSR calls (:meth:`Tracer.before_call`,
:meth:`Tracer.after_call`). At each stop ``stop(event, frame, call)`` is called in the thread itself; it waits as long
as it likes and returns the next order.
"""

from __future__ import annotations

import ctypes
import difflib
import sys
from collections.abc import Callable, MutableMapping
from types import FrameType
from typing import Any, Protocol

from ..kemi.declare import Decl
from .errors import DebugError
from .states import call_text, call_view, frame_view

#: (op, line); line is for ``to`` only, in the file of the frame that is stopped.
Order = tuple[str, int]

#: What a tracer understands. ``each`` stops at every line and before every KSR call; ``abort`` ends the route.
OPS = ("next", "into", "out", "next_call", "to", "finish", "each", "abort")


class Abort(BaseException):
    """Thrown into a traced route to end it where it is. No script catches it: it is no :class:`Exception`."""


class Breaks(Protocol):
    """Asked while the route runs; a true answer stops it there. Called in the route's thread."""

    def function(self, frame: FrameType) -> object:
        """A function of the script is entered. The stop is at its first line."""

    def line(self, frame: FrameType) -> object:
        """A line is about to run."""

    def call(self, decl: Decl, args: tuple[Any, ...]) -> object:
        """A KSR call is about to be made."""

    def exception(self, frame: FrameType, error: BaseException) -> object:
        """An exception passes through a frame (each frame on its way out is asked)."""


class Tracer:
    """Decides where a route stops.

    ``is_script(filename)``: whether frames of that file are followed. ``frames`` are those that are active, outermost
    first; ``locals`` is the one snapshot of the stopped frame's variables, made once for each stop: values put into it
    go back into the frame when the route goes on (:meth:`set_local`). ``calls`` are the KSR calls made so far, as
    states show them.
    """

    def __init__(
        self,
        is_script: Callable[[str], bool],
        stop: Callable[[str, FrameType, str], Order],
        breaks: Breaks | None = None,
    ) -> None:
        self.is_script = is_script
        self.stop = stop
        self.breaks = breaks
        self.frames: list[FrameType] = []
        self.calls: list[dict[str, Any]] = []
        self.frame: FrameType | None = None
        self.locals: MutableMapping[str, Any] = {}
        self.error: BaseException | None = None
        self._edited = False
        self._entered: FrameType | None = None
        self._mode = "into"
        self._line = 0
        self._file = ""
        self._limit = 0

    # -- the route's thread ---------------------------------------------------------------------------------------

    def start(self, op: str = "into") -> None:
        """Follow this thread from now on; ``op`` is the order it begins with (``into``: stop at the first line)."""
        self._mode = op
        self._limit = len(self.frames)
        sys.settrace(self._trace)

    def attach(self, frame: FrameType) -> None:
        """Follow this thread from now on, with ``frame`` and its callers active already; nothing was ordered."""
        self._mode = "finish"
        active: list[FrameType] = []
        each: FrameType | None = frame
        while each is not None:
            if self.is_script(each.f_code.co_filename):
                active.append(each)
                each.f_trace = self._local
                each.f_trace_lines = True
            each = each.f_back
        self.frames = active[::-1]
        sys.settrace(self._trace)

    def end(self) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self.is_script(frame.f_code.co_filename):
            return None
        self.frames.append(frame)
        if self.breaks is not None and self.breaks.function(frame):
            self._entered = frame
        return self._local

    def _local(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            mode = self._mode
            depth = len(self.frames)
            entered = self._entered is frame
            if entered:
                self._entered = None
            if (
                entered
                or mode == "into"
                or mode == "each"
                or (mode == "next" and depth <= self._limit)
                or (mode == "out" and depth < self._limit)
                or (mode == "to" and frame.f_lineno == self._line and frame.f_code.co_filename == self._file)
                or (self.breaks is not None and self.breaks.line(frame))
            ):
                self._stop("line", frame)
        elif event == "return":
            self.frames.pop()
        elif event == "exception" and self.breaks is not None and self.breaks.exception(frame, arg[1]):
            self.halt("exception", frame, error=arg[1])
        return self._local

    def halt(self, event: str, frame: FrameType, call: str = "", error: BaseException | None = None) -> None:
        """Stop here, for a reason of the caller's."""
        self.error = error
        try:
            self._stop(event, frame, call)
        finally:
            self.error = None

    def before_call(self, decl: Decl, args: tuple[Any, ...]) -> None:
        """A KSR call of the route is about to be made."""
        if not self.frames:
            return
        mode = self._mode
        if mode in ("next_call", "each") or (self.breaks is not None and self.breaks.call(decl, args)):
            self._stop("call", self.frames[-1], call_text(decl, args))

    def after_call(self, decl: Decl, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        """It was made: ``result`` is the exception when it raised, ``seconds`` how long it took."""
        self.calls.append(call_view(decl, args, result, seconds))

    def _stop(self, event: str, frame: FrameType, call: str = "") -> None:
        self.frame = frame
        # Once only: on 3.11 asking again would take the values from the frame and overwrite what was edited.
        self.locals = frame.f_locals
        self._edited = False
        try:
            op, line = self.stop(event, frame, call)
            if self._edited:
                _to_frame(frame)
        finally:
            self.frame = None
            self.locals = {}
        if op == "abort":
            raise Abort
        self.resume(op, line, frame)

    def resume(self, op: str, line: int, frame: FrameType) -> None:
        """The order from here on; what ``stop`` returned does the same."""
        self._mode, self._line, self._file, self._limit = op, line, frame.f_code.co_filename, len(self.frames)

    # -- while it is stopped (any thread) -------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """The stopped frame's part of a state. Raises :class:`DebugError` when the route runs or has ended."""
        frame = self._stopped()
        return frame_view(frame, self.frames, self.locals)

    def evaluate(self, expression: str) -> Any:
        """The value of a Python expression in the stopped frame. Raises what it raises."""
        frame = self._stopped()
        return eval(expression, {**frame.f_globals, **self.locals})

    def set_local(self, name: str, value: Any) -> None:
        """Give a variable of the stopped function another value, from when the route goes on.

        Raises :class:`DebugError` for a name that its code does not have: it could never be read.
        """
        frame = self._stopped()
        code = frame.f_code
        names = (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has: {', '.join(names) or 'none'}"
            raise DebugError(f"{code.co_name} has no variable {name!r}{hint}")
        self.locals[name] = value
        self._edited = True

    def _stopped(self) -> FrameType:
        if self.frame is None:
            raise DebugError("the route is not stopped: there is no frame to look into")
        return self.frame


def _to_frame(frame: FrameType) -> None:
    """Values put into ``frame.f_locals`` become the frame's.

    From 3.13 on they are already (PEP 667). Before, Python does it by itself when a trace function returns, but not
    for a stop inside a KSR call, which is no trace event of the frame.
    """
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
