"""Where a function's code says it is: file and line, for tracebacks, stepping and breakpoints."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import Any

from .engine import Version


def moved(version: Version, filename: str, firstline: int) -> bool:
    """The version's text begins at that line of that file now; whether it did not before.

    Frames that run keep what they had.
    """
    delta = firstline - version.firstline
    if delta or version.filename != filename:
        for fn in _functions(version.function, set()):
            if fn.__code__.co_filename == version.filename:
                fn.__code__ = _moved(fn.__code__, version.filename, filename, delta)
    changed = (version.filename, version.firstline) != (filename, firstline)
    version.filename, version.firstline = filename, firstline
    return changed


def detach(version: Version, name: str) -> bool:
    """The version's text is no longer in its file: it gets a file of its own, by that name, beginning at line 1."""
    return moved(version, name, 1)


def _moved(code: CodeType, old: str, new: str, delta: int) -> CodeType:
    consts = tuple(
        _moved(const, old, new, delta) if isinstance(const, CodeType) and const.co_filename == old else const
        for const in code.co_consts
    )
    return code.replace(co_filename=new, co_firstlineno=code.co_firstlineno + delta, co_consts=consts)


def _functions(value: Any, seen: set[int]) -> list[FunctionType]:
    """The functions a value consists of, but not those it calls: a wrapper of another text has another place."""
    if isinstance(value, staticmethod | classmethod):
        return _functions(value.__func__, seen)
    if isinstance(value, property):
        return [fn for part in (value.fget, value.fset, value.fdel) for fn in _functions(part, seen)]
    if not isinstance(value, FunctionType) or id(value) in seen:
        return []
    seen.add(id(value))
    wrapped = getattr(value, "__wrapped__", None)
    return _functions(wrapped, seen) if wrapped is not None else [value]
