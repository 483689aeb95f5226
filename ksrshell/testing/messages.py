"""Messages that come in: written as text, or built with defaults that make sense."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from itertools import count

from ksrcore.kemi.facade import to_wire
from ksrcore.net.address import DEFAULT_PORTS, AddressError, bracketed, canonical_ip, parse_host_port
from ksrcore.sip.digest import digest_response, parse_credentials
from ksrcore.sip.errors import SipError
from ksrcore.sip.nameaddr import parse_nameaddr
from ksrcore.sip.params import unescape
from ksrcore.sip.reasons import REASONS
from ksrcore.sip.uri import parse_uri

from .errors import UsageError
from .headers import Headers, header_name, split_message
from .sent import Sent

__all__ = ["Fields", "Message", "Numbers", "authorized", "build_reply", "build_request", "read"]

__tracebackhide__ = True

#: Header fields: by name (None: leave out the default one; a list: several of that name), or as pairs.
Fields = Mapping[str, "str | int | Iterable[str] | None"] | Iterable[tuple[str, str]]

#: Where requests come from when nothing says otherwise.
SOURCE = "10.0.0.1:5060"

#: Methods whose requests have a Contact (RFC 3261 table 2 and the RFCs of the others).
_CONTACT = frozenset(("INVITE", "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE", "PUBLISH"))


class Numbers:
    """The Call-IDs, branches and tags of one test, in the order they are needed: the same in each run."""

    def __init__(self) -> None:
        self._call = count(1)
        self._branch = count(1)
        self._tag = count(1)

    def callid(self) -> str:
        return f"call-{next(self._call)}@test"

    def branch(self) -> str:
        return f"z9hG4bK-test-{next(self._branch)}"

    def tag(self) -> str:
        return f"test-{next(self._tag)}"


class Message:
    """A message that comes in: its text on the wire (latin-1) and from where, as ``proto`` and ``ip:port``."""

    def __init__(self, wire: str, proto: str, ip: str, port: int, dst: str = "") -> None:
        self.wire = wire
        self.proto = proto
        self.ip = ip
        self.port = port
        #: The listen socket it comes to, ``ip:port``; '' the first of its transport.
        self.dst = dst
        self.first, fields, self.body = split_message(wire)
        self.headers = Headers(fields)

    @property
    def text(self) -> str:
        return self.wire.encode("latin-1").decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    @property
    def src(self) -> str:
        """``udp:10.0.0.1:5060``."""
        return f"{self.proto}:{bracketed(self.ip)}:{self.port}"

    @property
    def is_request(self) -> bool:
        return not self.first.upper().startswith("SIP/")

    @property
    def method(self) -> str:
        """Of a request its own, of a reply the CSeq's."""
        return self.first.partition(" ")[0] if self.is_request else self.headers.get("CSeq", "").rpartition(" ")[2]

    @property
    def uri(self) -> str:
        return self.first.split(" ")[1] if self.is_request and self.first.count(" ") > 1 else ""

    def replace(self, *, uri: str | None = None, headers: Fields | None = None, body: str | None = None) -> Message:
        """The same with another Request-URI, header fields (those named are replaced) or body."""
        first, body = self.first, self.body if body is None else body
        if uri is not None:
            first = f"{self.method} {uri} SIP/2.0"
        fields = _merge(list(self.headers.fields), headers)
        _set(fields, "Content-Length", str(len(to_wire(body))))
        return Message(_join(first, fields, body), self.proto, self.ip, self.port, self.dst)

    @property
    def title(self) -> str:
        """``INVITE sip:bob@example.com from udp:10.0.0.1:5060``."""
        return f"{self.first.removesuffix(' SIP/2.0').removeprefix('SIP/2.0 ')} from {self.src}"

    def __repr__(self) -> str:
        return f"<{self.title}>"


def parse_source(text: str, proto: str = "") -> tuple[str, str, int]:
    """(proto, ip, port) of ``10.0.0.1:5060``, ``10.0.0.1`` or ``tcp:10.0.0.1:5060``. Raises :class:`UsageError`."""
    head, colon, rest = text.partition(":")
    found = proto or "udp"
    if colon and head.lower() in DEFAULT_PORTS:
        found, text = head.lower(), rest
    try:
        host, port = parse_host_port(text)
    except AddressError as error:
        raise UsageError(f"an address such as 10.0.0.1:5060 or tcp:10.0.0.1:5060 was expected: {error}") from None
    ip = canonical_ip(host)
    if not ip or found not in DEFAULT_PORTS:
        raise UsageError(
            f"an address such as 10.0.0.1:5060 or tcp:10.0.0.1:5060 was expected, got {text!r}: "
            "a message comes from an IP address"
        )
    return found, ip, port or DEFAULT_PORTS[found]


def read(message: Message | str | bytes, src: str | None = None, proto: str | None = None) -> Message:
    """What ``route`` is given. Text may be indented as a whole, and its lines may end in a newline alone.

    Without ``src`` it comes from the address in its topmost Via, when that is an IP address.
    """
    if isinstance(message, Message):
        if src is None and proto is None:
            return message
        where = parse_source(src or f"{bracketed(message.ip)}:{message.port}", proto or message.proto)
        return Message(message.wire, *where, message.dst)
    if isinstance(message, bytes):
        wire = message.decode("latin-1")
    elif isinstance(message, str):
        text = textwrap.dedent(message.replace("\r\n", "\n")).lstrip("\n")
        head, blank, body = text.partition("\n\n")
        if not blank:
            head = head.rstrip("\n")
        wire = to_wire(head).replace("\n", "\r\n") + "\r\n\r\n" + to_wire(body).replace("\n", "\r\n")
    else:
        raise UsageError(f"a message is text, bytes or what ksr.request() makes, got {type(message).__name__}")
    via_proto, via_src = _via(wire)
    return Message(wire, *parse_source(src or via_src or SOURCE, proto or via_proto or "udp"))


def _via(wire: str) -> tuple[str, str]:
    """Transport and address of the topmost Via, '' for what cannot be told."""
    via = Headers(split_message(wire)[1]).get("Via", "")
    head, _, rest = via.partition(" ")
    proto = head.rpartition("/")[2].lower()
    where = rest.strip().partition(";")[0].partition(",")[0].strip()
    try:
        host, port = parse_host_port(where)
    except AddressError:
        return proto if proto in DEFAULT_PORTS else "", ""
    ip = canonical_ip(host)
    return proto if proto in DEFAULT_PORTS else "", f"{bracketed(ip)}:{port or 5060}" if ip else ""


def build_request(
    numbers: Numbers,
    method: str,
    uri: str,
    *,
    from_: str,
    to: str | None,
    src: str,
    proto: str | None,
    dst: str,
    headers: Fields | None,
    body: str,
    call_id: str | None,
    cseq: int,
    from_tag: str | None,
    to_tag: str | None,
    route: Iterable[str] | str,
) -> Message:
    """See :meth:`Ksr.request`."""
    if not method or any(char in method for char in " \r\n\t"):
        raise UsageError(f'ksr.request("INVITE", "sip:bob@example.com"): the method comes first, got {method!r}')
    if not uri or any(char in uri for char in " \r\n\t") or ":" not in uri:
        raise UsageError(f"a Request-URI such as sip:bob@example.com was expected, got {uri!r}")
    proto, ip, port = parse_source(src, proto or "")
    where = f"{bracketed(ip)}:{port}"
    from_value = _tagged(_address(from_), numbers.tag() if from_tag is None else from_tag)
    to_value = _tagged(_address(to if to is not None else from_ if method == "REGISTER" else uri), to_tag or "")
    fields: list[tuple[str, str]] = [
        ("Via", f"SIP/2.0/{proto.upper()} {where};branch={numbers.branch()}"),
        ("Max-Forwards", "70"),
    ]
    fields += [("Route", value) for value in ([route] if isinstance(route, str) else route) if value]
    fields += [
        ("From", from_value),
        ("To", to_value),
        ("Call-ID", numbers.callid() if call_id is None else call_id),
        ("CSeq", f"{cseq} {method}"),
    ]
    if method in _CONTACT:
        transport = "" if proto == "udp" else f";transport={proto}"
        fields.append(("Contact", f"<sip:{_user(from_)}{where}{transport}>"))
    if body:
        fields.append(("Content-Type", "application/sdp" if body.lstrip().startswith("v=0") else "text/plain"))
    fields = _merge(fields, headers)
    body = body.replace("\r\n", "\n").replace("\n", "\r\n")
    if "Content-Length" not in Headers(fields):
        fields.append(("Content-Length", str(len(to_wire(body)))))
    return Message(_join(f"{method} {uri} SIP/2.0", fields, body), proto, ip, port, dst)


def build_reply(
    numbers: Numbers, request: Sent, code: int, reason: str, headers: Fields | None, body: str, to_tag: str | None
) -> Message:
    """The reply of whoever got ``request``."""
    if not 100 <= code <= 699:
        raise UsageError(f"a reply has a code from 100 to 699, got {code!r}")
    fields: list[tuple[str, str]] = []
    for name, value in request.headers.fields:
        key = header_name(name)
        if key == "to" and code > 100 and "tag=" not in value:
            value = _tagged(value, numbers.tag() if to_tag is None else to_tag)
        if key in ("via", "from", "to", "call-id", "cseq") or (key == "record-route" and 100 < code < 300):
            fields.append((name, value))
    if 100 < code < 300 and request.method in ("INVITE", "SUBSCRIBE", "UPDATE"):
        user = request.uri.partition(":")[2].partition("@")[0] if "@" in request.uri else ""
        where = f"{bracketed(request.ip)}:{request.port}"
        transport = "" if request.proto == "udp" else f";transport={request.proto}"
        fields.append(("Contact", f"<sip:{user}{'@' if user else ''}{where}{transport}>"))
    if body:
        fields.append(("Content-Type", "application/sdp" if body.lstrip().startswith("v=0") else "text/plain"))
    fields = _merge(fields, headers)
    body = body.replace("\r\n", "\n").replace("\n", "\r\n")
    _set(fields, "Content-Length", str(len(to_wire(body))))
    first = f"SIP/2.0 {code} {reason or REASONS.get(code, 'Reply')}"
    return Message(_join(first, fields, body), request.proto, request.ip, request.port)


def authorized(numbers: Numbers, request: Message, challenge: Sent, user: str, password: str) -> Message:
    """The request again, with credentials for what the 401 or 407 asks."""
    asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
    if challenge.code == 401:
        asked, answer = "WWW-Authenticate", "Authorization"
    text = challenge.headers.get(asked, "")
    if not text:
        raise UsageError(f"the {challenge.code} has no {asked}: there is nothing to answer")
    try:
        asking = parse_credentials(to_wire(text))
        offered = [part.strip() for part in (asking.param("qop") or "").split(",")]
        qop = "auth" if "auth" in offered else "auth-int" if "auth-int" in offered else ""
        nc, cnonce = ("00000001", "0a4f113b") if qop else ("", "")
        realm, nonce = unescape(asking.realm), asking.nonce
        response = digest_response(
            username=to_wire(user), realm=realm, secret=to_wire(password), method=request.method, uri=request.uri,
            nonce=nonce, algorithm=asking.algorithm, qop=qop, nc=nc, cnonce=cnonce, body=request.body.encode(),
        )  # fmt: skip
    except SipError as error:
        raise UsageError(f"the challenge cannot be answered: {error}") from None
    value = f'Digest username="{user}", realm="{asking.realm}", nonce="{nonce}", uri="{request.uri}"'
    value += f', response="{response}"'
    if asking.algorithm:
        value += f", algorithm={asking.algorithm}"
    if asking.param("opaque") is not None:
        value += f', opaque="{asking.opaque}"'
    if qop:
        value += f', qop={qop}, nc={nc}, cnonce="{cnonce}"'
    number, _, method = request.headers["CSeq"].partition(" ")
    via = request.headers["Via"]
    head, mark, rest = via.partition("branch=")
    if mark:
        via = f"{head}branch={numbers.branch()}{''.join(rest.partition(';')[1:])}"
    fields = _merge(list(request.headers.fields), {"Via": via, "CSeq": f"{int(number) + 1} {method}", answer: value})
    return Message(_join(request.first, fields, request.body), request.proto, request.ip, request.port, request.dst)


# -- parts ------------------------------------------------------------------------------------------------------------


def _address(text: str) -> str:
    """A value for From or To: a URI gets its angle brackets."""
    return text if "<" in text else f"<{text}>"


def _tagged(value: str, tag: str) -> str:
    after = value.rpartition(">")[2]
    return value if not tag or "tag=" in after else f"{value};tag={tag}"


def _user(address: str) -> str:
    """``alice@`` of a From value, '' when it has no user."""
    try:
        user = parse_uri(parse_nameaddr(to_wire(_address(address))).uri).user
    except SipError:
        return ""
    return f"{user}@" if user else ""


def _pairs(headers: Fields | None) -> list[tuple[str, list[str] | None]]:
    if headers is None:
        return []
    if isinstance(headers, str):
        raise UsageError(f"headers expects {{name: value}} or pairs of them, got {headers!r}")
    given = headers.items() if isinstance(headers, Mapping) else headers
    found: list[tuple[str, list[str] | None]] = []
    for name, value in given:
        if not isinstance(name, str) or not name or any(char in name for char in ": \r\n"):
            raise UsageError(f"{name!r} is not the name of a header field")
        values = None if value is None else [value] if isinstance(value, str | int) else list(value)
        for each in values or ():
            if any(char in str(each) for char in "\r\n"):
                raise UsageError(f"the value of {name} has a line end: {each!r}; write the message as text for that")
        found.append((name, None if values is None else [str(each) for each in values]))
    return found


def _merge(fields: list[tuple[str, str]], headers: Fields | None) -> list[tuple[str, str]]:
    """Fields of a name that is there take their place, others come last."""
    several: dict[str, tuple[str, list[str]]] = {}
    for name, values in _pairs(headers):
        key = header_name(name)
        known = several.setdefault(key, (name, []))
        known[1].extend(values or ())
    merged: list[tuple[str, str]] = []
    for name, value in fields:
        key = header_name(name)
        if key not in several:
            merged.append((name, value))
            continue
        new, values = several[key]
        merged += [(new, each) for each in values]
        several[key] = (new, [])
    for name, values in several.values():
        merged += [(name, each) for each in values]
    return merged


def _set(fields: list[tuple[str, str]], name: str, value: str) -> None:
    fields[:] = [field for field in fields if header_name(field[0]) != name.lower()] + [(name, value)]


def _join(first: str, fields: list[tuple[str, str]], body: str) -> str:
    """The message on the wire; ``body`` is text of the test."""
    lines = [first, *(f"{name}: {value}" for name, value in fields)]
    return to_wire("\r\n".join(lines) + "\r\n\r\n" + body)
