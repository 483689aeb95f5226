"""Coloured text of the terminal as HTML: styles become classes, so that themes choose the colours."""

from __future__ import annotations

from functools import cache
from io import StringIO

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from ..console import clean, wire_text
from .markup import Html, join, tag

#: Columns for what has no better form than lines of text.
WIDTH = 100


@cache
def console() -> Console:
    """One for all: it knows no terminal."""
    return Console(file=StringIO(), width=WIDTH, color_system="standard", force_terminal=True, highlight=False,
                   markup=False, emoji=False, legacy_windows=False)  # fmt: skip


@cache
def classes(style: Style | None) -> str:
    """``bold cyan`` as ``b cyan``; '' for text without a style."""
    if style is None:
        return ""
    found = []
    if style.color is not None and style.color.name != "default":
        found.append({"bright_black": "dim"}.get(style.color.name, style.color.name.replace("bright_", "")))
    for name, short in (("bold", "b"), ("italic", "i")):
        if getattr(style, name):
            found.append(short)
    return " ".join(found)


def _spans(segments: list[Segment]) -> Html:
    parts = []
    for text, style, control in segments:
        if control or not text:
            continue
        kind = classes(style)
        parts.append(tag("span", text, class_=kind) if kind else text)
    return join(parts)


def spans(text: Text) -> Html:
    """A text with its colours, on as many lines as it has."""
    if text.style and not text.spans:  # rich leaves the style of the whole out where there is no other
        text = text.copy()
        text.stylize(text.style)
    return _spans(list(text.render(console(), end="")))


def lines(text: Text) -> list[Html]:
    """A text line by line."""
    return [spans(line) for line in text.split("\n", allow_blank=True)]


def block(renderable: RenderableType) -> Html:
    """Anything as the lines that a terminal would show."""
    made = console().render_lines(renderable, console().options, pad=False)
    return tag("pre", join((_spans(line) for line in made), "\n"))


def sip(data: str, **attributes: object) -> Html:
    """A message, highlighted. ``data``: a character a byte."""
    from ..colours import sip as coloured

    return tag("pre", spans(coloured(wire_text(data).strip("\n"))), tabindex="0", class_="sip", **attributes)


def cell(thing: object) -> Html:
    """What is in a cell of a table of the terminal's."""
    if isinstance(thing, Text):
        return spans(thing)
    if isinstance(thing, str):
        return join([clean(thing)])
    return block(thing)  # type: ignore[arg-type]
