"""A unified diff: lines that went and lines that came, told by more than their colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..console import wire_text
from .markup import Html, tag

if TYPE_CHECKING:
    from ...effects import Diff


def diff(view: Diff) -> Html:
    return block(view.text)


def block(text: str, **attributes: object) -> Html:
    """``text``: a unified diff of wire text; empty when nothing changed."""
    if not text.strip():
        return tag("div", "nothing changed", class_="diff dim", **attributes)
    parts = []
    for line in wire_text(text).rstrip("\n").split("\n"):
        if line.startswith(("---", "+++", "@@")):
            parts.append(tag("span", line, class_="hunk"))
        elif line.startswith("+"):
            parts.append(tag("ins", line))
        elif line.startswith("-"):
            parts.append(tag("del", line))
        else:
            parts.append(tag("span", line or " "))
    return tag("div", *parts, class_="diff", role="group", aria_label="difference of the message", tabindex="0",
               **attributes)  # fmt: skip
