"""The log on standard error."""

from __future__ import annotations

import io
import logging

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
