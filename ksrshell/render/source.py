"""A window of the script's source with the current line marked, as pdb's ``list`` shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from .colours import python
from .console import clean


def window(lines: Sequence[str], first: int, current: int | None = None, around: int | None = None) -> Text:
    """``lines`` numbered from ``first``; ``current`` is marked; ``around``: only that many lines before and after it.

    The whole text is highlighted before it is cut, so that a window inside a long string looks right.
    """
    coloured = python(clean("\n".join(line.rstrip("\r\n") for line in lines))).split("\n", allow_blank=True)
    last = first + len(coloured) - 1
    low, high = first, last
    if around is not None and current is not None:
        # At a function's edge the window moves instead of shrinking.
        low = max(first, min(current - around, last - 2 * around))
        high = min(last, max(current + around, first + 2 * around))
    digits = len(str(high))
    out = Text(no_wrap=True, overflow="ellipsis")
    for number in range(low, high + 1):
        here = number == current
        if number > low:
            out.append("\n")
        out.append(f"{'->' if here else '  '} {number:>{digits}} ", "bold yellow" if here else "bright_black")
        line = coloured[number - first]
        if here:
            line.stylize("bold")
        out.append_text(line)
    return out
