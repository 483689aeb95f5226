"""Latency and traffic as plots in SVG, with the numbers as a table behind them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..console import flat
from ..figures import latency_table, traffic_table
from ..tables import seconds
from .convert import convert
from .markup import Html, drawing, join, tag

if TYPE_CHECKING:
    from ...figures import Latency, Timing, Traffic

SVG = "http://www.w3.org/2000/svg"
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 150, 44, 22


def latency(view: Latency) -> Html:
    if not view.callbacks:
        return convert(latency_table(view))
    plots = [
        tag("div", tag("h4", f"{flat(name)}: {len(each.seconds)} runs"), _histogram(name, each))
        for name, each in view.callbacks.items()
    ]
    return join([convert(latency_table(view)), tag("div", *plots, class_="plots")])


def _histogram(name: str, each: Timing) -> Html:
    bars = each.histogram
    top = max(count for _, _, count in bars)
    step = min(60.0, (WIDTH - LEFT) / len(bars))
    parts = _axis(top)
    for n, (low, high, count) in enumerate(bars):
        tall = count * (HEIGHT - BOTTOM - 10) / top
        x, y = LEFT + n * step, HEIGHT - BOTTOM - tall
        label = f"{seconds(low)} to {seconds(high)}: {count} runs"
        parts.append(tag("rect", tag("title", label), x=f"{x + 1:.1f}", y=f"{y:.1f}", width=f"{step - 2:.1f}",
                         height=f"{tall:.1f}", class_="k0"))  # fmt: skip
        parts.append(tag("text", seconds(high).replace(".00", ""), x=f"{x + step:.1f}", y=HEIGHT - 6,
                         text_anchor="middle"))  # fmt: skip
    numbers = ", ".join(f"{count} up to {seconds(high)}" for _, high, count in bars if count)
    return _svg(parts, f"how long {flat(name)} took: {numbers}", int(LEFT + step * len(bars)) + 30)


def _axis(top: int) -> list[Html]:
    low = HEIGHT - BOTTOM
    return [
        tag("line", x1=LEFT, x2=WIDTH, y1=low, y2=low, class_="axis"),
        tag("text", str(top), x=LEFT - 4, y=18, text_anchor="end"),
        tag("text", "0", x=LEFT - 4, y=low, text_anchor="end"),
    ]


def _svg(parts: list[Html], label: str, width: int = WIDTH) -> Html:
    made = tag("svg", *parts, xmlns=SVG, class_="plot", viewBox=f"0 0 {width} {HEIGHT}", width=width, height=HEIGHT,
               role="img", aria_label=label)  # fmt: skip
    return drawing(made, "plot")


def traffic(view: Traffic) -> Html:
    if not view.total:
        return tag("div", "no messages captured yet", class_="dim")
    sums = view.sums
    top = max(sums)
    step = min(40.0, (WIDTH - LEFT) / view.length)
    parts = _axis(top)
    for at in range(view.length):
        y = float(HEIGHT - BOTTOM)
        begin = _clock(view.start + at * view.interval, view.interval)
        for number, (kind, counts) in enumerate(view.kinds.items()):
            if not counts[at]:
                continue
            tall = counts[at] * (HEIGHT - BOTTOM - 10) / top
            y -= tall
            label = f"{begin}: {counts[at]} {flat(kind)}"
            parts.append(tag("rect", tag("title", label), x=f"{LEFT + at * step + 0.5:.1f}",
                             y=f"{y:.1f}", width=f"{max(step - 1, 1):.1f}", height=f"{tall:.1f}",
                             class_=f"k{number % 8}"))  # fmt: skip
    for at in sorted({0, view.length // 2, view.length}):
        x = LEFT + at * step
        parts.append(tag("text", _clock(view.start + at * view.interval, view.interval), x=f"{x:.1f}", y=HEIGHT - 6,
                         text_anchor="start" if not at else "middle"))  # fmt: skip
    keys = [
        tag("span", tag("i", class_=f"k{number % 8}"), f"{flat(kind)} {sum(counts)}", class_="key")
        for number, (kind, counts) in enumerate(view.kinds.items())
    ]
    said = ", ".join(f"{sum(counts)} {flat(kind)}" for kind, counts in view.kinds.items())
    note = f"{view.total} messages, {view.interval:g} s a bar"
    plot = _svg(parts, f"messages over time: {said}")
    numbers = tag("details", tag("summary", "as text"), convert(traffic_table(view)))
    return tag("div", tag("div", note, class_="dim"), plot, tag("div", *keys), numbers)


def _clock(at: float, interval: float) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    return clock + f"{at % 1:.2f}"[1:] if interval < 1 else clock
