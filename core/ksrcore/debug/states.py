"""How a stop is shown: frames, locals, calls and effects as plain JSON values (docs/control-channel.md, "State")."""

from __future__ import annotations

import difflib
import linecache
from collections.abc import Iterable, Mapping, Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from ..kemi.declare import Decl
from ..net.address import Dest
from .errors import DebugError

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..sip.message import SipMessage

#: Characters of a value's repr that are shown.
REPR_LIMIT = 400
#: Lines of source shown before and after the current one.
CONTEXT = 5


def short_repr(value: object) -> str:
    """``repr`` for people: never raises, never long."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr failed: {type(error).__name__}>"
    return text if len(text) <= REPR_LIMIT else text[: REPR_LIMIT - 3] + "..."


def call_text(decl: Decl, args: Sequence[Any]) -> str:
    """``KSR.hdr.append('X: 1\\r\\n')``."""
    return f"{decl.path}({', '.join(map(short_repr, args))})"


def call_view(decl: Decl, args: Iterable[Any], result: Any, seconds: float) -> dict[str, Any]:
    """A KSR call that was made; ``result`` is the exception when it raised."""
    raised = isinstance(result, BaseException)
    return {
        "name": decl.path,
        "args": [arg if isinstance(arg, str | int) else short_repr(arg) for arg in args],
        "result": None if raised else result,
        "error": f"{type(result).__name__}: {result}" if raised else None,
        "duration": seconds,
    }


def source_window(filename: str, line: int, scope: dict[str, Any] | None = None) -> dict[str, Any]:
    """``first_line`` and ``source``: the lines around ``line``."""
    lines = linecache.getlines(filename, scope)
    first = max(1, line - CONTEXT)
    return {"first_line": first, "source": [text.rstrip("\n") for text in lines[first - 1 : line + CONTEXT]]}


def frame_view(frame: FrameType, frames: Iterable[FrameType], values: Mapping[str, Any]) -> dict[str, Any]:
    """Where a frame stands: ``function file line first_line source locals stack``.

    ``values`` is the one snapshot of its locals; ``frames`` are the script's frames, outermost first.
    """
    filename = frame.f_code.co_filename
    return {
        "function": frame.f_code.co_name,
        "file": filename,
        "line": frame.f_lineno,
        **source_window(filename, frame.f_lineno, frame.f_globals),
        "locals": {name: short_repr(value) for name, value in values.items()},
        "stack": [{"function": f.f_code.co_name, "file": f.f_code.co_filename, "line": f.f_lineno} for f in frames],
    }


def code_lines(filename: str) -> list[int]:
    """The lines of that source on which a function's code can stop, in order."""
    try:
        code = compile("".join(linecache.getlines(filename)), filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    found: set[int] = set()
    waiting = [const for const in code.co_consts if isinstance(const, CodeType)]
    while waiting:
        code = waiting.pop()
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
        found.update(line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
    return sorted(found)


def check_line(filename: str, line: int) -> None:
    """A line with code on it: else the route would run to its end without a word. Raises :class:`DebugError`."""
    if line < 1:
        raise DebugError(f"step.to(line) needs a line number, got {line!r}")
    lines = code_lines(filename)
    if line not in lines:
        after = next((n for n in lines if n > line), None)
        if after is not None:
            hint = f"; the next with code is {after}"
        else:
            hint = f"; the last with code is {lines[-1]}" if lines else ""
        raise DebugError(f"line {line} of {filename} has no code{hint}")


def outgoing(msg: SipMessage, listens: Sequence[Listen]) -> str:
    """The message as it would leave now, without what sending adds (Via, Content-Length of a new body)."""
    listen = listens[0] if listens else None
    dest = Dest(listen.proto if listen else "udp", "127.0.0.1", 5060, listen)
    first = f"{msg.method} {msg.uri} {msg.version}\r\n" if msg.is_request else msg.buf[: msg.head_at]
    return first + msg.lumps.apply(msg.buf, msg.head_at, len(msg.buf), dest)


def message_diff(msg: SipMessage, listens: Sequence[Listen]) -> str:
    """Unified diff of the message as it came against as it would leave."""
    before = msg.buf.replace("\r\n", "\n").splitlines()
    after = outgoing(msg, listens).replace("\r\n", "\n").splitlines()
    return "\n".join(difflib.unified_diff(before, after, "as it came", "as it would leave", lineterm="", n=1))


def message_state(msg: SipMessage) -> dict[str, Any]:
    """The routing state that differs from that of a message nobody touched, by name."""
    state: dict[str, Any] = {}
    if msg.is_request and msg.new_uri:
        state["$ru"] = msg.new_uri
    for name, value in (
        ("$du", msg.dst_uri),
        ("flags", msg.flags),
        ("branch flags", msg.bflags),
        ("path", msg.path),
        ("reply headers", "".join(msg.reply_lumps)),
        ("send socket", msg.force_socket.text if msg.force_socket is not None else ""),
    ):
        if value:
            state[name] = value
    if msg.branches:
        state["branches"] = [branch.uri for branch in msg.branches]
    return state


def sent_view(dest: Dest, text: str) -> dict[str, Any]:
    return {"proto": dest.proto, "dst": f"{dest.ip}:{dest.port}", "data": text}


def effects(
    msg: SipMessage, listens: Sequence[Listen], sent: Iterable[tuple[Dest, str]], writes: Iterable[str] = ()
) -> dict[str, Any]:
    """What was done so far: what left or would leave, the message's diff, its routing state, database writes."""
    return {
        "sent": [sent_view(dest, text) for dest, text in sent],
        "diff": message_diff(msg, listens),
        "state": message_state(msg),
        "writes": list(writes),
    }
