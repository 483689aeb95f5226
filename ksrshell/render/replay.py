"""What a replay has found: the messages that raised or differ (or all), and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from .console import clean, flat
from .tables import seconds

if TYPE_CHECKING:
    from ksrcore.replay.result import Result, Summary

#: Messages that are shown at most when only those that raised or differ are.
_MOST = 50


def show(summary: Summary, verbose: bool) -> None:
    """Print it."""
    console = Console(highlight=False)
    # In a file or a log lines stay whole.
    console.print(replay_view(summary, verbose), soft_wrap=not console.is_terminal)


def replay_view(summary: Summary, verbose: bool = False) -> RenderableType:
    """What was read and taken, the messages, the sum; ``verbose``: every message."""
    shown = summary.results if verbose else [each for each in summary.results if each.raised or each.differences]
    parts: list[RenderableType] = [Text(flat(summary.capture)), _proxy(summary), Text("")]
    if shown:
        parts += _messages(shown if verbose else shown[:_MOST])
        if not verbose and len(shown) > _MOST:
            parts.append(Text(f"... and {len(shown) - _MOST} more, with -v", "bright_black"))
        parts.append(Text(""))
    return Group(*parts, *_sum(summary))


def _proxy(summary: Summary) -> Text:
    text = Text(f"proxy {summary.proxy}")
    if summary.guessed:
        text.append(" (the address that receives and sends most; --listen names another)", "bright_black")
    return text


def _messages(results: list[Result]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    width = len(str(results[-1].number))
    for each in results:
        text = Text(f"{each.number:>{width}} {flat(each.title)}")
        text.append(f" from {each.source}: ", "bright_black")
        text.append(flat(each.outcome), "red" if each.raised else "")
        parts.append(text)
        parts += [Text(" " * (width + 3) + flat(line), "yellow") for line in each.differences]
    seen: set[str] = set()
    for each in results:
        for raised in each.raised:
            if raised.traceback and raised.traceback not in seen and len(seen) < 5:
                seen.add(raised.traceback)
                parts += [Text(f"\nmessage {each.number}, {raised.callback}:"), Text(clean(raised.traceback))]
    return parts


def _sum(summary: Summary) -> list[RenderableType]:
    count = len(summary.results)
    text = Text(f"{count} message{'' if count == 1 else 's'} replayed")
    raised, differing = len(summary.raised), len(summary.differing)
    text.append(f", {raised} raised an exception" if raised else ", no exception", "red" if raised else "")
    if summary.compared:
        text.append(
            f", {differing} differ{'s' if differing == 1 else ''} from {summary.against}", "yellow" if differing else ""
        )
    else:
        text.append("; the capture does not show what the proxy sent: nothing to compare with")
    if summary.left_out:
        text.append(f"; {summary.left_out} left out by --where")
    if summary.unrelated:
        text.append(f"; {summary.unrelated} not from or to the proxy")
    parts: list[RenderableType] = [text]
    if count:
        median, most, longest = summary.latency()
        times = f"median {seconds(median)}, 99 % {seconds(most)}, longest {seconds(longest)}"
        parts.append(Text(f"time per message: {times}"))
    if summary.interrupted:
        parts.append(Text("interrupted: this is what was replayed until then", "yellow"))
    return parts
