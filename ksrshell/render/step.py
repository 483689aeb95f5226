"""Where a stepped run stands, and recorded runs: made for 80x24, with the prompt below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from .console import clean, flat, height
from .message import call_list, title
from .source import window

if TYPE_CHECKING:
    from ..changes import Change, Changes
    from ..stepper import State
    from ..trace import Lines, Trace

#: Steps of a trace that are listed at once.
MAX_LINES = 500


def step_view(step: State) -> RenderableType:
    """The function and line, the source around it, the last KSR calls, and at the end how it ended."""
    where, calls, lines = step.where, step.calls, height()
    line = f" line {where.line}  " if where.line and not step.done else "  "
    head = Text.assemble((clean(where.function), "bold cyan"), line)
    if not step.at_end:
        head.append(f"step {step.position} of {step.length - 1}  ", "yellow")
    head.append_text(title(step.message))
    head.no_wrap, head.overflow = True, "ellipsis"
    parts: list[RenderableType] = [head]
    if len(step.stack) > 1:
        callers = " < ".join(f"{clean(name)}:{line}" for name, line in step.stack[1:4])
        parts.append(Text(f"called from {callers}", "bright_black", no_wrap=True, overflow="ellipsis"))
    if step.source.lines and not step.done:
        around = 2 if lines < 12 else 3 if lines < 30 else 6
        parts.append(window(step.source.lines, step.source.first, step.source.line, around=around))
    if step.locals and not step.done:
        shown = locals_line(step)
        if shown:
            parts.append(shown)
    if step.watches:
        values = "  ".join(f"{clean(name)}={flat(null(value))}" for name, value in step.watches.items())
        parts.append(Text(values, "green", no_wrap=True, overflow="ellipsis"))
    if len(calls) or step.done:
        parts.append(call_list(list(calls), limit=2 if lines < 12 else 5 if lines < 30 else 12))
    if step.coming and not step.done:
        parts.append(Text(f"about to call {clean(step.coming)}", "cyan", no_wrap=True, overflow="ellipsis"))
    effects = step.effects
    verb = "sent" if step.live else "would send"
    would = [f"{verb} to {sent.dst}: {sent.data.partition(chr(13))[0]}" for sent in effects.sent]
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
    if step.note:
        parts.append(Text(flat(step.note), "yellow"))
    return Group(*parts)


def locals_line(step: State) -> Text:
    """``user='bob'  n=3``; what changed since the step before first, and in bold."""
    changed = set(step.changed)
    shown = [(name, text) for name, text in step.locals.items() if name not in ("self", "msg")]
    out = Text(no_wrap=True, overflow="ellipsis")
    for name, text in sorted(shown, key=lambda pair: pair[0] not in changed):
        if out:
            out.append("  ")
        out.append(f"{name}={clean(text)}", "bold magenta" if name in changed else "magenta")
    return out


def null(value: Any) -> str:
    return "<null>" if value is None else str(value)


def change_line(change: Change) -> Text:
    """``step 14  target:12  <null> -> sip:bob@10.0.0.3``"""
    where = change.where
    out = Text(no_wrap=True, overflow="ellipsis")
    out.append(f"step {change.position:<5}", "bold")
    out.append(f" {flat(where.function)}:{where.line}  ", "cyan")
    out.append(f"{flat(_value(change.before))}", "red")
    out.append(" -> ", "bright_black")
    out.append(f"{flat(_value(change.after))}", "green")
    return out


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " | ".join(map(str, value))
    return null(value)


def changes_table(changes: Changes) -> RenderableType:
    if not len(changes):
        return Text(f"{flat(changes.what)} does not change in what is recorded", "bright_black")
    return Group(*map(change_line, changes))


def trace_view(trace: Trace) -> RenderableType:
    """What was recorded, and how to look at it."""
    last = trace[-1]
    head = Text.assemble((clean(trace.callback), "bold cyan"), "  ")
    head.append_text(title(trace.message))
    calls = len(trace.calls)
    parts: list[RenderableType] = [
        head,
        Text(f"{len(trace)} steps, {calls} KSR call{'' if calls == 1 else 's'}", "bright_black"),
    ]
    for sent in last.effects.sent[-3:]:
        parts.append(
            Text(flat(f"would send to {sent.dst}: {sent.data.partition(chr(13))[0]}"), "yellow", no_wrap=True,
                 overflow="ellipsis")
        )  # fmt: skip
    if last.exception:
        parts.append(Text(clean(last.exception), "bold red"))
    elif last.done:
        parts.append(Text(f"result {clean(str(last.result))}", "green"))
    parts.append(Text('t.show()  t[i]  t.next()  t.back()  t.when("$du")  t.calls  t.save("x.ksr")', "bright_black"))
    return Group(*parts)


def trace_lines(lines: Lines) -> RenderableType:
    """Each step: its number, line, source indented by depth, and what changed."""
    trace, out = lines.trace, Text(no_wrap=True, overflow="ellipsis")
    last = min(lines.last, lines.first + MAX_LINES)
    digits = len(str(max(0, last - 1)))
    for at in range(lines.first, last):
        state = trace[at]
        if out:
            out.append("\n")
        out.append(f"{at:>{digits}} ", "bold yellow" if at == trace.replay.position else "bright_black")
        if state.done:
            out.append(f"end, result {clean(str(state.result))}", "green")
            continue
        indent = "  " * (len(state.stack) - 1)
        if state.coming:
            out.append(f"     {indent}{flat(state.coming)}", "cyan")
            continue
        source = state.source
        text = source.lines[source.line - source.first].strip() if source.lines else ""
        out.append(f"{source.line:>4} ", "bright_black")
        out.append(f"{indent}{flat(text)}")
        changed = [f"{name}={flat(state.locals[name])}" for name in state.changed if name not in ("self", "msg")]
        if changed:
            out.append(f"   {'  '.join(changed)}", "magenta")
    if last < lines.last:
        out.append(f"\n... {lines.last - last} more: t.show({last})", "bright_black")
    return out
