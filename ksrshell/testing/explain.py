"""What a failed comparison of ours says."""

from __future__ import annotations

from .headers import Headers
from .result import Result
from .snapshots import Snapshots

__all__ = ["explain"]


def explain(op: str, left: object, right: object) -> list[str] | None:
    """Lines for pytest's assertion; None for comparisons that are none of ours."""
    if op == "==" and isinstance(right, Snapshots) and isinstance(left, Result):
        return right.explanation or None
    if op == "==" and isinstance(left, Snapshots) and isinstance(right, Result):
        return left.explanation or None
    if op in ("in", "not in") and isinstance(right, Headers):
        # pytest shows eight lines.
        there = ", ".join(name for name, _ in right.fields)
        return [f"{left!r} {op} {right!r}", f"There are: {there or 'none'}"]
    return None
