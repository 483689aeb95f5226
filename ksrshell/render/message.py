"""A captured message, what the script did with it, and KSR calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from .colours import sip, status_style
from .console import clean, flat, wire_text
from .tables import seconds

if TYPE_CHECKING:
    from ..messages import Call, CallbackRun, Message

#: KSR calls shown of a run; the rest is counted.
MAX_CALLS = 200


def title(message: Message) -> Text:
    """``12 INVITE sip:bob@example.com``, in the colour of its kind."""
    return Text.assemble(
        (f"{message.id} ", "bold"),
        (flat(message.title), status_style(None if message.is_request else message.status or 0)),
    )


def message_view(message: Message) -> RenderableType:
    """Where it came from, its bytes highlighted, the callbacks that ran and what was sent because of it."""
    head = Text.assemble(
        (f"{message.id}", "bold"),
        f"  {message.time:%H:%M:%S.%f}"[:-3],
        f"  {message.proto} {message.src} -> {message.dst}",
        (f"  {_how(message)}", "bright_black"),
        f"  {message.size} bytes",
    )
    parts: list[RenderableType] = [head]
    if message.error:
        parts.append(Text(f"not usable: {clean(message.error)}", "red"))
    parts.append(sip(wire_text(message.raw.decode("latin-1")).strip("\n")))
    details = message._details
    for run in message.runs:
        parts.append(run_line(run))
        if run.traceback:
            parts.append(Text(clean(run.traceback.rstrip("\n")), "bright_black"))
    if details.get("cause"):
        parts.append(Text(f"sent because of message {details['cause']}", "bright_black"))
    if details.get("sent"):
        parts.append(Text(f"sent because of it: {', '.join(map(str, details['sent']))}", "bright_black"))
    return Group(*parts)


def _how(message: Message) -> str:
    if message.origin:
        return f"{flat(message.origin)}, never on the wire here"
    return "sent by the proxy" if message.out else "received"


def run_line(run: CallbackRun) -> Text:
    """One line: ``ran ksr_request_route, 0.31 ms, 24 KSR calls, ended by exit``."""
    out = Text.assemble("ran ", (clean(run.callback), "cyan"))
    if run.version and run.version != 1:
        out.append(f" version {run.version}")
    others = [f"{clean(name)} {number}" for name, number in run.versions.items() if name != run.callback]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        out.append(f" (with {', '.join(others[:3])}{more})", "bright_black")
    if run.duration is not None:
        out.append(f", {seconds(run.duration)}")
    count = len(run.calls)
    out.append(f", {count} KSR call{'' if count == 1 else 's'}" + (" (.calls lists them)" if count else ""))
    if run.exited:
        out.append(", ended by exit")
    if run.dropped:
        out.append(", dropped")
    if run.exception:
        out.append(", raised ")
        out.append(clean(run.exception), "red")
    return out


def run_view(run: CallbackRun) -> RenderableType:
    parts: list[RenderableType] = [run_line(run), call_list(list(run.calls))]
    if run.traceback:
        parts.append(Text(clean(run.traceback.rstrip("\n")), "red"))
    return Group(*parts)


def value(thing: Any) -> str:
    """A value of KEMI as Python writes it, never an escape sequence for the terminal."""
    return clean(repr(thing))


def call_line(call: Call) -> Text:
    """``KSR.sl.send_reply(404, 'Not Found') -> 1``"""
    out = Text.assemble((clean(call.name), "cyan"), f"({', '.join(map(value, call.args))})")
    if call.error:
        out.append(f"  {clean(call.error)}", "red")
    elif call.result is not None:
        out.append(" -> ", "bright_black")
        out.append(value(call.result))
    if call.duration is not None:
        out.append(f"  {seconds(call.duration)}", "bright_black")
    return out


def call_list(calls: Sequence[Call], limit: int = MAX_CALLS) -> Text:
    """The calls, numbered; only the last ``limit`` of them."""
    if not calls:
        return Text("no KSR calls", "bright_black")
    out = Text(no_wrap=True, overflow="ellipsis")
    skipped = max(0, len(calls) - limit)
    if skipped:
        out.append(f"... {skipped} before\n", "bright_black")
    digits = len(str(len(calls)))
    for number, call in enumerate(calls[skipped:], skipped + 1):
        if number > skipped + 1:
            out.append("\n")
        out.append(f"{number:>{digits}} ", "bright_black")
        out.append_text(call_line(call))
    return out


def header_lines(pairs: Sequence[tuple[str, str]]) -> Text:
    out = Text()
    for number, (name, body) in enumerate(pairs):
        if number:
            out.append("\n")
        out.append(f"{flat(name)}: ", "blue")
        out.append(clean(body))
    return out
