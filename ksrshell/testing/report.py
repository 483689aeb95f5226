"""What a failed test prints: what was done to the proxy, and what the script did, line by line with its KSR calls."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from .calls import Call
from .sent import Sent
from .steps import Callback, Line, Step

__all__ = ["render", "summary"]

__tracebackhide__ = True

#: Lines shown of the beginning and of the end of a callback that ran more than twice as many.
_SHOWN = 80
#: Calls shown of one line: a comprehension may make many.
_CALLS = 12
#: Source lines up to this width have their KSR calls beside them, others below.
_COLUMN = 64


def summary(sent: Sequence[Sent]) -> str:
    """What was sent, in a few words: ``replied 404 Not Found``."""
    parts: list[str] = []
    for what, found in groupby(sent, _kind):
        # The reason phrase of Kamailio's 100 is long and says nothing.
        texts = [
            f"{s.method} {s.uri} to {s.to}" if s.is_request else f"{s.code} {s.reason}" if s.code > 100 else "100"
            for s in found
        ]
        parts.append(f"{what} {', '.join(_folded(texts))}")
    return "; ".join(parts) or "nothing was sent"


def _folded(texts: list[str]) -> Iterator[str]:
    """Equal neighbours as one, with their number."""
    for text, same in groupby(texts):
        count = len(list(same))
        yield text if count == 1 else f"{text} ({count} times)"


def _kind(sent: Sent) -> str:
    if sent.again:
        return "sent again" if sent.is_request else "replied again"
    return "replied" if not sent.is_request else "relayed" if sent.relayed else "sent"


def render(steps: Sequence[Step], shown: Callable[[str], str]) -> str:
    """All steps. ``shown`` gives the name of a script's file as its user knows it."""
    lines: list[str] = []
    for number, step in enumerate(steps, 1):
        if lines:
            lines.append("")
        lines.append(f"{number}. {step.title}")
        if step.error:
            lines.append(f"   the proxy could not use it: {step.error}")
        for of_sent, group in groupby(step.happened, lambda each: isinstance(each, Sent)):
            if of_sent:
                lines += _folded([f"   {_sent(each)}" for each in group if isinstance(each, Sent)])
            else:
                for each in group:
                    if isinstance(each, Callback):
                        lines += _callback(each, shown, "   ")
        if not step.sent:
            lines.append("   nothing was sent")
    return "\n".join(lines)


def _callback(callback: Callback, shown: Callable[[str], str], indent: str) -> Iterator[str]:
    args = "".join(f", {arg!r}" for arg in callback.args)
    file = shown(callback.lines[0].file) if callback.lines else ""
    place = f"  [{file}]" if file else ""
    yield f"{indent}{callback.name}(msg{args}): {callback.route} route for {callback.msg}{place}"
    width = min(_COLUMN, max((len(_indented(line)) for line in callback.lines), default=0))
    skipped = 0
    open_: list[str] = []  # the functions that are active, by their depth
    for at, line in enumerate(callback.lines):
        if _SHOWN <= at < len(callback.lines) - _SHOWN and all(isinstance(each, Call) for each in line.happened):
            skipped += 1
            continue
        if skipped:
            yield f"{indent}       ... {skipped} more lines ..."
            skipped = 0
        if line.depth and (len(open_) <= line.depth or open_[line.depth] != line.function):
            yield f"{indent}       {'  ' * (line.depth - 1)}{_where(line, file, shown)}"
        open_[line.depth :] = [*[""] * (line.depth - len(open_)), line.function]
        yield from _line(line, shown, indent, width)
    if callback.left_out:
        yield f"{indent}       ... {callback.left_out} more lines ..."
    yield f"{indent}  {callback.ending}"


def _where(line: Line, file: str, shown: Callable[[str], str]) -> str:
    name = shown(line.file)
    return f"in {line.function}:" if name == file else f"in {line.function} [{name}]:"


def _indented(line: Line) -> str:
    return "  " * line.depth + linecache.getline(line.file, line.line).strip()


def _line(line: Line, shown: Callable[[str], str], indent: str, width: int) -> Iterator[str]:
    source = _indented(line)
    calls = [f"{each.text.removeprefix('KSR.')} -> {each.outcome}{' (mock)' if each.mocked else ''}"
             for each in line.happened if isinstance(each, Call)]  # fmt: skip
    if len(calls) > _CALLS:
        calls[_CALLS:] = [f"... {len(calls) - _CALLS} more calls ..."]
    head = f"{indent}{line.line:5}  {source}"
    below = f"{indent}       {'  ' * line.depth}    "
    if calls and len(source) <= width:
        yield f"{head:{len(indent) + 7 + width}}  | {calls[0]}"
        rest = calls[1:]
        pad = f"{'':{len(indent) + 7 + width}}  | "
        yield from (pad + call for call in rest)
    else:
        yield head
        yield from (f"{below}| {call}" for call in calls)
    for each in line.happened:
        if isinstance(each, Sent):
            yield below + _sent(each)
        elif isinstance(each, Callback):
            yield from _callback(each, shown, below)


def _sent(sent: Sent) -> str:
    what = f"{sent.method} {sent.uri}" if sent.is_request else f"{sent.code} {sent.reason}"
    return f"=> {_kind(sent)} {what} to {sent.to}"
