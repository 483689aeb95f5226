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

    def flush(self) -> None:
        """Write what waits."""
        if self._lines:
            lines, self._lines = self._lines, []
            try:
                self.stream.write("".join(lines))
                self.stream.flush()
            except (OSError, ValueError):
                pass  # whoever read the log is gone; the traffic goes on


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log to standard error, from ``level`` on."""
    handler = LineHandler(sys.stderr)
    atexit.register(handler.flush)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # What the lines do not show is not worth finding out for each of them.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def flush() -> None:
    """Write the lines that wait."""
    for handler in logging.getLogger().handlers:
        handler.flush()
