"""Counting calls changes nothing else."""

from __future__ import annotations

import ast
import traceback
from typing import Any

from ksrcore.script.instrument import HITS, compile_counted

SOURCE = '''\
"""Module doc."""

def plain(x):
    return x + 1

def documented():
    """Doc."""
    return 2

def only_doc():
    """Doc."""

class C:
    def method(self):
        def inner():
            raise ValueError("deep")
        inner()

def nothing(): pass

def decorated():
    @plain_decorator
    def f():
        return 1
    return f
'''


def run() -> tuple[dict[str, Any], list[int], dict[str, int]]:
    hits: list[int] = []
    names: dict[str, int] = {}

    def number(name: str, line: int) -> int:
        names[name] = len(hits)
        hits.append(0)
        return names[name]

    scope: dict[str, Any] = {HITS: hits, "plain_decorator": lambda f: f}
    exec(compile_counted(ast.parse(SOURCE), "counted.py", number), scope)
    return scope, hits, names


def test_calls_are_counted() -> None:
    scope, hits, names = run()
    assert scope["plain"](1) == 2 and scope["plain"](2) == 3
    scope["documented"]()
    scope["nothing"]()
    assert scope["decorated"]()() == 1
    assert {name: hits[at] for name, at in names.items()} == {
        "plain": 2, "documented": 1, "method": 0, "inner": 0, "nothing": 1, "decorated": 1, "f": 1
    }  # fmt: skip


def test_docs_and_lines_stay() -> None:
    scope, _, _ = run()
    assert scope["documented"].__doc__ == "Doc." and scope["only_doc"].__doc__ == "Doc."
    assert scope["plain"].__code__.co_firstlineno == 3
    try:
        scope["C"]().method()
    except ValueError as error:
        assert [frame.lineno for frame in traceback.extract_tb(error.__traceback__)][1:] == [17, 16]
