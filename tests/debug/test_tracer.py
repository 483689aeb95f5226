"""The tracer alone, on functions of this file that stand for a script."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from ksrcore.debug.errors import DebugError
from ksrcore.debug.tracer import Abort, Order, Tracer
from ksrcore.kemi.declare import Decl

DECL = Decl("hdr", "append", ("str",), "int")

#: The tracer of the route that runs, for ksr().
tracers: list[Tracer] = []


def ksr(text: str) -> int:
    """Stands for a KSR call: what sandboxes and holds do around one."""
    tracers[-1].before_call(DECL, (text,))
    tracers[-1].after_call(DECL, (text,), 1, 0.5)
    return 1


SOURCE = """\
def route(n):
    a = inner(n)
    ksr("x")
    b = a + 1
    return a, b

def inner(n):
    x = n * 2
    return x

def fails():
    try:
        inner_fails()
    except ValueError:
        pass
    return 1

def inner_fails():
    raise ValueError("no")
"""
scope: dict[str, Any] = {"ksr": ksr}
exec(compile(SOURCE, "<route>", "exec"), scope)

Ops = list[str | tuple[str, int]]


def trace(
    ops: Ops,
    call: Callable[[], Any],
    at: Callable[[Tracer], Any] | None = None,
    breaks: Any = None,
    begin: str = "into",
) -> tuple[Any, list[tuple[str, str, int]]]:
    """Run ``call`` in a thread with these orders in turn; its result and where it stopped."""
    stops: list[tuple[str, str, int]] = []
    orders: list[Order] = [op if isinstance(op, tuple) else (op, 0) for op in ops]
    result: list[Any] = []

    def stop(event: str, frame: FrameType, call: str) -> Order:
        stops.append((event, frame.f_code.co_name, frame.f_lineno))
        if at is not None:
            # Another thread looks, as the control channel does.
            looking = threading.Thread(target=at, args=(tracer,))
            looking.start()
            looking.join()
        return orders.pop(0) if orders else ("finish", 0)

    tracer = Tracer(lambda name: name == "<route>", stop, breaks)
    tracers.append(tracer)

    def main() -> None:
        tracer.start(begin)
        try:
            result.append(call())
        except Abort:
            result.append("aborted")
        finally:
            tracer.end()

    thread = threading.Thread(target=main)
    thread.start()
    thread.join(5)
    tracers.pop()
    return result[0], stops


def test_orders() -> None:
    route = scope["route"]
    assert trace(["next"] * 9, lambda: route(1))[1] == [("line", "route", n) for n in (2, 3, 4, 5)]
    assert [s[1:] for s in trace(["into", "out", "finish"], lambda: route(1))[1]] == [
        ("route", 2), ("inner", 8), ("route", 3),
    ]  # fmt: skip
    assert trace(["next_call", ("to", 5)], lambda: route(1))[1][1:] == [("call", "route", 3), ("line", "route", 5)]
    assert [s[0] for s in trace(["each"] * 9, lambda: route(1))[1]] == ["line"] * 4 + ["call"] + ["line"] * 2
    assert trace(["abort"], lambda: route(1)) == ("aborted", [("line", "route", 2)])


@pytest.mark.parametrize(("ops", "line", "result"), [(["next", "next"], 4, (42, 43)), (["next_call"], 3, (42, 43))])
def test_a_variable_is_changed_from_another_thread(ops: Ops, line: int, result: tuple[int, int]) -> None:
    """At a line and inside a KSR call: what was set is there when the route goes on, and looking again keeps it."""

    def at(tracer: Tracer) -> None:
        if len(tracer.frames) == 1 and tracer.view()["line"] == line:
            tracer.set_local("a", tracer.evaluate("a + 40"))
            assert tracer.view()["locals"]["a"] == "42"
            assert tracer.evaluate("[a for _ in range(2)]") == [42, 42]

    assert trace([*ops, "finish"], lambda: scope["route"](1), at)[0] == result


def test_a_name_that_the_function_has_not() -> None:
    errors: list[str] = []

    def at(tracer: Tracer) -> None:
        try:
            tracer.set_local("c", 1)
        except DebugError as error:
            errors.append(str(error))

    trace(["finish"], lambda: scope["route"](1), at)
    assert errors == ["route has no variable 'c'; it has: n, a, b"]


class Breaks:
    """Stops where it was told to."""

    def __init__(self, **where: Any) -> None:
        self.where = where

    def function(self, frame: FrameType) -> object:
        return frame.f_code.co_name == self.where.get("function")

    def line(self, frame: FrameType) -> object:
        return frame.f_lineno == self.where.get("line")

    def call(self, decl: Decl, args: tuple[Any, ...]) -> object:
        return decl.path == self.where.get("call")

    def exception(self, frame: FrameType, error: BaseException) -> object:
        return isinstance(error, self.where.get("exception", ()))


def test_breaks_stop_a_route_that_runs_on() -> None:
    def stops(call: str = "route", **where: Any) -> list[tuple[str, str, int]]:
        args = (1,) if call == "route" else ()
        return trace(["finish"] * 9, lambda: scope[call](*args), breaks=Breaks(**where), begin="finish")[1]

    assert stops() == []
    assert stops(function="inner") == [("line", "inner", 8)]
    assert stops(line=4) == [("line", "route", 4)]
    assert trace([], lambda: scope["route"](1), breaks=Breaks(call="KSR.hdr.append"), begin="finish")[1] == [
        ("call", "route", 3)
    ]
    assert stops("fails", exception=ValueError) == [("exception", "inner_fails", 19), ("exception", "fails", 13)]


def test_calls_are_kept() -> None:
    seen: list[Any] = []
    trace([("to", 5)], lambda: scope["route"](1), lambda t: seen.append(list(t.calls)))
    assert seen[-1] == [{"name": "KSR.hdr.append", "args": ["x"], "result": 1, "error": None, "duration": 0.5}]
