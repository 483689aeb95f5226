"""What several nodes gave, below each other; equal answers once, under all their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from ..view import View
from .console import clean, plain

if TYPE_CHECKING:
    from ..fleet.canary import FleetSwap


def by_node(values: Mapping[str, Any], errors: Mapping[str, Exception]) -> RenderableType:
    groups: dict[str, tuple[list[str], RenderableType]] = {}
    for name, value in values.items():
        shown: RenderableType = value if isinstance(value, View) else Text(_text(value))
        groups.setdefault(plain(shown), ([], shown))[0].append(name)
    for name, error in errors.items():
        text = clean(str(error))
        groups.setdefault(f"! {text}", ([], Text(text, "red")))[0].append(name)
    parts: list[RenderableType] = []
    for text, (names, shown) in groups.items():
        head = Text(clean(", ".join(names)), "bold")
        if "\n" in text or len(text) + len(head) > 76:
            parts += [head, shown]
        else:
            parts.append(Text.assemble(head, "  ", shown if isinstance(shown, Text) else Text(text)))
    return Group(*parts)


def _text(value: Any) -> str:
    if isinstance(value, list | dict | tuple | set):
        from IPython.lib import pretty

        pretty_text: Any = pretty.pretty
        return clean(str(pretty_text(value)))
    return clean(repr(value))


def fleet_swap(swapped: FleetSwap) -> RenderableType:
    out = Text()
    figures = swapped.figures
    if figures:
        out.append(
            f"{swapped.canary}: {figures['requests']:.0f} requests, {figures['failed']:.1%} failed, "
            f"{figures['exceptions']:.0f} exceptions\n"
        )
    if swapped.taken:
        out.append(f"swapped on {', '.join(swapped.nodes)}\n", "green")
        out.append_text(Text(plain(next(iter(swapped.nodes.values())))))
    else:
        out.append(f"rolled back on {', '.join(swapped.nodes)}: {clean(swapped.why)}\n", "red")
    out.rstrip()
    return out
