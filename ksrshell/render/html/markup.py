"""HTML as a value: text that is HTML already is told from text that has to be escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any

#: Elements without an end tag.
_VOID = frozenset(("input", "br", "col"))


class Html(str):
    """Text that is HTML: :func:`tag` and :func:`join` escape everything else."""

    __slots__ = ()


Part = str | None


def tag(name: str, *parts: Part, **attributes: Any) -> Html:
    """An element. Attributes: True gives the bare name, None and False leave it out; ``_`` becomes ``-``, and one at
    the end of a name is dropped (``class_``)."""
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(f" {key}" if value is True else f' {key}="{_escaped(str(value))}"')
    opening = f"<{name}{''.join(written)}>"
    return Html(opening if name in _VOID else f"{opening}{join(parts)}</{name}>")


def join(parts: Iterable[Part], between: str = "") -> Html:
    """The parts in a row, escaped where they are not HTML."""
    return Html(between.join(part if isinstance(part, Html) else _escaped(part) for part in parts if part))


def heading(*parts: Part) -> Html:
    """Parts in a row, as many as there are; blanks between them where styles are taken out."""
    return tag("div", join((part for part in parts if part), " "), class_="head")


def _escaped(text: str) -> str:
    """Without markup, and without lone surrogates: a message with one would not reach the front end."""
    return escape(text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8"))


def data(value: Any) -> str:
    """A value as JSON, for an attribute: ASCII, so that no character of it means anything to anybody."""
    return json.dumps(value, separators=(",", ":"))


_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def drawing(svg: Html, kind: str) -> Html:
    """An SVG that a script puts in its place. As markup it would be torn to its labels where drawings are taken out;
    so there stands, for those without scripts, something to be read beside it.
    """
    return tag("div", class_="wide", data_draw=kind, data_svg=_NO_XML.sub("\ufffd", svg))
