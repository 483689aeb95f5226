"""Latency and traffic as text: tables with bars."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from .console import flat
from .tables import seconds, table

if TYPE_CHECKING:
    from ..figures import Latency, Traffic

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar(values: list[int]) -> str:
    """A character a value, as high as it is against the largest."""
    top = max(values, default=0) or 1
    return "".join(_EIGHTHS[-(-value * 8 // top)] for value in values)


def latency_table(latency: Latency) -> RenderableType:
    if not latency.callbacks:
        return Text("no callback ran for a message in the capture", "bright_black")
    made = table("callback", ">runs", ">median", ">90 %", ">99 %", ">longest", "from fastest to slowest")
    made.columns[0].ratio = 1
    made.columns[0].min_width = 16
    made.expand = True
    for name, each in latency.callbacks.items():
        shares = [seconds(each.percentile(share)) for share in (0.5, 0.9, 0.99, 1.0)]
        counts = [count for _, _, count in each.histogram]
        made.add_row(Text(flat(name), "cyan"), str(len(each.seconds)), *shares, bar(counts))
    return made


def traffic_table(traffic: Traffic) -> RenderableType:
    if not traffic.total:
        return Text("no messages captured yet", "bright_black")
    made = table("", ">messages", "over time")
    for kind, counts in traffic.kinds.items():
        made.add_row(flat(kind), str(sum(counts)), bar(counts))
    begin = time.strftime("%H:%M:%S", time.localtime(traffic.start))
    end = time.strftime("%H:%M:%S", time.localtime(traffic.start + traffic.length * traffic.interval))
    note = f"{traffic.total} messages, {begin} to {end}, {traffic.interval:g} s a character"
    return Group(made, Text(note, "bright_black"))
