"""A SIP message as it came from the wire, with the processing state Kamailio keeps in its ``sip_msg``.

The text of a message is latin-1 ``str``: one character is one byte of the wire, so slices are byte-exact and what a
script does not touch leaves as it came. Parsing is lazy: a message is split into header fields once; a field's value
is parsed when somebody asks for it. Fields are immutable and shared between messages (a bounded cache keyed by the
whole line), because a call repeats its From, To, Call-ID and Contact lines in each of its messages.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .cseq import CSeq, parse_cseq
from .errors import ParseError, SipError
from .lumps import Lumps
from .nameaddr import NameAddr, parse_nameaddr, parse_nameaddrs
from .uri import Uri, parse_uri
from .via import Via, parse_vias

if TYPE_CHECKING:
    from ..net.address import Listen, Rcv

T = TypeVar("T")

#: RFC 3261 7.3.3 and the IANA registry: compact forms.
COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_CACHE_LIMIT = 8192
_CACHE_LINE = 512

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")


class Header:
    """One header field line. Immutable: edits go through :class:`~ksrcore.sip.lumps.Lumps`.

    ``raw`` is the field with its line end (and its folds), ``name`` as written, ``key`` the lower-case long name
    (``"via"`` for ``v``), ``body`` the value without surrounding white space, ``body_start`` its offset in ``raw``.
    """

    __slots__ = ("raw", "name", "key", "body", "body_start", "_parsed")

    def __init__(self, line: str, eol: str = "\r\n") -> None:
        name, colon, rest = line.partition(":")
        self.raw = line + eol
        self._parsed: object = None
        key = _keys.get(name)
        if key is None or not colon:
            key = _key(name, colon, line)
        self.key = key
        self.name = name.rstrip(" \t")
        if rest[:1] == " " and rest[1:2] > " " and rest[-1] > " ":
            self.body = rest[1:]
            self.body_start = len(name) + 2
        else:
            body = rest.lstrip(" \t\r\n")
            self.body_start = len(line) - len(body)
            self.body = body.rstrip(" \t\r\n")

    def parsed(self, parser: Callable[[str], T]) -> T:
        """The value, parsed once by ``parser``. A field has one parser for its kind. Raises :class:`SipError`."""
        value = self._parsed
        if value is None:
            value = self._parsed = parser(self.body)
        return value  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"<Header {self.name}: {self.body[:40]}>"


_cache: dict[str, Header] = {}
_raw = attrgetter("raw")
_key_of = attrgetter("key")
#: First lines as read before: replies repeat a few, requests those of their user.
_firsts: dict[str, tuple[bool, str, str, str, int, str]] = {}
#: Spelling of a field name to its key; bounded, for a peer may invent names.
_keys: dict[str, str] = {}


def _key(name: str, colon: str, line: str) -> str:
    """The key of a field name as written (white space before the colon and all), checked."""
    plain = name.rstrip(" \t")
    if not colon:
        raise ParseError("header field 'Name: value'", line)
    if not plain or not _TOKEN.issuperset(plain):
        raise ParseError("header field name", line)
    key = plain.lower()
    key = COMPACT.get(key, key)
    if len(_keys) < 1024 and len(name) <= 64:
        _keys[name] = key
    return key


def _header(line: str) -> Header:
    header = Header(line)
    if len(line) <= _CACHE_LINE:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        _cache[line] = header
    return header


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
        value = msg.__dict__[self.name] = self.compute(msg)
        return value


if TYPE_CHECKING:
    lazy = property
else:
    lazy = _Lazy


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
        first, self.head_at, self.body_at, lines, eols = _split(buf)
        known = _firsts.get(first) or self._read_first(first)
        self.is_request, self.method, self.ruri, self.version, self.status, self.reason = known
        get = _cache.get
        try:
            if eols is None:
                known_fields = list(map(get, lines))
                if None in known_fields:
                    known_fields = [h or _header(line) for h, line in zip(known_fields, lines, strict=True)]
                self.headers = cast("list[Header]", known_fields)
            else:
                self.headers = [Header(line, eol) for line, eol in zip(lines, eols, strict=True)]
        except SipError:
            # Folded lines, or a broken one.
            _, self.head_at, self.body_at, lines, eols = _split_slow(buf)
            try:
                self.headers = [Header(line, eol) for line, eol in zip(lines, eols, strict=True)]
            except SipError as error:
                self.error = error
                self.headers = _tolerant(lines, eols)
        # Reversed, so that the first field of a name wins.
        backwards = self.headers[::-1]
        self.index: dict[str, Header] = dict(zip(map(_key_of, backwards), backwards, strict=True))
        if not self.is_request:
            try:
                cseq = self.cseq
                self.method = cseq.method if cseq is not None else ""
            except SipError:
                self.method = ""

    def _read_first(self, line: str) -> tuple[bool, str, str, str, int, str]:
        """A first line not seen lately. HTTP has its own."""
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
        return self.offsets[self.headers.index(header)]

    @property
    def headers_end(self) -> int:
        """The offset in ``buf`` of the empty line after the header fields: where appended fields go."""
        return self.offsets[-1]

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

    @lazy
    def via(self) -> Via | None:
        """The topmost Via value."""
        h = self.index.get("via")
        return h.parsed(parse_vias)[0] if h is not None else None

    def vias(self) -> list[Via]:
        return [via for h in self.headers if h.key == "via" for via in h.parsed(parse_vias)]

    @lazy
    def from_(self) -> NameAddr | None:
        h = self.index.get("from")
        return h.parsed(parse_nameaddr) if h is not None else None

    @lazy
    def to(self) -> NameAddr | None:
        h = self.index.get("to")
        return h.parsed(parse_nameaddr) if h is not None else None

    @lazy
    def cseq(self) -> CSeq | None:
        h = self.index.get("cseq")
        return h.parsed(parse_cseq) if h is not None else None

    @lazy
    def callid(self) -> str:
        h = self.index.get("call-id")
        return h.body if h is not None else ""

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
    "body_at",
    "head_at",
    "error",
)
_LAZY = ("via", "from_", "to", "cseq", "callid", "to_tag", "offsets")


def _first_line(line: str) -> tuple[bool, str, str, str, int, str]:
    """Whether it is a request; method, Request-URI and version; status and reason."""
    found: tuple[bool, str, str, str, int, str]
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
        if not method or not ruri or not _TOKEN.issuperset(method):
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

    Raises :class:`ParseError` when there is no usable first line. A defect further on is kept in ``error``, so that
    the sender can still be answered.
    """
    return SipMessage(data.decode("latin-1"), rcv)


def _split(buf: str) -> tuple[str, int, int, list[str], list[str] | None]:
    """First line, offset of the first field, offset of the body, field lines (unfolded text kept), their line ends.

    The line ends are None when all are CRLF and nothing is folded: the usual case.
    """
    end = buf.find("\r\n\r\n")
    if end > 0:
        head = buf[:end]
        lines = head.split("\r\n")
        # A line end without CR would be inside a line: then there are more LF than lines ended. Folded lines are found
        # when a field is made of them, which fails: a search for them here would cost more than the split.
        if head.count("\n") == len(lines) - 1 and lines[0]:
            first = lines.pop(0)
            return first, len(first) + 2, end + 4, lines, None
    return _split_slow(buf)


def _split_slow(buf: str) -> tuple[str, int, int, list[str], list[str]]:
    start = 0
    while buf.startswith(("\r\n", "\n"), start):
        start += 2 if buf[start] == "\r" else 1
    at = start
    ends: list[tuple[int, int]] = []
    eols: list[str] = []
    body_at = len(buf)
    head_at = -1
    while at < len(buf):
        stop = buf.find("\n", at)
        if stop < 0:
            # Kamailio's parser too takes a last line without its line end.
            stop, eol, after = len(buf), "", len(buf)
        elif stop > at and buf[stop - 1] == "\r":
            stop, eol, after = stop - 1, "\r\n", stop + 1
        else:
            eol, after = "\n", stop + 1
        if head_at >= 0 and stop == at:
            body_at = after
            break
        if head_at >= 0 and buf[at] in " \t" and len(ends) > 1:
            # A fold: the field goes on. Its text is sliced once, however many folds there are.
            ends[-1] = (ends[-1][0], stop)
            eols[-1] = eol
        else:
            ends.append((at, stop))
            eols.append(eol)
            if head_at < 0:
                head_at = after
        at = after
    lines = [buf[start:stop] for start, stop in ends]
    if not lines:
        raise ParseError("a SIP message", buf)
    return lines[0], head_at, body_at, lines[1:], eols[1:]


def _tolerant(lines: list[str], eols: list[str]) -> list[Header]:
    """The fields of a message with a broken line: broken ones stay as text under the key ''."""
    headers = []
    for line, eol in zip(lines, eols, strict=True):
        try:
            headers.append(Header(line, eol))
        except SipError:
            bad = Header.__new__(Header)
            bad.raw, bad.name, bad.key, bad.body, bad.body_start, bad._parsed = line + eol, "", "", line, 0, None
            headers.append(bad)
    return headers
