"""A SIP message as it came from the wire, with the processing state Kamailio keeps in its ``sip_msg``.

The text of a message is latin-1 ``str``: one character is one byte of the wire, so slices are byte-exact and what a
script does not touch leaves as it came. Parsing is lazy: a message is split into header fields once; a field's value
is parsed when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .cseq import CSeq, parse_cseq
from .errors import ParseError, SipError
from .header import COMPACT, MAX_LINES, TOKEN, Header, field, fields_of, split_slow, too_many_lines
from .lumps import Lumps
from .nameaddr import NameAddr, parse_nameaddr, parse_nameaddrs
from .uri import Uri, parse_uri
from .via import Via, parse_vias

if TYPE_CHECKING:
    from ..net.address import Listen, Rcv

__all__ = ["COMPACT", "Branch", "Header", "SipMessage", "VersionError", "parse_message"]

T = TypeVar("T")

_CACHE_LIMIT = 8192
_CACHE_LINE = 512

_raw = attrgetter("raw")
#: What a first line says: whether it is a request's; its method, URI and version; its status and reason.
_First = tuple[bool, str, str, str, int, str]
#: First lines as read before: replies repeat a few, requests those of their user.
_firsts: dict[str, _First] = {}


class Branch:
    """A destination of the destination set beside the Request-URI (Kamailio's ``append_branch``).

    ``q`` in thousandths, -1 when unset.
    """

    __slots__ = (
        "uri",
        "dst_uri",
        "path",
        "q",
        "socket",
        "flags",
        "instance",
        "ruid",
        "reg_id",
        "location_ua",
        "otcpid",
    )

    def __init__(
        self,
        uri: str,
        *,
        dst_uri: str = "",
        path: str = "",
        q: int = -1,
        socket: Listen | None = None,
        flags: int = 0,
        instance: str = "",
        ruid: str = "",
        reg_id: int = 0,
        location_ua: str = "",
        otcpid: int = 0,
    ) -> None:
        self.uri = uri
        self.dst_uri = dst_uri
        self.path = path
        self.q = q
        self.socket = socket
        self.flags = flags
        self.instance = instance
        self.ruid = ruid
        self.reg_id = reg_id
        self.location_ua = location_ua
        self.otcpid = otcpid

    def copy(self) -> Branch:
        new = Branch.__new__(Branch)
        for slot in Branch.__slots__:
            setattr(new, slot, getattr(self, slot))
        return new


class _Lazy:
    """An attribute computed when first read and kept in the instance: later reads cost no call."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, msg: Any, owner: type) -> Any:
        value = self.compute(msg)
        # Not into __dict__: once somebody asks for that, Python 3.11 reads the attributes three times as slowly.
        setattr(msg, self.name, value)
        return value


if TYPE_CHECKING:
    lazy = property
else:
    lazy = _Lazy


class _Value(Generic[T]):
    """The parsed value of the first field of a name, or ``none`` when there is none; kept like that of :class:`_Lazy`.

    All in one call: each message is asked for some of them. Reading it raises :class:`SipError` for a broken field.
    """

    def __init__(self, key: str, parse: Callable[[Header], T], none: T) -> None:
        self.key = key
        self.parse = parse
        self.none = none

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, msg: SipMessage, owner: type) -> T:
        header = msg.index.get(self.key)
        if header is None:
            value = self.none
        else:
            value = header.value
            if value is None:
                value = header.value = self.parse(header)
        setattr(msg, self.name, value)
        return value


class SipMessage:
    """A request or reply and the state that routing it builds up.

    From the wire: ``buf``, ``method``, ``ruri``, ``status``, ``reason``, ``version``, ``headers``, ``body``, ``rcv``,
    ``error`` (the first defect of a header field, or None). For a reply ``method`` is the CSeq's ('' when unreadable).

    From the script: ``new_uri`` and ``dst_uri`` ('' when unset), ``path`` (comma list of Route values), ``branches``,
    ``q``, ``flags``, ``bflags`` (branch flags of the main branch; the others have theirs in ``branches``), ``xflags``,
    ``lumps`` (edits of this message), ``reply_lumps`` (header text for replies to it), ``reply_body``
    ((content type, body) or None), ``force_socket``, ``force_rport``, ``advertise`` (host, port) and so on.
    """

    # Defaults of the class, not set in each message: most messages never need most of them, and this is the path of
    # every message.
    id = 0
    #: True: a message of HTTP (sip/http.py).
    http = False
    error: SipError | None = None
    #: Whether a field may have more than one line, or a line end other than CRLF.
    folded = False
    new_uri = ""
    dst_uri = ""
    path = ""
    q = -1
    flags = 0
    bflags = 0
    xflags = 0
    reply_body: tuple[str, str] | None = None
    force_socket: Listen | None = None
    force_rport = False
    reply_to_via = False
    add_local_rport = False
    advertise: tuple[str, str] | None = None
    instance = ""
    ruid = ""
    reg_id = 0
    location_ua = ""
    otcpid = 0
    no_connect = False
    close_after = False
    reply_no_connect = False
    reply_close = False

    def __init__(self, buf: str, rcv: Rcv | None = None) -> None:
        self.buf = buf
        self.rcv = rcv
        self.branches: list[Branch] = []
        self.lumps = Lumps()
        self.reply_lumps: list[str] = []
        # What a module keeps with a message, keyed by the module's own name (rr: matched route, auth: nonce ...).
        self.extra: dict[str, object] = {}
        end = buf.find("\r\n\r\n")
        lines = buf[:end].split("\r\n")
        first = lines.pop(0)
        if end > 0 and (known := _firsts.get(first) or self._new_first(first)) is not None:
            self.is_request, self.method, self.ruri, self.version, self.status, self.reason = known
            self.head_at = len(first) + 2
            self.headers_end = end + 2
            self.body_at = end + 4
            if len(lines) > MAX_LINES:
                raise too_many_lines(buf)
            try:
                self.headers = list(map(field, lines))
            except SipError:
                self._read_slowly(buf)
        else:
            self._read_slowly(buf)
        # Reversed, so that the first field of a name wins.
        self.index: dict[str, Header] = {header.key: header for header in reversed(self.headers)}
        if not self.is_request:
            try:
                cseq = self.cseq
                self.method = cseq.method if cseq is not None else ""
            except SipError:
                self.method = ""

    def _new_first(self, line: str) -> _First | None:
        """A first line not seen lately; None when there is none, or its line end is not CRLF."""
        return self._read_first(line) if line and "\n" not in line else None

    def _read_slowly(self, buf: str) -> None:
        """Folded or broken fields, line ends other than CRLF, no body."""
        self.folded = True
        first, self.head_at, self.headers_end, self.body_at, lines, eols = split_slow(buf)
        known = _firsts.get(first) or self._read_first(first)
        self.is_request, self.method, self.ruri, self.version, self.status, self.reason = known
        self.headers, error = fields_of(lines, eols)
        if error is not None:
            self.error = error

    def _read_first(self, line: str) -> _First:
        """What a first line says. HTTP has its own."""
        return _first_line(line)

    # -- header fields ------------------------------------------------------------------------------------------

    def get(self, key: str) -> Header | None:
        """The first header field of that lower-case long name."""
        return self.index.get(key)

    def all(self, key: str) -> list[Header]:
        """Every header field of that lower-case long name, in order."""
        return [h for h in self.headers if h.key == key]

    @lazy
    def offsets(self) -> list[int]:
        """The offset in ``buf`` of each header field, and of the end of the last."""
        return list(accumulate(map(len, map(_raw, self.headers)), initial=self.head_at))

    def offset_of(self, header: Header) -> int:
        """The offset in ``buf`` of the first field that is this object (equal lines share one object)."""
        if self.folded:
            return self.offsets[self.headers.index(header)]
        # Its text is found sooner than the lengths of the fields before it are added up.
        return self.buf.index("\n" + header.raw, self.head_at - 1) + 1

    @property
    def body(self) -> str:
        return self.buf[self.body_at :]

    @property
    def uri(self) -> str:
        """The Request-URI as the script has it: rewritten, or as it came."""
        return self.new_uri or self.ruri

    @property
    def parsed_uri(self) -> Uri:
        return parse_uri(self.new_uri or self.ruri)

    #: The topmost Via value.
    via = _Value[Via | None]("via", lambda header: header.parsed(parse_vias)[0], None)
    from_ = _Value[NameAddr | None]("from", lambda header: header.parsed(parse_nameaddr), None)
    to = _Value[NameAddr | None]("to", lambda header: header.parsed(parse_nameaddr), None)
    cseq = _Value[CSeq | None]("cseq", lambda header: header.parsed(parse_cseq), None)
    callid = _Value[str]("call-id", attrgetter("body"), "")

    def vias(self) -> list[Via]:
        return [via for h in self.headers if h.key == "via" for via in h.parsed(parse_vias)]

    def nameaddrs(self, key: str) -> list[NameAddr]:
        """All values of the fields of that name: contact, route, record-route, path ..."""
        return [value for h in self.headers if h.key == key for value in h.parsed(parse_nameaddrs)]

    @lazy
    def to_tag(self) -> str:
        """The To tag, '' when there is none or the field cannot be read."""
        try:
            to = self.to
        except SipError:
            return ""
        return (to.tag or "") if to is not None else ""

    def overwrite(self, header: Header, text: str) -> None:
        """Write ``text`` over a field's value, which has as many characters: no edit, the message has another text."""
        at = header.body_start
        raw = header.raw
        start = self.offset_of(header) + at
        end = start + len(text)
        self.buf = f"{self.buf[:start]}{text}{self.buf[end:]}"
        new = header.replaced(f"{raw[:at]}{text}{raw[at + len(text) :]}")
        self.headers[self.headers.index(header)] = new
        if self.index[header.key] is header:
            self.index[header.key] = new

    def take_text(self, new: SipMessage) -> None:
        """Become a message of the text of ``new``, and keep the routing state."""
        for name in _LAZY:
            self.__dict__.pop(name, None)
        for name in _TEXT:
            setattr(self, name, getattr(new, name))

    # -- copies -------------------------------------------------------------------------------------------------

    def clone(self) -> SipMessage:
        """An independent copy with the same text and a copy of the routing state (tm keeps one per transaction)."""
        new = SipMessage.__new__(SipMessage)
        new.__dict__.update(self.__dict__)
        new.branches = [branch.copy() for branch in self.branches]
        new.lumps = self.lumps.copy()
        new.reply_lumps = list(self.reply_lumps)
        new.extra = dict(self.extra)
        return new

    def __repr__(self) -> str:
        return (
            f"<SipMessage {self.method} {self.ruri}>"
            if self.is_request
            else f"<SipMessage {self.status} {self.reason}>"
        )


#: What is read from the text, and what is kept once it was asked for.
_TEXT = (
    "buf",
    "is_request",
    "method",
    "ruri",
    "version",
    "status",
    "reason",
    "headers",
    "index",
    "head_at",
    "headers_end",
    "body_at",
    "error",
    "folded",
)
_LAZY = ("via", "from_", "to", "cseq", "callid", "to_tag", "offsets")


def _first_line(line: str) -> _First:
    found: _First
    if line[:8].upper() == "SIP/2.0 ":
        code, _, reason = line[8:].partition(" ")
        if len(code) != 3 or not code.isdigit() or not code.isascii():
            raise ParseError("status line 'SIP/2.0 code reason' with a three-digit code", line)
        found = (False, "", "", line[:7], int(code), reason)
    else:
        parts = line.split(" ")
        if len(parts) != 3:
            # RFC 4475 3.1.2.8: white space inside the Request-URI is not to be guessed around.
            raise ParseError("request line 'METHOD uri SIP/2.0'", line)
        method, ruri, version = parts
        if not method or not ruri or not TOKEN.issuperset(method):
            raise ParseError("request line 'METHOD uri SIP/2.0'", line)
        if version.upper() != "SIP/2.0":
            raise VersionError(line)
        found = (True, method, ruri, version, 0, "")
    if len(line) <= _CACHE_LINE:
        if len(_firsts) >= _CACHE_LIMIT:
            _firsts.clear()
        _firsts[line] = found
    return found


class VersionError(ParseError):
    """A request of another SIP version: answered with 505 (RFC 3261 21.5.6)."""

    def __init__(self, line: str) -> None:
        super().__init__("version SIP/2.0", line)


def parse_message(data: bytes, rcv: Rcv | None = None) -> SipMessage:
    """Parse a datagram or a framed message.

    Raises :class:`ParseError` when there is no usable first line, and for more than MAX_LINES lines of fields. A defect
    further on is kept in ``error``, so that the sender can still be answered.
    """
    return SipMessage(data.decode("latin-1"), rcv)
