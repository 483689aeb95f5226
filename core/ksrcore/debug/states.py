"""How a stop is shown: frames, locals, calls and effects as plain JSON values (docs/control-channel.md, "State")."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..kemi.declare import Decl
from ..net.address import Dest
from . import recording, source

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..sip.message import SipMessage

#: Characters of a value's repr that are shown.
REPR_LIMIT = 400


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


def call_view(decl: Decl, args: Iterable[Any], result: Any, seconds: float | None = None) -> dict[str, Any]:
    """A KSR call that was made; ``result`` is the exception when it raised, ``seconds`` how long it took if known."""
    raised = isinstance(result, BaseException)
    view = {
        "name": decl.path,
        "args": [arg if isinstance(arg, str | int) else short_repr(arg) for arg in args],
        "result": None if raised else result,
        "error": f"{type(result).__name__}: {result}" if raised else None,
    }
    return view if seconds is None else view | {"duration": seconds}


def file_lines(filename: str, scope: dict[str, Any] | None = None) -> list[str]:
    """The lines of a source file or of a function that was swapped in, without line ends."""
    return [text.rstrip("\n") for text in linecache.getlines(filename, scope)]


def frame_view(frame: FrameType, frames: Iterable[FrameType], values: Mapping[str, Any]) -> dict[str, Any]:
    """Where a frame stands: ``function file line first_line source locals stack``.

    ``values`` is the one snapshot of its locals; ``frames`` are the script's frames, outermost first.
    """
    filename = frame.f_code.co_filename
    return {
        "function": frame.f_code.co_name,
        "file": filename,
        "line": frame.f_lineno,
        **source.source_window(file_lines(filename, frame.f_globals), frame.f_lineno),
        "locals": {name: short_repr(value) for name, value in values.items()},
        "stack": [{"function": f.f_code.co_name, "file": f.f_code.co_filename, "line": f.f_lineno} for f in frames],
    }


def code_lines(filename: str) -> list[int]:
    """The lines of that file on which a function's code can stop, in order."""
    return source.code_lines(file_lines(filename))


def check_line(filename: str, line: int) -> None:
    """A line of that file with code on it. Raises :class:`DebugError`."""
    source.check_line(file_lines(filename), filename, line)


def outgoing(msg: SipMessage, listens: Sequence[Listen]) -> str:
    """The message as it would leave now, without what sending adds (Via, Content-Length of a new body)."""
    listen = listens[0] if listens else None
    dest = Dest(listen.proto if listen else "udp", "127.0.0.1", 5060, listen)
    first = f"{msg.method} {msg.uri} {msg.version}\r\n" if msg.is_request else msg.buf[: msg.head_at]
    return first + msg.lumps.apply(msg.buf, msg.head_at, len(msg.buf), dest)


def message_diff(msg: SipMessage, listens: Sequence[Listen]) -> str:
    """Unified diff of the message as it came against as it would leave."""
    return recording.diff(msg.buf, outgoing(msg, listens))


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
