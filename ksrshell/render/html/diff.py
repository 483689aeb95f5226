"""A unified diff: lines that went and lines that came, told by more than their colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..console import clean, wire_text
from .markup import Html, tag

if TYPE_CHECKING:
    from ...effects import Diff


_HUNK = ("---", "+++", "@@")


def rows(text: str) -> list[tuple[str, str]]:
    """The lines of a diff, each with the element that it is."""
    found = []
    for line in wire_text(text).rstrip("\n").split("\n"):
        kind = "span" if line.startswith(_HUNK) else {"+": "ins", "-": "del"}.get(line[:1], "span")
        found.append((kind, line))
    return found


def diff(view: Diff) -> Html:
    if view.unknown and not view:
        return tag("div", clean(view.unknown), class_="diff dim")
    return block(view.text)


def block(text: str, **attributes: object) -> Html:
    """``text``: a unified diff of wire text; empty when nothing changed."""
    if not text.strip():
        return tag("div", "nothing changed", class_="diff dim", **attributes)
    parts = [tag(name, line, "\n", class_="hunk" if line.startswith(_HUNK) else None) for name, line in rows(text)]
    return tag("pre", *parts, class_="diff", role="group", aria_label="difference of the message", tabindex="0",
               **attributes)  # fmt: skip
