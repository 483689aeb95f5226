"""Recordings as plain JSON values, for the control channel, and as files (``.ksr``): gzip of one JSON value a line.

The first line of a file is ``{"ksrshell": "trace", "version": 1}``. Reading one only makes values of it: no code from
it runs. Every value is checked, because files come from others.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .recording import Point, Recording

MAGIC = "trace"
VERSION = 1

#: A file is not unpacked further than that (bytes).
MAX_SIZE = 512 * 1024 * 1024

_EVENTS = ("line", "call", "return", "exception", "end")
_FIELDS = Point.__slots__


class TraceError(Exception):
    """A file is no recording that can be opened: one line."""


# -- values -----------------------------------------------------------------------------------------------------------


def items(recording: Recording) -> Iterator[dict[str, Any]]:
    """The recording as JSON values, in the order :func:`build` wants them."""
    yield {"meta": recording.meta, "original": recording.original, "watches": list(recording.watches)}
    for file, lines in recording.sources.items():
        yield {"source": file, "lines": lines}
    for kind, values in (
        ("text", recording.texts),
        ("routing", recording.routings),
        ("call", recording.calls),
        ("sent", recording.sent),
        ("write", recording.writes),
    ):
        for value in values:
            yield {kind: value}
    before: Point | None = None
    for at, point in enumerate(recording.points):
        # What is the same object as in the point before is left out.
        item: dict[str, Any] = {"point": at}
        for name in _FIELDS:
            value = getattr(point, name)
            if before is None or getattr(before, name) != value:
                item[name] = [list(spot) for spot in value] if name == "stack" else value
        if recording.watches:
            item["watched"] = [values[at] for values in recording.watches.values()]
        before = point
        yield item
    if recording.end is not None:
        yield {"end": recording.end}


def build(values: Iterable[Any]) -> Recording:
    """The recording that :func:`items` took apart. Raises :class:`TraceError`."""
    builder = _Builder()
    for number, value in enumerate(values, 2):
        try:
            builder.take(value)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise TraceError(f"line {number} is damaged: {type(error).__name__}: {error}") from None
    return builder.finish()


class _Builder:
    def __init__(self) -> None:
        self.recording: Recording | None = None
        self.names: list[str] = []
        self.values: dict[str, Any] = {}

    def take(self, value: Any) -> None:
        if not isinstance(value, dict) or not value:
            raise ValueError("expected an object")
        recording = self.recording
        if recording is None:
            meta = _of(value["meta"], dict)
            _of(meta["callback"], str), _of(meta["message"], int)
            recording = self.recording = Recording(meta, _of(value["original"], str))
            self.names = [_of(name, str) for name in _of(value["watches"], list)]
            recording.watches = {name: [] for name in self.names}
            return
        kind = next(iter(value))
        if kind == "point":
            self.point(recording, value)
        elif kind == "source":
            recording.sources[_of(value["source"], str)] = [_of(line, str) for line in _of(value["lines"], list)]
        elif kind == "text":
            recording.texts.append(_of(value["text"], str))
        elif kind == "routing":
            recording.routings.append(_of(value["routing"], dict))
        elif kind == "call":
            call = _of(value["call"], dict)
            _of(call["name"], str), _of(call["args"], list), call["result"], call["error"], float(call["duration"])
            recording.calls.append(call)
        elif kind == "sent":
            sent = _of(value["sent"], dict)
            _of(sent["proto"], str), _of(sent["dst"], str), _of(sent["data"], str)
            recording.sent.append(sent)
        elif kind == "write":
            recording.writes.append(_of(value["write"], str))
        elif kind == "end":
            recording.end = _of(value["end"], dict)
        else:
            raise ValueError(f"unknown kind {kind!r}")

    def point(self, recording: Recording, value: dict[str, Any]) -> None:
        if value["point"] != len(recording.points):
            raise ValueError(f"step {value['point']!r} instead of {len(recording.points)}")
        given = {name: value[name] for name in _FIELDS if name in value}
        if "stack" in given:
            given["stack"] = tuple((_of(f, str), _of(n, str), _of(line, int)) for f, n, line in given["stack"])
        for name, text in _of(given.get("locals", {}), dict).items():
            _of(name, str), _of(text, str)
        self.values |= given
        point = Point(**self.values)
        if point.event not in _EVENTS:
            raise ValueError(f"unknown event {point.event!r}")
        _of(point.call, str)
        for count, most in (
            (point.calls, len(recording.calls)), (point.sent, len(recording.sent)),
            (point.writes, len(recording.writes)), (point.text, len(recording.texts) - 1),
            (point.routing, len(recording.routings) - 1), (point.activation, 1 << 62),
        ):  # fmt: skip
            if not 0 <= _of(count, int) <= most:
                raise ValueError(f"{count} is out of range")
        recording.points.append(point)
        watched = _of(value["watched"], list) if self.names else []
        if len(watched) != len(self.names):
            raise ValueError("the watched values do not fit")
        for name, each in zip(self.names, watched, strict=True):
            if not isinstance(each, str | int | None):
                raise ValueError(f"{name} is {each!r}")
            recording.watches[name].append(each)

    def finish(self) -> Recording:
        recording = self.recording
        if recording is None or not recording.points:
            raise TraceError("it ends before its first step")
        if (recording.points[-1].event == "end") != (recording.end is not None):
            raise TraceError("its end is missing")
        return recording


def _of(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"expected {kind.__name__}, got {value!r:.60}")
    return value


# -- files ------------------------------------------------------------------------------------------------------------


def save(recording: Recording, path: Path) -> None:
    """Write a file. Raises OSError."""
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as out:
        out.write(json.dumps({"ksrshell": MAGIC, "version": VERSION}) + "\n")
        for item in items(recording):
            out.write(json.dumps(item, separators=(",", ":")) + "\n")


def load(path: Path) -> Recording:
    """Read a file. Raises :class:`TraceError` with the reason, OSError when it cannot be read at all."""
    try:
        with gzip.open(path, "rb") as file:
            values = _lines(file)
            head = next(values, None)
            if not isinstance(head, dict) or head.get("ksrshell") != MAGIC:
                raise TraceError("it is not a recording of ksrshell")
            version = head.get("version")
            if not isinstance(version, int) or version < 1:
                raise TraceError("its version is damaged")
            if version > VERSION:
                raise TraceError(
                    f"it was made by a newer ksrshell: its version is {version}, this one reads up to {VERSION}"
                )
            return build(values)
    except gzip.BadGzipFile:
        raise TraceError("it is not a recording of ksrshell") from None
    except EOFError:
        raise TraceError("it is cut off") from None
    except zlib.error:
        raise TraceError("it is damaged") from None
    except RecursionError:
        raise TraceError("it is damaged: nested too deeply") from None


def _lines(file: Any) -> Iterator[Any]:
    left = MAX_SIZE
    number = 0
    while line := file.readline(left + 1):
        number += 1
        left -= len(line)
        if left < 0:
            raise TraceError(f"it is larger than {MAX_SIZE // 1024 // 1024} MiB")
        try:
            yield json.loads(line)
        except (UnicodeDecodeError, json.JSONDecodeError):
            if number == 1:
                raise TraceError("it is not a recording of ksrshell") from None
            raise TraceError(f"line {number} is damaged: it is not JSON") from None
