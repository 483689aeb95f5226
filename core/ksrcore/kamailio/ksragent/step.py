"""Following the script's frames in the worker's own thread, and stopping where an order or a break says so.

Nothing of ksrcore is imported here, and it runs on Python 3.9. A worker of Kamailio has one thread that runs the
script; :meth:`Tracer.start` follows it with ``sys.settrace``, and ``stop(event, frame, call)`` is called in it at each
stop: it waits as long as it likes and returns the next order.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence
    from types import CodeType, FrameType
    from typing import Protocol

    #: (op, line); line is for ``to`` only, in the file of the frame that is stopped.
    Order = tuple[str, int]

    class Breaks(Protocol):
        """Asked while the route runs; a true answer stops it there."""

        def function(self, frame: FrameType) -> bool:
            """A function of the script is entered. The stop is at its first line."""

        def line(self, frame: FrameType) -> bool:
            """A line is about to run."""

        #: Whether :meth:`call` is to be asked.
        at_calls: bool

        def call(self, path: str, args: tuple[Any, ...], frame: FrameType) -> bool:
            """A KSR call is about to be made."""

        def exception(self, frame: FrameType, error: BaseException) -> bool:
            """An exception passes through a frame (each frame on its way out is asked)."""

        def lines_of(self, code: CodeType) -> bool | set[int]:
            """The lines of a function that may stop, True for all: the others are not asked about."""


#: What a tracer understands.
OPS = ("next", "into", "out", "next_call", "to", "finish")
#: Characters of a value's repr that are shown; lines of source before and after the current one.
REPR_LIMIT = 400
CONTEXT = 5


class StepError(Exception):
    """An order that cannot be followed: one line that says why."""


def _guarded(method: Callable[[Tracer, FrameType, str, Any], Any]) -> Callable[[Tracer, FrameType, str, Any], Any]:
    """Python raises in the script what a trace function raises: only what is no Exception (Drop) is meant to be."""

    def trace(self: Tracer, frame: FrameType, event: str, arg: Any) -> Any:
        try:
            return method(self, frame, event, arg)
        except Exception as error:
            sys.settrace(None)
            self.broken(error)
            return None

    return trace


class Tracer:
    """Decides where a route stops.

    Until the first stop only what ``breaks`` asks for is followed; from then on every frame of the script.
    ``frames`` are those that are active, outermost first; ``locals`` is the one snapshot of the stopped frame's
    variables: values put into it go back into the frame when the route goes on. ``made`` are the KSR calls made so
    far: path, arguments, result (the exception when it raised), seconds.
    """

    def __init__(
        self,
        is_script: Callable[[str], bool],
        stop: Callable[[str, FrameType, str], Order],
        breaks: Breaks,
    ) -> None:
        self.is_script = is_script
        self.stop = stop
        self.breaks = breaks
        self.frames: list[FrameType] = []
        self.made: list[tuple[str, tuple[Any, ...], Any, float]] = []
        self.frame: FrameType | None = None
        self.locals: MutableMapping[str, Any] = {}
        self.error: BaseException | None = None
        self.following = False
        #: Told of a defect of ours: nothing is followed any more, and the script knows nothing of it.
        self.broken: Callable[[BaseException], None] = lambda error: None
        self._edited = False
        self._entered: FrameType | None = None
        self._known: dict[str, bool] = {}
        self._mode = "finish"
        self._line = 0
        self._file = ""
        self._limit = 0
        #: What the locals of a frame looked like at its latest stop: (frame, reprs).
        self._before: tuple[FrameType, dict[str, str]] | None = None

    # -- following ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the functions of the script that are entered from now on in this thread."""
        sys.settrace(self._trace)

    def end(self) -> None:
        """Follow nothing any more; to be called in the thread."""
        sys.settrace(None)
        self.frames = []
        self._before = None

    def _attach(self, frame: FrameType) -> None:
        """Follow every frame of the script, with ``frame`` and its callers active already."""
        self.following = True
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

    @_guarded
    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A function is entered."""
        if self.frame is not None:
            return None  # what an order runs while the route is stopped is not followed
        file = frame.f_code.co_filename
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self.is_script(file)
        if not known:
            return None
        entered = self.breaks.function(frame)
        if self.following:
            self.frames.append(frame)
            if entered:
                self._entered = frame
            return self._local
        lines = self.breaks.lines_of(frame.f_code)
        if entered:
            self._entered = frame
        elif not lines:
            # Exceptions come by all the same, lines do not.
            frame.f_trace_lines = False
        return self._light

    @_guarded
    def _light(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Before the first stop."""
        if event == "line":
            entered = self._entered is frame
            if entered:
                self._entered = None
                frame.f_trace_lines = bool(self.breaks.lines_of(frame.f_code))
            if entered or self.breaks.line(frame):
                self.halt("line", frame)
        elif event == "exception" and self.breaks.exception(frame, arg[1]):
            self.halt("exception", frame, error=arg[1])
        return frame.f_trace

    @_guarded
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
                or (mode == "next" and depth <= self._limit)
                or (mode == "out" and depth < self._limit)
                or (mode == "to" and frame.f_lineno == self._line and frame.f_code.co_filename == self._file)
                or self.breaks.line(frame)
            ):
                self._stop("line", frame)
        elif event == "return":
            if self.frames:
                self.frames.pop()
        elif event == "exception" and self.breaks.exception(frame, arg[1]):
            self.halt("exception", frame, error=arg[1])
        return self._local

    def halt(self, event: str, frame: FrameType, call: str = "", error: BaseException | None = None) -> None:
        """Stop here, for a reason of the caller's."""
        if not self.following:
            self._attach(frame)
        self.error = error
        try:
            self._stop(event, frame, call)
        finally:
            self.error = None

    def before_call(self, path: str, args: tuple[Any, ...]) -> None:
        """A KSR call of the route is about to be made."""
        if self.frame is not None:
            return  # by an order
        if self.following and self._mode == "next_call" and self.frames:
            frame: FrameType | None = self.frames[-1]
        elif self.breaks.at_calls:
            frame = self._script_frame()
            if frame is None or not self.breaks.call(path, args, frame):
                return
        else:
            return
        if frame is not None:
            self.halt("call", frame, call_text(path, args))

    def after_call(self, path: str, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        """It was made: ``result`` is the exception when it raised, ``seconds`` how long it took."""
        self.made.append((path, args, result, seconds))

    def calls(self) -> list[dict[str, Any]]:
        """The KSR calls made so far, as states show them."""
        return [call_view(*each) for each in self.made]

    def _script_frame(self) -> FrameType | None:
        """The innermost frame of the script."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.is_script(frame.f_code.co_filename):
            frame = frame.f_back
        return frame

    def _stop(self, event: str, frame: FrameType, call: str = "") -> None:
        self.frame = frame
        # Once only: before 3.13 asking again would take the values from the frame and overwrite what was edited.
        self.locals = frame.f_locals
        self._edited = False
        try:
            op, line = self.stop(event, frame, call)
            if self._edited:
                _to_frame(frame)
        finally:
            self.frame = None
            self.locals = {}
        self._mode, self._line, self._file, self._limit = op, line, frame.f_code.co_filename, len(self.frames)

    # -- while it is stopped --------------------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """Where it stands: ``function file line first_line source locals changed stack``."""
        frame = self._stopped()
        file = frame.f_code.co_filename
        values = {name: short_repr(value) for name, value in self.locals.items()}
        before = self._before[1] if self._before is not None and self._before[0] is frame else None
        changed = [] if before is None else [name for name, text in values.items() if before.get(name) != text]
        lines = file_lines(file, frame.f_globals)
        first = max(1, frame.f_lineno - CONTEXT)
        return {
            "function": frame.f_code.co_name,
            "file": real(file),
            "line": frame.f_lineno,
            "first_line": first,
            "source": lines[first - 1 : frame.f_lineno + CONTEXT],
            "locals": values,
            "changed": changed,
            "stack": [_place(each) for each in self.frames],
        }

    def seen(self, view: dict[str, Any]) -> None:
        """That view was shown: the next one in this frame tells what has changed since."""
        if self.frame is not None:
            self._before = (self.frame, view["locals"])

    def evaluate(self, expression: str) -> Any:
        """The value of a Python expression in the stopped frame. Raises what it raises."""
        frame = self._stopped()
        return eval(expression, {**frame.f_globals, **self.locals})

    def set_local(self, name: str, value: Any) -> None:
        """Give a variable of the stopped function another value, from when the route goes on. Raises
        :class:`StepError` for a name that its code does not have: it could never be read."""
        code = self._stopped().f_code
        names = (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
        if name not in names:
            import difflib

            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has: {', '.join(names) or 'none'}"
            raise StepError(f"{code.co_name} has no variable {name!r}{hint}")
        self.locals[name] = value
        self._edited = True

    def check_order(self, op: str, line: int) -> None:
        """Raises :class:`StepError` for an order that leads nowhere."""
        if op not in OPS:
            raise StepError(f"cannot step {op!r}; known: {', '.join(OPS)}")
        if op != "to":
            return
        frame = self._stopped()
        file = frame.f_code.co_filename
        known = code_lines(file_lines(file, frame.f_globals))
        if line not in known:
            after = next((n for n in known if n > line), None)
            hint = f"; the next with code is {after}" if after else f"; the last with code is {known[-1]}"
            raise StepError(f"line {line} of {file} has no code{hint if known else ''}")

    def _stopped(self) -> FrameType:
        if self.frame is None:
            raise StepError("the route is not stopped: there is no frame to look into")
        return self.frame


def _place(frame: FrameType) -> dict[str, Any]:
    return {"function": frame.f_code.co_name, "file": real(frame.f_code.co_filename), "line": frame.f_lineno}


@lru_cache(maxsize=1024)
def real(filename: str) -> str:
    """A file's name as the node knows it: Python keeps what the server's configuration says."""
    return filename if filename.startswith("<") else os.path.realpath(filename)


def _to_frame(frame: FrameType) -> None:
    """Values put into ``frame.f_locals`` become the frame's: from 3.13 on they are already (PEP 667). Before, Python
    does it by itself when a trace function returns, but not for a stop inside a KSR call."""
    if sys.version_info < (3, 13):
        import ctypes

        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def short_repr(value: object) -> str:
    """``repr`` for people: never raises, never long."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr failed: {type(error).__name__}>"
    return text if len(text) <= REPR_LIMIT else text[: REPR_LIMIT - 3] + "..."


def plain(value: Any) -> Any:
    """A value as JSON can carry it."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else short_repr(value)


def call_view(path: str, args: Sequence[Any], result: Any, seconds: float) -> dict[str, Any]:
    """A KSR call that was made."""
    raised = isinstance(result, BaseException)
    return {
        "name": path,
        "args": [arg if isinstance(arg, (str, int)) else short_repr(arg) for arg in args],
        "result": None if raised else plain(result),
        "error": f"{type(result).__name__}: {result}" if raised else None,
        "duration": seconds,
    }


def call_text(path: str, args: Sequence[Any]) -> str:
    """``KSR.hdr.append('X: 1\\r\\n')``."""
    return f"{path}({', '.join(map(short_repr, args))})"


def file_lines(filename: str, scope: dict[str, Any] | None = None) -> list[str]:
    """The lines of a source file or of a function that was swapped in, without line ends."""
    return [text.rstrip("\n") for text in linecache.getlines(filename, scope)]


def lines_in(code: CodeType) -> set[int]:
    """The lines on which a function can stop."""
    return {line for _, line in dis.findlinestarts(code) if line and line != code.co_firstlineno}


def code_lines(lines: Sequence[str]) -> list[int]:
    """The lines of that source on which a function's code can stop, in order."""
    try:
        waiting = [compile("\n".join(lines) + "\n", "<source>", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: set[int] = set()
    outermost = True
    while waiting:
        code = waiting.pop()
        waiting += [const for const in code.co_consts if isinstance(const, type(code))]
        # 1: CO_OPTIMIZED. Not of a class: its lines ran when the script was loaded.
        if code.co_flags & 1 and not outermost:
            found |= lines_in(code)
        outermost = False
    return sorted(found)
