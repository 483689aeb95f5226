"""What the terminal shows as HTML: texts as texts, tables as tables that sort."""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .markup import Html, join, tag
from .text import block, cell, spans

_DURATION = re.compile(r"([\d.]+) (us|ms|s|min|h|d)\b")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def convert(renderable: RenderableType) -> Html:
    from ...view import View
    from . import inner

    if isinstance(renderable, View):
        return inner(renderable)
    if isinstance(renderable, Group):
        return join(convert(each) for each in renderable.renderables)
    if isinstance(renderable, Table):
        return table(renderable)
    if isinstance(renderable, Text):
        return tag("pre", spans(renderable), class_=None if renderable.no_wrap else "wrap")
    if isinstance(renderable, str):
        return tag("pre", renderable)
    if isinstance(renderable, Padding):
        return convert(renderable.renderable)
    return block(renderable)


def table(made: Table, caption: str = "") -> Html:
    """A table of the terminal's, whole: nothing is cut."""
    columns = made.columns
    heads = [_plain(column.header) for column in columns]
    head = None
    if made.show_header:
        cells = [
            tag("th", tag("button", name, type="button") if name else None, scope="col", class_=_align(column.justify))
            for name, column in zip(heads, columns, strict=True)
        ]
        head = tag("thead", tag("tr", *cells))
    rows = []
    for row in zip(*(column.cells for column in columns), strict=True):
        cells = []
        for column, thing in zip(columns, row, strict=True):
            key = sort_key(_plain(thing))
            cells.append(tag("td", cell(thing), class_=_align(column.justify), data_v=key))
        rows.append(tag("tr", *cells))
    title = tag("caption", caption) if caption else None
    sortable = "sort" if made.show_header else "plain"
    return tag("div", tag("table", title, head, tag("tbody", *rows), class_=sortable), class_="wide")


def sort_key(text: str) -> str | None:
    """What durations are sorted by, in seconds; None: a text or number sorts by itself."""
    found = _DURATION.match(text)
    if found is None:
        return None
    return f"{float(found[1]) * _SECONDS[found[2]]:.6g}" if found[1].count(".") < 2 else None


def _plain(thing: object) -> str:
    return thing.plain if isinstance(thing, Text) else str(thing)


def _align(justify: str) -> str | None:
    return "r" if justify == "right" else None
