"""A unified diff: what a message was and what it has become."""

from __future__ import annotations

from rich.text import Text

from .colours import DIFF, diff_lexer, highlight
from .console import wire_text


def diff(text: str, unknown: str = "") -> Text:
    """``text`` is a unified diff of wire text; empty when nothing changed. ``unknown``: why there is none."""
    if unknown and not text.strip():
        return Text(unknown, style="bright_black")
    if not text.strip():
        return Text("nothing changed", style="bright_black")
    return highlight(wire_text(text).rstrip("\n"), diff_lexer(), DIFF)
