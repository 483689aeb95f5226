"""Source lines, each an element of its own, so that one of them can be marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..colours import python
from ..console import clean
from .markup import Html, tag
from .text import lines as html_lines


def source(lines: Sequence[str], first: int, *, here: int = 0, ran: Collection[int] = (), key: str = "") -> list[Html]:
    """``lines`` numbered from ``first``. ``here`` is marked, those in ``ran`` have run; ``key``: what finds a line."""
    coloured = html_lines(python(clean("\n".join(line.rstrip("\r\n") for line in lines))))
    made = []
    for number, text in enumerate(coloured, first):
        kind = "ln" + (" here" if number == here else "") + (" ran" if number in ran else "")
        made.append(
            tag("span", tag("span", f"{number:>4} ", class_="no"), tag("span", text, "\n"), class_=kind,
                data_l=f"{key}:{number}" if key else None, aria_current="step" if number == here else None)
        )  # fmt: skip
    return made
