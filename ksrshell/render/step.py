"""Where a stepped run stands: made for 80x24, with the prompt below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from .console import clean, flat, height
from .message import call_list, title
from .source import window

if TYPE_CHECKING:
    from ..stepper import Step


def step_view(step: Step) -> RenderableType:
    """The function and line, the source around it, the last KSR calls, and at the end how it ended."""
    where, calls, lines = step.where, step.calls, height()
    line = f" line {where.line}  " if where.line and not step.done else "  "
    head = Text.assemble((clean(where.function), "bold cyan"), line)
    head.append_text(title(step.message))
    parts: list[RenderableType] = [head]
    if len(step.stack) > 1:
        callers = " < ".join(f"{clean(name)}:{line}" for name, line in step.stack[1:4])
        parts.append(Text(f"called from {callers}", "bright_black", no_wrap=True, overflow="ellipsis"))
    if step.source.lines and not step.done:
        parts.append(window(step.source.lines, step.source.first, step.source.line, around=3 if lines < 30 else 6))
    if step.locals and not step.done:
        shown = "  ".join(f"{name}={clean(text)}" for name, text in step.locals.items() if name not in ("self", "msg"))
        if shown:
            parts.append(Text(shown, "magenta", no_wrap=True, overflow="ellipsis"))
    if len(calls) or step.done:
        parts.append(call_list(list(calls), limit=5 if lines < 30 else 12))
    if step.coming and not step.done:
        parts.append(Text(f"about to call {clean(step.coming)}", "cyan", no_wrap=True, overflow="ellipsis"))
    effects = step.effects
    would = [f"would send to {sent.dst}: {sent.data.partition(chr(13))[0]}" for sent in effects.sent]
    if effects.diff:
        would.append("the message is changed: .diff shows it")
    if would:
        if len(would) > 4:
            would = [f"... {len(would) - 3} before", *would[-3:]]
        parts.append(Text("\n".join(map(flat, would)), "yellow", no_wrap=True, overflow="ellipsis"))
    if step.exception:
        parts.append(Text(clean(step.exception), "bold red"))
    elif step.event == "return" and not step.done:
        parts.append(Text(f"returns {clean(str(step.result))}", "yellow"))
    if step.done and not step.exception:
        parts.append(Text(f"the run has ended, result {clean(str(step.result))}", "green"))
    return Group(*parts)
