"""Light SDP reader (RFC 8866, RFC 3264) that keeps offsets, for code that edits bodies in place.

Nothing is validated beyond what is needed to find the parts; lines that make no sense are left to the endpoints.
Line ends may be CRLF, LF or CR alone.
"""

from collections.abc import Iterator
from typing import Final

from ksrcore.sip.errors import ParseError

__all__ = ["Connection", "Media", "Sdp", "iter_lines", "parse_sdp"]

_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


def iter_lines(body: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """(offset, line without its end) of each line from ``start``; an unfinished last line counts."""
    size = len(body)
    while start < size:
        end = body.find("\n", start)
        stop = size if end < 0 else end
        carriage = body.find("\r", start, stop)
        if carriage >= 0:
            end = carriage + 1 if body[carriage + 1 : carriage + 2] == "\n" else carriage
            stop = carriage
        elif end < 0:
            end = size
        yield start, body[start:stop]
        start = end + 1


class Connection:
    """A ``c=`` line: ``nettype`` (IN), ``addrtype`` (IP4, IP6), ``address`` without ``/ttl/count``.

    ``offset`` is where the line begins, ``address_start:address_end`` the span of the address.
    """

    __slots__ = ("address", "address_end", "address_start", "addrtype", "nettype", "offset")

    def __init__(self, offset: int, nettype: str, addrtype: str, address: str, address_start: int) -> None:
        self.offset = offset
        self.nettype = nettype
        self.addrtype = addrtype
        self.address = address
        self.address_start = address_start
        self.address_end = address_start + len(address)

    def __repr__(self) -> str:
        return f"Connection({self.nettype} {self.addrtype} {self.address})"


class Media:
    """An ``m=`` line and the lines below it.

    ``port`` is the first port, ``port_text`` the digits as written, ``count`` the ports in ``49170/2`` (1 without),
    ``transport`` as written (RTP/AVP), ``payloads`` the formats. ``offset:end`` spans the section without
    its last line end, ``port_start:port_end`` the port's digits; ``lines`` are (offset, line) of all, the ``m=`` line
    first; ``connections`` its own ``c=`` lines.
    """

    __slots__ = (
        "connections",
        "count",
        "end",
        "kind",
        "lines",
        "offset",
        "payloads",
        "port",
        "port_end",
        "port_start",
        "port_text",
        "transport",
    )

    def __init__(
        self, offset: int, kind: str, port_text: str, port_start: int, count: int, transport: str, payloads: list[str]
    ) -> None:
        self.offset = offset
        self.end = offset
        self.kind = kind
        self.port_text = port_text
        self.port = int(port_text)
        self.port_start = port_start
        self.port_end = port_start + len(port_text)
        self.count = count
        self.transport = transport
        self.payloads = payloads
        self.lines: list[tuple[int, str]] = []
        self.connections: list[Connection] = []

    def __repr__(self) -> str:
        return f"Media({self.kind} {self.port_text} {self.transport} {' '.join(self.payloads)})"

    def attribute(self, name: str) -> str | None:
        """Value of the first ``a=name`` of this section, '' for a flag, None when absent."""
        return _attribute(self.lines, name)

    @property
    def direction(self) -> str:
        """``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive`` of this section, '' when it says none."""
        return _direction(self.lines)


class Sdp:
    """A parsed body.

    ``lines`` are (offset, line) of the session part, ``connections`` its ``c=`` lines, ``media`` the sections,
    ``version`` the text after ``v=``, ``origin`` the address of ``o=`` (None when that line has not six fields).
    """

    __slots__ = ("body", "connections", "lines", "media", "origin", "version")

    def __init__(self, body: str) -> None:
        self.body = body
        self.lines: list[tuple[int, str]] = []
        self.connections: list[Connection] = []
        self.media: list[Media] = []
        self.version = ""
        self.origin: Connection | None = None

    def attribute(self, name: str) -> str | None:
        """Value of the first session level ``a=name``, '' for a flag, None when absent."""
        return _attribute(self.lines, name)

    @property
    def direction(self) -> str:
        """Session level direction, '' when it says none."""
        return _direction(self.lines)

    def direction_of(self, media: Media) -> str:
        """Direction in force for ``media``: its own, else the session's, else ``sendrecv`` (RFC 8866 6.7)."""
        return media.direction or self.direction or "sendrecv"

    def connection_of(self, media: Media) -> Connection | None:
        """Connection in force for ``media``: its own first, else the session's."""
        if media.connections:
            return media.connections[0]
        return self.connections[0] if self.connections else None

    def all_connections(self) -> list[Connection]:
        """Every ``c=`` line in the order of the body."""
        return self.connections + [item for media in self.media for item in media.connections]


def parse_sdp(body: str) -> Sdp:
    """Read ``body``. Raises ParseError when it does not begin with ``v=``, or an ``m=`` or ``c=`` line is malformed."""
    sdp = Sdp(body)
    lines = sdp.lines
    media: Media | None = None
    for offset, line in iter_lines(body):
        kind = line[:2]
        if not sdp.version:
            if kind != "v=" or not line[2:]:
                raise ParseError("SDP that begins with v=", body)
            sdp.version = line[2:]
        if kind == "m=":
            media = _media(offset, line)
            sdp.media.append(media)
            lines = media.lines
        elif kind == "c=":
            (media or sdp).connections.append(_connection(offset, line, 0))
        elif kind == "o=" and media is None and sdp.origin is None:
            sdp.origin = _connection(offset, line, 3) if len(_words(line)) == 6 else None
        lines.append((offset, line))
        if media is not None:
            media.end = offset + len(line)
    if not sdp.version:
        raise ParseError("SDP that begins with v=", body)
    return sdp


def _words(line: str) -> list[tuple[int, str]]:
    """(offset in the line, word) of the words after ``x=``."""
    found = []
    at = 2
    for word in line[2:].split(" "):
        if word:
            found.append((at, word))
        at += len(word) + 1
    return found


def _connection(offset: int, line: str, skip: int) -> Connection:
    """``c=``, or with ``skip`` 3 the last three fields of ``o=``."""
    words = _words(line)[skip:]
    if len(words) != 3:
        raise ParseError("c=IN IP4 address", line)
    at, address = words[2]
    return Connection(offset, words[0][1], words[1][1], address.partition("/")[0], offset + at)


def _media(offset: int, line: str) -> Media:
    words = _words(line)
    if len(words) < 3:
        raise ParseError("m=media port transport formats", line)
    at, ports = words[1]
    port, slash, count = ports.partition("/")
    for digits in (port, count) if slash else (port,):
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or int(digits) > 65535:
            raise ParseError("m= line with a port from 0 to 65535", line)
    number = int(count) if slash else 1
    return Media(offset, words[0][1], port, offset + at, number, words[2][1], [word for _, word in words[3:]])


def _attribute(lines: list[tuple[int, str]], name: str) -> str | None:
    for _, line in lines:
        if line[:2] == "a=":
            key, _, value = line[2:].partition(":")
            if key.strip() == name:
                return value
    return None


def _direction(lines: list[tuple[int, str]]) -> str:
    found = ""
    for _, line in lines:
        if line[:2] == "a=" and line[2:].strip() in _DIRECTIONS:
            found = line[2:].strip()
    return found
