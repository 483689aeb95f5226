"""The SDP of a message as sdpops sees it: streams and lines by their offsets in the message.

Kamailio asks less of an SDP than RFC 8866: it begins with ``v=``, has an ``o=`` line and at least one stream, and each
stream has a ``c=`` line of its own or the session's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .textops_body import content_type, parts_of

if TYPE_CHECKING:
    from ..sip.message import SipMessage

__all__ = ["BROKEN", "NO_BODY", "Line", "Sdp", "Stream", "codec_ids", "read_sdp", "words"]

#: What :func:`read_sdp` gives instead of an SDP.
NO_BODY, BROKEN = 1, -1

#: The numbers of RFC 3551 that Kamailio knows by name.
_STATIC: dict[str, tuple[str, ...]] = {
    "pcmu": ("0",),
    "gsm": ("3",),
    "g723": ("4",),
    "dvi4": ("5", "6", "16", "17"),
    "lpc": ("7",),
    "pcma": ("8",),
    "g722": ("9",),
    "l16": ("10", "11"),
    "qcelp": ("12",),
    "cn": ("13",),
    "mpa": ("14",),
    "g728": ("15",),
    "g729": ("18",),
}

_CODEC_ATTRIBUTES = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")


class Line:
    """A line: ``text`` without its end, ``start:end`` its place in the message with it."""

    __slots__ = ("end", "start", "text")

    def __init__(self, start: int, end: int, text: str) -> None:
        self.start = start
        self.end = end
        self.text = text


class Stream:
    """An ``m=`` line and the lines below it; ``formats_at`` is where what follows its transport begins."""

    __slots__ = ("formats", "formats_at", "has_address", "kind", "lines", "port", "transport")

    def __init__(self, line: Line, kind: str, port: str, transport: str) -> None:
        self.kind = kind.lower()
        self.port = port.partition("/")[0]
        self.transport = transport
        at = 2
        for word in (kind, port, transport):  # any number of spaces may be between them
            at = line.text.index(word, at) + len(word)
        self.formats_at = line.start + at
        self.formats = line.text[at:]
        self.lines = [line]
        self.has_address = False

    @property
    def active(self) -> bool:
        """Whether its port is not 0 and its last direction attribute not inactive."""
        direction = ""
        for line in self.lines:
            if line.text.strip().lower() in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"):
                direction = line.text.strip().lower()
        return self.port.strip("0") != "" and direction != "a=inactive"

    def codec_lines(self, codec: str) -> list[Line]:
        """The attribute lines that are about the format ``codec``."""
        wanted = tuple(f"{name}{codec} ".lower() for name in _CODEC_ATTRIBUTES)
        return [line for line in self.lines if line.text.lower().startswith(wanted)]


class Sdp:
    """``start:end`` is its place in the message, ``lines`` are all its lines."""

    __slots__ = ("end", "lines", "start", "streams")

    def __init__(self, buf: str, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.lines: list[Line] = []
        self.streams: list[Stream] = []
        at = start
        while at < end:
            stop = buf.find("\n", at, end)
            stop = end if stop < 0 else stop + 1
            self.lines.append(Line(at, stop, buf[at:stop].rstrip("\r\n")))
            at = stop

    def read(self) -> bool:
        """Find the streams; False when it is no SDP."""
        lines = self.lines
        if not lines or lines[0].text[:2] != "v=":
            return False
        address = origin = False
        stream: Stream | None = None
        for line in lines:
            kind = line.text[:2]
            if kind == "m=":
                fields = line.text[2:].split()
                if len(fields) < 3:
                    return False
                stream = Stream(line, fields[0], fields[1], fields[2])
                self.streams.append(stream)
                continue
            if stream is not None:
                stream.lines.append(line)
            if kind == "c=":
                if stream is None:
                    address = True
                else:
                    stream.has_address = True
            elif kind == "o=":
                origin = True
        return origin and bool(self.streams) and all(address or stream.has_address for stream in self.streams)


def read_sdp(msg: SipMessage) -> Sdp | int:
    """The SDP that is the body, or a part of it; NO_BODY, or BROKEN when the body is something else."""
    start, end = msg.body_at, len(msg.buf)
    if start >= end:
        return NO_BODY
    if "content-type" not in msg.index:
        return BROKEN
    kind = content_type(msg)
    if kind != "application/sdp":
        found = parts_of(msg) if kind == "multipart/mixed" else None
        part = next((part for part in found[1] if part.type == "application/sdp"), None) if found is not None else None
        if part is None:
            return BROKEN
        blank = msg.buf.find("\r\n\r\n", part.head - 2, part.end)
        if blank < 0:
            return BROKEN
        start, end = blank + 4, part.end
    sdp = Sdp(msg.buf, start, end)
    return sdp if sdp.read() else BROKEN


def words(text: str) -> list[str]:
    """The items of a list with commas, up to the first empty one."""
    out: list[str] = []
    for item in text.split(","):
        item = item.strip()
        if not item:
            break
        out.append(item)
    return out


def codec_ids(sdp: Sdp, names: str) -> list[str]:
    """The format numbers of codec names: RFC 3551's, of other names those that the SDP's rtpmaps give them."""
    found: list[str] = []
    for name in words(names):
        wanted = name.lower()
        static = _STATIC.get(wanted)
        if static is not None:
            found.extend(static)
            continue
        for stream in sdp.streams:
            for line in stream.lines:
                if line.text[:9].lower() == "a=rtpmap:":
                    number, _, codec = line.text[9:].partition(" ")
                    if codec.strip().partition("/")[0].lower() == wanted and number not in found:
                        found.append(number)
    return found
