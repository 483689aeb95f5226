"""Which lines of a script run: told while its callbacks do, beside whoever else watches (coverage, a debugger).

From Python 3.12 on through ``sys.monitoring``, which serves several tools at once. Python 3.11 has one trace function:
where coverage.py has set it, it is called from ours and put back; where anything else has, nothing is traced and only
the lines with KSR calls are known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ["Lines", "make_lines"]

__tracebackhide__ = True

#: Called with the frame and the line that is about to run.
OnLine = Callable[[FrameType, int], None]


class Lines:
    """Tells of no lines: the fallback, and the interface. ``open`` and ``close`` once a test, ``start`` and ``stop``
    around each callback (these may nest)."""

    def __init__(self, is_script: Callable[[str], bool], on_line: OnLine) -> None:
        self.is_script = is_script
        self.on_line = on_line

    def open(self) -> None:
        """A test begins."""

    def close(self) -> None:
        """It has ended."""

    def start(self) -> None:
        """A callback begins."""

    def stop(self) -> None:
        """It has ended."""


class _Traced(Lines):
    """``sys.settrace``, which is per thread and one of a kind."""

    def __init__(self, is_script: Callable[[str], bool], on_line: OnLine) -> None:
        super().__init__(is_script, on_line)
        self._depth = 0
        self._other: Any = None
        self._works = False

    def start(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._other = sys.gettrace()
        self._works = self._other is None or _is_coverage(self._other)
        if self._works:
            sys.settrace(self._trace if self._other is None else self._chained)

    def stop(self) -> None:
        self._depth -= 1
        if self._depth or not self._works:
            return
        sys.settrace(self._other)
        # coverage.py's tracer in C, set from Python, goes back to its fast self at the next call of a function. Until
        # then frames that it followed before are not seen by it.
        _nothing()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._local if self.is_script(frame.f_code.co_filename) else None

    def _local(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.on_line(frame, frame.f_lineno)
        return self._local

    def _chained(self, frame: FrameType, event: str, arg: Any) -> Any:
        inner = self._other(frame, event, arg)
        # Called from Python it has made itself the trace function.
        sys.settrace(self._chained)
        script = self.is_script(frame.f_code.co_filename)

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal inner
            if inner is not None:
                inner = inner(frame, event, arg)
            if script and event == "line":
                self.on_line(frame, frame.f_lineno)
            return local

        return local


def _nothing() -> None:
    pass


def _is_coverage(tracer: Any) -> bool:
    owner = getattr(tracer, "__self__", tracer)
    return type(owner).__module__.partition(".")[0] == "coverage"


if sys.version_info >= (3, 12):
    _monitoring = sys.monitoring
    #: Numbers that no kind of tool has for itself (PEP 669).
    _TOOLS = (4, 3)

    class _Monitored(Lines):
        def __init__(self, is_script: Callable[[str], bool], on_line: OnLine) -> None:
            super().__init__(is_script, on_line)
            self._tool = -1
            self._depth = 0

        def open(self) -> None:
            for tool in _TOOLS:
                try:
                    _monitoring.use_tool_id(tool, "ksrshell.testing")
                except ValueError:  # somebody else's
                    continue
                self._tool = tool
                _monitoring.register_callback(tool, _monitoring.events.LINE, self._line)
                _monitoring.set_events(tool, _monitoring.events.LINE)
                # Lines that an earlier test turned off may be those of this test's script.
                _monitoring.restart_events()
                return

        def close(self) -> None:
            if self._tool >= 0:
                _monitoring.set_events(self._tool, 0)
                _monitoring.register_callback(self._tool, _monitoring.events.LINE, None)
                _monitoring.free_tool_id(self._tool)
                self._tool = -1

        def start(self) -> None:
            self._depth += 1

        def stop(self) -> None:
            self._depth -= 1

        def _line(self, code: CodeType, line: int) -> Any:
            if not self.is_script(code.co_filename):
                return _monitoring.DISABLE
            if self._depth:
                self.on_line(sys._getframe(1), line)
            return None


def make_lines(is_script: Callable[[str], bool], on_line: OnLine) -> Lines:
    """What tells of lines on this Python."""
    if sys.version_info >= (3, 12):
        return _Monitored(is_script, on_line)
    return _Traced(is_script, on_line)
