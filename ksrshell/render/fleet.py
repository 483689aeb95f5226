"""What several nodes gave, below each other; equal answers once, under all their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from ..errors import KsrShellError
from ..session import Stats
from ..view import View
from .console import clean, plain, sharing

if TYPE_CHECKING:
    from ..fleet.canary import FleetSwap


def by_node(values: Mapping[str, Any], errors: Mapping[str, Exception]) -> RenderableType:
    """A node whose value cannot be shown, because it went away meanwhile, has that error in its place."""
    if len(values) > 1 and all(isinstance(value, Stats) for value in values.values()):
        return _side_by_side(values, errors)
    groups: dict[str, tuple[list[str], RenderableType]] = {}
    with sharing(len(values) + len(errors)):
        for name, value in values.items():
            _add(groups, name, partial(_shown, value))
        for name, error in errors.items():
            _add(groups, name, partial(_error, error))
    parts: list[RenderableType] = []
    for text, (names, shown) in groups.items():
        title = clean(", ".join(names))
        if "\n" in text or len(text) + len(title) > 76:
            parts += [_rule(title), shown]
        else:
            parts.append(Text.assemble((title, "bold"), "  ", shown if isinstance(shown, Text) else Text(text)))
    return Group(*parts)


def _rule(title: str) -> RenderableType:
    return Rule(Text(title, "bold"), align="left", style="bright_black")


def _add(groups: dict[str, tuple[list[str], RenderableType]], name: str, make: Callable[[], RenderableType]) -> None:
    try:
        shown = make()
    except KsrShellError as error:
        shown = _error(error)
    red = "!" if isinstance(shown, Text) and shown.style == "red" else ""
    groups.setdefault(red + plain(shown), ([], shown))[0].append(name)


def _error(error: Exception) -> RenderableType:
    return Text(clean(str(error)), "red")


def _shown(value: Any) -> RenderableType:
    """Made once: what is live asks its node each time."""
    return value.__rich__() if isinstance(value, View) else Text(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, list | dict | tuple | set):
        from IPython.lib import pretty

        pretty_text: Any = pretty.pretty
        return clean(str(pretty_text(value)))
    return clean(repr(value))


def _side_by_side(values: Mapping[str, Stats], errors: Mapping[str, Exception]) -> RenderableType:
    """Figures of all nodes, a column each."""
    from .tables import figure, table

    found: dict[str, dict[str, Any]] = {}
    problems = {name: str(error) for name, error in errors.items()}
    for name, stats in values.items():
        try:
            found[name] = stats.to_json()
        except KsrShellError as error:
            problems[name] = str(error)
    names: dict[str, None] = {}
    for figures in found.values():
        names |= dict.fromkeys(figures)
    made = table("figure", *(f">{clean(name)}" for name in found))
    for each in names:
        cells = (figure(each, figures[each]) if each in figures else "-" for figures in found.values())
        made.add_row(each.replace("_per_s", " per second"), *cells)
    return Group(*([made] if found else []), *(Text(clean(f"{n}  {text}"), "red") for n, text in problems.items()))


def fleet_swap(swapped: FleetSwap) -> RenderableType:
    """The figures of who was watched, what became of it, and what each node answered, equal ones once."""
    out = Text()
    for name, figures in swapped.watched.items():
        requests, exceptions = int(figures["requests"]), int(figures["exceptions"])
        out.append(
            f"{clean(name)}: {requests} request{_s(requests)}, {figures['failed']:.1%} failed, "
            f"{exceptions} exception{_s(exceptions)}\n"
        )
    if not swapped.taken:
        out.append(f"rolled back on {clean(', '.join(swapped.back))}: " if swapped.back else "not swapped: ", "red")
        out.append(clean(swapped.why), "red")
        return out
    new = [name for name, each in swapped.nodes.items() if each.swapped]
    if new:
        out.append(f"swapped on {clean(', '.join(new))}", "green")
    out.rstrip()
    return Group(*([out] if out else []), *_answers(swapped.nodes.items()))


def _answers(nodes: Iterable[tuple[str, View]]) -> list[RenderableType]:
    groups: dict[str, tuple[list[str], RenderableType]] = {}
    for name, each in nodes:
        shown = each.__rich__()
        groups.setdefault(plain(shown), ([], shown))[0].append(name)
    if len(groups) == 1:
        return [shown for _, shown in groups.values()]
    return [part for names, shown in groups.values() for part in (_rule(clean(", ".join(names))), shown)]


def _s(number: int) -> str:
    return "" if number == 1 else "s"
