"""SDP through an RTPproxy: what is asked for each stream, and the edits that bring the answers into the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..sip.errors import SipError
from ..sip.sdp import Connection, Media, Sdp, parse_sdp
from ..sip.values import parse_content_type

if TYPE_CHECKING:
    from ..sip.message import SipMessage

__all__ = ["Options", "edits", "find_sdp", "read_options", "streams"]

_NULL: Final = "0.0.0.0"


class Options:
    """The flags of offer, answer and manage: ``letters`` go to the RTPproxy, the rest is for us."""

    __slots__ = ("letters", "trust", "force", "lookup", "session_c", "branch", "extra", "auto", "whole")

    def __init__(self) -> None:
        self.letters = ""
        self.trust = False
        self.force = False
        self.lookup = False
        self.session_c = False
        self.branch = ""
        self.extra = False
        self.auto = False
        self.whole = False


#: Flags that turn one of the options on, and that become a letter for the RTPproxy.
_OPTIONS: Final = {
    "a": "trust", "b": "extra", "c": "session_c", "f": "force", "l": "lookup", "r": "trust", "t": "whole", "x": "auto",
}  # fmt: skip
_LETTERS: Final = {"a": "A", "e": "E", "i": "I", "w": "S"}


def read_options(flags: str) -> Options:
    """Read the letters. Raises ValueError for one that is unknown."""
    options = Options()
    at = 0
    while at < len(flags):
        char = flags[at]
        at += 1
        if char in "123":
            options.branch = char
        elif char == "z":
            start = at
            while at < len(flags) and flags[at].isascii() and flags[at].isdigit():
                at += 1
            options.letters += "Z" + flags[start:at]
        elif char in _OPTIONS or char in _LETTERS:
            options.letters += _LETTERS.get(char, "")
            if char in _OPTIONS:
                setattr(options, _OPTIONS[char], True)
        elif char != "o" and char != " ":
            raise ValueError(f"unknown flag {char!r}")
    return options


def find_sdp(msg: SipMessage) -> tuple[int, Sdp] | None:
    """(offset in the message, the SDP) of its body, or of the SDP part of a multipart one; None without."""
    header = msg.index.get("content-type")
    if header is None or msg.body_at >= len(msg.buf):
        return None
    try:
        kind = header.parsed(parse_content_type)
        start, end = msg.body_at, len(msg.buf)
        if kind.type == "multipart":
            boundary = kind.param("boundary")
            span = _part(msg.buf, start, boundary) if boundary else None
            if span is None:
                return None
            start, end = span
        elif kind.mime != "application/sdp":
            return None
        sdp = parse_sdp(msg.buf[start:end])
    except SipError:
        return None
    return (start, sdp) if sdp.media else None


def _part(buf: str, start: int, boundary: str) -> tuple[int, int] | None:
    mark = "--" + boundary
    at = buf.find(mark, start)
    while at >= 0:
        after = buf.find(mark, at + len(mark))
        if after < 0:
            return None
        blank = buf.find("\r\n\r\n", at, after)
        if blank >= 0 and "application/sdp" in buf[at:blank].lower():
            return blank + 4, after
        at = after
    return None


class Stream:
    """A stream that goes through the RTPproxy: ``number`` from 1, its media section and its connection."""

    __slots__ = ("number", "media", "connection")

    def __init__(self, number: int, media: Media, connection: Connection) -> None:
        self.number = number
        self.media = media
        self.connection = connection

    @property
    def codecs(self) -> str:
        """``c0,8``: the numeric payload types."""
        numbers = [p for p in self.media.payloads if p.isascii() and p.isdigit()]
        return "c" + ",".join(numbers) if numbers else ""


def streams(sdp: Sdp) -> list[Stream]:
    """The RTP streams. Raises ValueError for one without an address."""
    found = []
    for number, media in enumerate(sdp.media, 1):
        if "RTP" not in media.transport.upper():
            continue
        connection = sdp.connection_of(media)
        if connection is None:
            raise ValueError(f"stream {number} has no c= line")
        found.append(Stream(number, media, connection))
    return found


def edits(sdp: Sdp, answers: list[tuple[Stream, int, str]], session_c: bool, mark: str) -> list[tuple[int, int, str]]:
    """(offset in the body, length, text) for streams with their new (port, address); ``mark`` is a line for the end."""
    out: list[tuple[int, int, str]] = []
    done: set[int] = set()

    def address(connection: Connection, ip: str) -> None:
        if connection.offset in done or connection.address == _NULL:
            return
        done.add(connection.offset)
        kind = "IP6" if ":" in ip else "IP4"
        start = connection.address_start
        if connection.addrtype != kind:
            # The type is the word before the address.
            at = sdp.body.rfind(connection.addrtype, connection.offset, start)
            out.append((at, len(connection.addrtype), kind))
        out.append((start, connection.address_end - start, ip))

    ip = ""
    for stream, port, ip in answers:
        media = stream.media
        address(stream.connection, ip)
        if media.port:
            out.append((media.port_start, media.port_end - media.port_start, str(port)))
            for offset, line in media.lines:
                if line[:7].lower() == "a=rtcp:":
                    out.append((offset + 7, len(line) - 7, str(port + 1)))
    if answers:
        if sdp.origin is not None:
            address(sdp.origin, ip)
        if session_c:
            for connection in sdp.connections:
                address(connection, ip)
    if mark:
        end = len(sdp.body)
        out.append((end, 0, mark if sdp.body.endswith("\n") else "\r\n" + mark))
    return sorted(out)
