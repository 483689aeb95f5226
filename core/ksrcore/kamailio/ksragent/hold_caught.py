"""Whether the script itself catches an exception: such a one is nothing to stop for."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    #: First and last line of a ``try``'s body, and the types that its ``except`` clauses name (None: all).
    _Region = tuple[int, int, tuple[ast.expr | None, ...]]

__all__ = ["is_caught"]


def is_caught(frame: FrameType, error: BaseException, is_script: Callable[[str], bool]) -> bool:
    """Whether a ``try`` around the active lines has an ``except`` for it, from ``frame`` out to its callback.

    ``is_script(filename)`` tells the script's frames from the server's, where a callback begins.
    """
    each: FrameType | None = frame
    while each is not None and is_script(each.f_code.co_filename):
        text = "".join(linecache.getlines(each.f_code.co_filename, each.f_globals))
        for first, last, kinds in _regions(text):
            if first <= each.f_lineno <= last and _inside(each, first) and any(_fits(k, each, error) for k in kinds):
                return True
        each = each.f_back
    return False


def _inside(frame: FrameType, line: int) -> bool:
    """Whether the ``try`` is in the frame's own function: it may be around the definition of a nested one."""
    return line >= frame.f_code.co_firstlineno


def _fits(kind: ast.expr | None, frame: FrameType, error: BaseException) -> bool:
    if kind is None:
        return True
    if any(isinstance(each, ast.Call) for each in ast.walk(kind)):
        return False  # it may do something
    try:
        found = eval(compile(ast.Expression(kind), "<except>", "eval"), frame.f_globals, dict(frame.f_locals))
        return isinstance(error, found)
    except Exception:
        return False


@lru_cache(16)
def _regions(text: str) -> tuple[_Region, ...]:
    """First and last line of each ``try``'s body and the types its ``except`` clauses name (None: all)."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(
        (node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno, tuple(h.type for h in node.handlers))
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and node.handlers
    )
