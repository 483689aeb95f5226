"""The log on standard error."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from ksrcore import logs
from ksrcore.logs import LineHandler


def record(level: int, text: str, exc: bool = False) -> logging.LogRecord:
    info = None
    if exc:
        try:
            raise ValueError("why")
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
    made = logging.LogRecord("ksrcore.x", level, "", 0, "%s", (text,), info)
    made.created = 0.0
    return made


def test_lines_wait_and_warnings_do_not() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.emit(record(logging.INFO, "one"))
    assert stream.getvalue() == ""
    handler.emit(record(logging.WARNING, "two"))
    assert [line[20:] for line in stream.getvalue().splitlines()] == ["INFO ksrcore.x: one", "WARNING ksrcore.x: two"]
    handler.emit(record(logging.INFO, "three"))
    handler.flush()
    assert stream.getvalue().endswith("INFO ksrcore.x: three\n")


def test_not_too_many_wait() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    for _ in range(256):
        handler.emit(record(logging.INFO, "x"))
    assert stream.getvalue().count("\n") == 256


def test_a_traceback_follows() -> None:
    stream = io.StringIO()
    LineHandler(stream).emit(record(logging.ERROR, "bad", exc=True))
    assert stream.getvalue().endswith("ValueError: why\n")


def test_a_closed_stream_does_no_harm() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    stream.close()
    handler.emit(record(logging.ERROR, "bad"))


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was again at the end."""
    found = logging.getLogger()
    handlers, level, ours = list(found.handlers), found.level, list(logs._ours)
    yield found
    found.handlers[:] = handlers
    logs._ours[:] = ours
    found.setLevel(level)


def test_a_ready_line_is_written_like_a_record(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs._ours[:] = root.handlers[:] = [LineHandler(stream)]
    root.setLevel(logging.INFO)
    log = logging.getLogger("ksrcore.test_logs")
    logs.log_line(log, logging.DEBUG, "too fine")
    logs.log_line(log, logging.INFO, "100%s")
    log.info("%s", "100%s")
    root.handlers[0].flush()
    assert [line[20:] for line in stream.getvalue().splitlines()] == ["INFO ksrcore.test_logs: 100%s"] * 2


def test_a_ready_line_reaches_every_handler(root: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    logs._ours[:] = [LineHandler(io.StringIO())]
    root.setLevel(logging.INFO)
    logs.log_line(logging.getLogger("ksrcore.test_logs"), logging.INFO, "100%s")
    assert caplog.messages == ["100%s"]
