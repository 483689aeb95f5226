"""Tables: messages, routes, versions, figures. They fit 80 columns and use what is there beyond."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .colours import python, status_style
from .console import clean, flat

if TYPE_CHECKING:
    from ..messages import Message
    from ..routes import Route, Version


def seconds(value: float | None) -> str:
    """A duration for people: ``85 us``, ``1.20 ms``, ``2.5 s``; ``-`` for None."""
    if value is None:
        return "-"
    if value < 0.001:
        return f"{value * 1e6:.0f} us"
    if value < 1.0:
        return f"{value * 1e3:.2f} ms"
    return f"{value:.1f} s"


def uptime(value: float) -> str:
    """``42 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    total = max(0, int(value))
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{total} s"


def table(*columns: str) -> Table:
    """A table without frames; a column's name beginning with ``>`` is aligned to the right."""
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for column in columns:
        right = column.startswith(">")
        made.add_column(
            column.removeprefix(">"), justify="right" if right else "left", no_wrap=True, overflow="ellipsis"
        )
    return made


def user(uri: str) -> str:
    """The user of a SIP URI, or its host where it has none."""
    _, _, rest = uri.rpartition("sip:") if "sip:" in uri else uri.rpartition("sips:")
    head, at, _ = rest.partition("@")
    return head if at else rest.partition(";")[0]


def messages_table(
    messages: Sequence[Message], *, first: int = 0, last: int = 0, gone: int = 0, where: str | None = None
) -> RenderableType:
    """One line a message: id, time, from or to whom, what it is. With ``last``: how many more there are."""
    if not messages:
        if where is not None:
            return Text(f"no captured message where {where}")
        return Text("no messages captured yet" if not last else "no messages", "bright_black")
    made = table(">id", "time", "", "peer", "message", "from -> to", ">by")
    made.columns[4].ratio = 3
    made.columns[4].min_width = 16
    made.columns[5].ratio = 2
    made.columns[5].min_width = 8
    made.expand = True
    for m in messages:
        what = Text(flat(m.title), status_style(None if m.is_request else m.status or 0))
        if not m.is_request and m.method:
            what.append(f" ({flat(m.method)})", "bright_black")
        if m.error:
            what = Text(f"{m.method or 'bad'}: {flat(m.error)}", "red")
        if m._summary.get("exception"):
            what = Text.assemble(("! ", "bold red"), what)
        made.add_row(
            str(m.id),
            Text(f"{m.time:%H:%M:%S.%f}"[:-3], "bright_black"),
            "->" if m.out else "<-",
            m.dst if m.out else m.src,
            what,
            flat(f"{user(m.from_uri)} -> {user(m.to_uri)}") if m.from_uri or m.to_uri else "",
            Text(str(m._summary.get("cause") or ""), "bright_black"),
        )
    if not last:
        return made
    note = f"where {where}" if where is not None else ""
    if where is None and len(messages) < last - first + 1:
        note = f"the newest {len(messages)} of {last - first + 1}"
    if gone and where is None:
        note += f"{'; ' if note else ''}{gone} older ones are gone"
    legend = "(<- received, -> sent by the proxy because of `by`)"
    return Group(made, Text(f"{note}  {legend}".strip() if len(note) < 27 else f"{note}\n{legend}", "bright_black"))


def routes_table(routes: Sequence[Route]) -> RenderableType:
    """Callbacks first, then the script's other functions, each with its use."""
    made = table("function", "kind", ">version", ">hits", ">average", ">longest", ">errors", ">line")
    made.columns[0].ratio = 1
    made.columns[0].min_width = 16
    made.expand = True
    for route in sorted(routes, key=lambda r: (not r.callback, r.line)):
        made.add_row(
            Text(flat(route.name), "cyan" if route.callback else ""),
            "callback" if route.callback else "function",
            Text(str(route.version), "bold yellow" if route.version != 1 else ""),
            str(route.hits),
            seconds(route.average),
            seconds(route.longest),
            Text(str(route.exceptions), "bold red" if route.exceptions else ""),
            str(route.line),
        )
    return made


def route_view(route: Route) -> RenderableType:
    from .source import window

    head = Text.assemble(
        (flat(route.name), "bold cyan"),
        f"  version {route.version} of {route.versions}, {route.hits} hits",
        f", average {seconds(route.average)}, longest {seconds(route.longest)}" if route.hits else "",
        (f", exceptions: {route.exceptions}", "red") if route.exceptions else "",
        (f"\n{flat(route.file)}, line {route.line}", "bright_black"),
    )
    return Group(head, window(route.source.rstrip("\n").split("\n"), route.line))


def versions_table(versions: Sequence[Version]) -> RenderableType:
    made = table("", ">version", "since", "by", "change")
    made.columns[4].ratio = 1
    made.expand = True
    for version in versions:
        lines = version.diff.text.split("\n")
        plus = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
        minus = sum(line.startswith("-") and not line.startswith("---") for line in lines)
        made.add_row(
            Text("->" if version.current else "", "bold yellow"),
            str(version.number),
            f"{version.time:%Y-%m-%d %H:%M:%S}",
            flat(version.who),
            f"+{plus} -{minus} lines" if plus or minus else "",
        )
    return made


def version_view(version: Version) -> RenderableType:
    state = "in use" if version.current else "not in use"
    when = f"{version.time:%Y-%m-%d %H:%M:%S}"
    head = Text(f"{flat(version.name)} version {version.number}, {state}, {when}, by {flat(version.who)}", "bold")
    return Group(head, python(clean(version.source.rstrip("\n"))))


def stats_table(values: Mapping[str, Any], hello: Mapping[str, Any]) -> RenderableType:
    made = table("figure", ">value")
    for name, value in values.items():
        made.add_row(name.replace("_per_s", " per second"), figure(name, value))
    return Group(Text(f"{hello.get('name', '')}: {hello.get('script', '')}", "bold"), made)


def figure(name: str, value: Any) -> str:
    """The value of one of ``ksr.stats``."""
    if name == "uptime":
        return uptime(value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def proxies_table(rows: Sequence[Sequence[str]]) -> RenderableType:
    """``ps``: name, pid, uptime, listens (a line each), script, engine; the last two are broken where it is narrow."""
    made = table("name", ">pid", ">up", "listens", "script", "engine")
    for column in made.columns[4:]:
        column.no_wrap, column.overflow = False, "fold"
    for row in rows:
        made.add_row(*("\n".join(map(flat, cell.split("\n"))) for cell in row))
    return made


def since(started: float) -> str:
    """How long ago a unix time is, for people."""
    return uptime(time.time() - started)
