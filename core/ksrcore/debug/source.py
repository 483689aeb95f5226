"""Lines of a script's source: around a place, and those on which a run can stop."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import CO_OPTIMIZED
from types import CodeType
from typing import Any

from .errors import DebugError

#: Lines of source shown before and after the current one.
CONTEXT = 5


def source_window(lines: Sequence[str], line: int) -> dict[str, Any]:
    """``first_line`` and ``source``: the lines around ``line``. ``lines`` is the whole file, without line ends."""
    first = max(1, line - CONTEXT)
    return {"first_line": first, "source": list(lines[first - 1 : line + CONTEXT])}


def code_lines(lines: Sequence[str]) -> list[int]:
    """The lines of that source on which a function's code can stop, in order."""
    try:
        code = compile("\n".join(lines) + "\n", "<source>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: set[int] = set()
    waiting = [const for const in code.co_consts if isinstance(const, CodeType)]
    while waiting:
        code = waiting.pop()
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
        # Not of a class: its lines, the definitions of methods among them, ran when the script was loaded.
        if code.co_flags & CO_OPTIMIZED:
            found.update(line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
    return sorted(found)


def check_line(lines: Sequence[str], file: str, line: int) -> None:
    """A line with code on it: else the route would run to its end without a word. Raises :class:`DebugError`."""
    if line < 1:
        raise DebugError(f"step.to(line) needs a line number, got {line!r}")
    known = code_lines(lines)
    if line not in known:
        after = next((n for n in known if n > line), None)
        if after is not None:
            hint = f"; the next with code is {after}"
        else:
            hint = f"; the last with code is {known[-1]}" if known else ""
        raise DebugError(f"line {line} of {file} has no code{hint}")
