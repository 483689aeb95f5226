"""The proxy's log on standard error: one line each, written many at a time.

Accounting and scripts log on the path of a message, where a system call a line costs more than all else logging does.
Lines wait for :meth:`LineHandler.flush`, which the server calls with its timers; warnings are written at once.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from typing import TextIO

#: Lines that may wait.
_MOST = 256


class LineHandler(logging.Handler):
    """``2026-11-23 04:30:00 INFO ksrcore.script: text``; a traceback follows on lines of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._lines: list[str] = []
        self._second = -1
        self._stamp = ""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            second = int(record.created)
            if second != self._second:
                self._second = second
                self._stamp = time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(second))
            text = f"{self._stamp}{record.levelname} {record.name}: {record.getMessage()}\n"
            if record.exc_info:
                text += logging.Formatter().formatException(record.exc_info) + "\n"
            self._lines.append(text)
            if record.levelno >= logging.WARNING or len(self._lines) >= _MOST:
                self.flush()
        except Exception:
            self.handleError(record)

    def line(self, name: str, level: int, text: str) -> None:
        """Take a line that is ready, as :meth:`emit` takes a record."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(second))
        self._lines.append(f"{self._stamp}{logging.getLevelName(level)} {name}: {text}\n")
        if level >= logging.WARNING or len(self._lines) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._lines:
            lines, self._lines = self._lines, []
            try:
                self.stream.write("".join(lines))
                self.stream.flush()
            except (OSError, ValueError):
                pass  # whoever read the log is gone; the traffic goes on


#: The root's handlers when they are only ours, which then get lines without the detour of a record.
_ours: list[logging.Handler] = []
_root = logging.getLogger()
_package = logging.getLogger("ksrcore")


def log_line(log: logging.Logger, level: int, text: str) -> None:
    """Log a line that is ready with a logger ``ksrcore.*``: for those that are written at every call."""
    if not log.isEnabledFor(level):
        return
    if _root.handlers == _ours and _ours and not log.handlers and not _package.handlers:
        _ours[0].line(log.name, level, text)  # type: ignore[attr-defined]
    else:
        log.log(level, "%s", text)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log to standard error, from ``level`` on."""
    handler = LineHandler(sys.stderr)
    atexit.register(handler.flush)
    _ours[:] = _root.handlers[:] = [handler]
    _root.setLevel(level)
    # What the lines do not show is not worth finding out for each of them.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def flush() -> None:
    """Write the lines that wait."""
    for handler in logging.getLogger().handlers:
        handler.flush()
