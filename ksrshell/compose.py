"""SIP messages written by hand: text as people type it becomes a message as it would be on the wire."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ksrcore.sip.errors import SipError
from ksrcore.sip.message import COMPACT, SipMessage

from .errors import UsageError
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .messages import Message

#: RFC 3261 8.1.1: what every request has. Max-Forwards is no part of a reply (20, table 2).
MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards")


@dataclass
class Composed:
    """``data``: the message, a character a byte. ``notes``: what was put right. ``missing``: mandatory header fields
    that are not there. ``wrong``: what a proxy will stumble over."""

    data: str
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def compose(text: str, *, fill: bool = False) -> Composed:
    """The message that ``text`` means: lines may end with a bare LF, leading blank lines and indentation that all
    lines share are taken away, Content-Length is put right.

    ``fill``: mandatory header fields that are missing are made up. Raises :class:`UsageError` when its first line is
    none of SIP's.
    """
    lines = _unindent(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    while lines and not lines[0].strip():
        del lines[0]
    if not lines:
        raise UsageError("%%sip got no text: a message begins as in INVITE sip:bob@example.com SIP/2.0")
    try:
        blank = lines.index("")
    except ValueError:
        blank = len(lines)
    head, body_lines = lines[:blank], lines[blank + 1 :]
    while body_lines and not body_lines[-1]:
        del body_lines[-1]
    body = "".join(f"{line}\r\n" for line in body_lines)
    wire_head, wire_body = ([_wire(line) for line in head], _wire(body))
    first = wire_head[0].split(" ")
    is_request = not wire_head[0].startswith("SIP/2.0 ")
    if (is_request and (len(first) != 3 or first[2] != "SIP/2.0")) or (not is_request and not first[1][:3].isdigit()):
        raise UsageError(
            f"the first line is {head[0]!r}; expected one such as INVITE sip:bob@example.com SIP/2.0 or SIP/2.0 200 OK"
        )
    composed = Composed("")
    _bare(wire_head, composed)
    names = {_long(line.partition(":")[0]) for line in wire_head[1:] if line[:1] not in (" ", "\t")}
    wanted = MANDATORY if is_request else MANDATORY[:-1]
    composed.missing = [name for name in wanted if name.lower() not in names]
    if fill and composed.missing:
        made = _made(first[0] if is_request else "OPTIONS", first[1] if is_request else "sip:127.0.0.1")
        wire_head[1:1] = [f"{name}: {made[name]}" for name in composed.missing]
        composed.notes.append(f"made up: {', '.join(composed.missing)}")
        composed.missing = []
    _content_length(wire_head, len(wire_body), composed)
    composed.data = "\r\n".join(wire_head) + "\r\n\r\n" + wire_body
    _look(composed, is_request)
    return composed


def _unindent(lines: list[str]) -> list[str]:
    """Without the indentation of the first line, when every line has it; folded lines keep theirs."""
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if indent and all(line.startswith(indent) for line in lines if line.strip()):
        lines = [line.removeprefix(indent) for line in lines]
    return [line if line.strip() else "" for line in lines]


def _wire(text: str) -> str:
    """As bytes of UTF-8, each a character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _long(name: str) -> str:
    name = name.strip().lower()
    return COMPACT.get(name, name)


def _bare(head: list[str], composed: Composed) -> None:
    for line in head[1:]:
        if line[:1] not in (" ", "\t") and ":" not in line:
            composed.wrong.append(f"{line!r} is no header field: there is no colon in it")


def _made(method: str, ruri: str) -> dict[str, str]:
    """Values for what is missing, no two messages the same."""
    tag, call = secrets.token_hex(4), secrets.token_hex(8)
    return {
        "Via": f"SIP/2.0/UDP 127.0.0.1:5080;rport;branch=z9hG4bK{secrets.token_hex(6)}",
        "From": f"<sip:tester@127.0.0.1>;tag={tag}",
        "To": f"<{ruri}>",
        "Call-ID": f"{call}@127.0.0.1",
        "CSeq": f"1 {method}",
        "Max-Forwards": "70",
    }


def _content_length(head: list[str], size: int, composed: Composed) -> None:
    at = [n for n, line in enumerate(head) if n and _long(line.partition(":")[0]) == "content-length"]
    if not at:
        head.append(f"Content-Length: {size}")
        return
    name, _, value = head[at[0]].partition(":")
    if value.strip() != str(size):
        composed.notes.append(f"Content-Length was {value.strip() or 'empty'} and is {size}")
        head[at[0]] = f"{name}: {size}"
    if len(at) > 1:
        composed.wrong.append("there is more than one Content-Length")


def _look(composed: Composed, is_request: bool) -> None:
    """What else a proxy would not take."""
    try:
        msg = SipMessage(composed.data)
    except SipError as error:
        raise UsageError(f"this is no SIP message: {error}") from None
    for name in ("via", "from_", "to", "cseq"):
        try:
            value = getattr(msg, name)
        except SipError as error:
            composed.wrong.append(str(error))
            continue
        if name == "cseq" and is_request and value is not None and value.method != msg.method:
            composed.wrong.append(f"CSeq says {value.method}, the first line {msg.method}")
    try:
        if "From" not in composed.missing and msg.from_ is not None and not msg.from_.tag:
            composed.wrong.append("From has no tag (RFC 3261 8.1.1.3)")
    except SipError:
        pass  # said above


class Made(View):
    """A message made by hand: ``message``, in the capture and in use; ``notes``, ``missing`` and ``wrong`` about it."""

    def __init__(self, message: Message, composed: Composed) -> None:
        self.message = message
        self.notes = composed.notes
        self.missing = composed.missing
        self.wrong = composed.wrong

    @property
    def remarks(self) -> list[tuple[str, str]]:
        """What is to be said about it: (style, text)."""
        found = [("yellow", f"no {name}: RFC 3261 wants one") for name in self.missing]
        found += [("yellow", text) for text in self.wrong]
        return found + [("bright_black", text) for text in self.notes]

    def __getattr__(self, name: str) -> object:
        # m = %%sip ... is used as the message that it is.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.message, name)

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from .render.console import clean

        return Group(self.message, *(Text(clean(text), style) for style, text in self.remarks))

    def to_json(self) -> object:
        return {"message": self.message.to_json(), "notes": self.notes, "missing": self.missing, "wrong": self.wrong}
