"""Targets: parsing of messages and header values, edits and rebuilding, and the framer of streams."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fuzz.holds import check
from ksrcore.net.address import Dest
from ksrcore.net.framing import Framer, FramingError, Keepalive
from ksrcore.net.ws import Fragments, FrameError, FrameReader, encode
from ksrcore.sip.build import build_forwarded_reply, build_reply, build_request
from ksrcore.sip.cseq import parse_cseq
from ksrcore.sip.digest import parse_credentials
from ksrcore.sip.errors import SipError
from ksrcore.sip.event import parse_event
from ksrcore.sip.message import SipMessage, parse_message
from ksrcore.sip.nameaddr import NameAddr, parse_nameaddr, parse_nameaddrs
from ksrcore.sip.sdp import Media, Sdp, parse_sdp
from ksrcore.sip.uri import aor, parse_uri, uri_equal
from ksrcore.sip.values import (
    parse_content_length,
    parse_content_type,
    parse_date,
    parse_expires,
    parse_max_forwards,
    parse_tokens,
)
from ksrcore.sip.via import parse_vias

_DEST = Dest("udp", "127.0.0.1", 5060)
_STREAM = Dest("tcp", "127.0.0.1", 5060)


def _uri(text: str) -> None:
    uri = parse_uri(text)
    for part in (uri.params_list(), uri.headers_list(), uri.transport, uri.lr, uri.gr, uri.with_(user="x", port=1)):
        str(part)
    check(uri_equal(uri, uri), "a URI equals itself", text)
    aor(uri)


def _nameaddr(value: NameAddr, body: str) -> None:
    check(body[value.start : value.end] == value.text, "the span of a name-addr", body)
    check(body[value.uri_start : value.uri_end] == value.uri, "the span of its URI", body)
    check(body[value.params_start : value.end] == value.params_text, "the span of its parameters", body)
    for part in (value.tag, value.q, value.expires, value.params, value.param("x")):
        str(part)
    if value.uri != "*":
        _uri(value.uri)


def _from(body: str) -> None:
    _nameaddr(parse_nameaddr(body), body)


def _contact(body: str) -> None:
    for value in parse_nameaddrs(body):
        try:
            _nameaddr(value, body)
        except SipError:
            continue


def _via(body: str) -> None:
    for via in parse_vias(body):
        check(body[via.start : via.end] == via.text, "the span of a Via", body)
        check(0 <= via.port_no <= 65535 and bool(via.host), "host and port of a Via", body)
        for name in ("branch", "rport", "received", "x"):
            span = via.param_span(name)
            check((span is None) == (via.param(name) is None), "span and value of a Via parameter", name, body)
            check(span is None or body[span[0] : span[1]].lower().startswith(name), "the span of it", name, body)
        str((via.received, via.rport, via.alias, via.i, via.maddr))


def _credentials(body: str) -> None:
    found = parse_credentials(body)
    if found.is_digest:
        found.expected("INVITE", "secret", b"")


def _content_type(body: str) -> None:
    found = parse_content_type(body)
    found.param("boundary")
    str(found)


def _event(body: str) -> None:
    str((parse_event(body).id, parse_event(body).params))


def _sdp(body: str) -> None:
    sdp = parse_sdp(body)
    places: list[Sdp | Media] = [sdp, *sdp.media]
    for place in places:
        str((place.attribute("rtcp"), place.direction))
        for connection in place.connections:
            check(body[connection.address_start : connection.address_end] == connection.address, "the span of c=", body)
    for media in sdp.media:
        check(body[media.port_start : media.port_end] == media.port_text, "the span of a port", body)


PARSERS: tuple[Callable[[str], object], ...] = (
    _via,
    _from,
    _contact,
    _uri,
    _credentials,
    _content_type,
    _event,
    parse_cseq,
    parse_expires,
    parse_max_forwards,
    parse_content_length,
    parse_tokens,
    parse_date,
)
_OF_FIELD: dict[str, Callable[[str], object]] = {
    "via": _via,
    "from": _from,
    "to": _from,
    "contact": _contact,
    "route": _contact,
    "record-route": _contact,
    "authorization": _credentials,
    "proxy-authorization": _credentials,
    "cseq": parse_cseq,
    "content-type": _content_type,
    "event": _event,
    "date": parse_date,
    "expires": parse_expires,
    "max-forwards": parse_max_forwards,
    "content-length": parse_content_length,
    "supported": parse_tokens,
}


def _attributes(msg: SipMessage) -> None:
    for name in ("via", "from_", "to", "cseq", "callid", "to_tag", "uri", "parsed_uri", "body", "headers_end"):
        try:
            getattr(msg, name)
        except SipError:
            pass
    for parts in (msg.vias, lambda: msg.nameaddrs("contact"), lambda: msg.nameaddrs("route")):
        try:
            parts()
        except SipError:
            pass
    repr(msg)


def _edited(msg: SipMessage, random: Random) -> None:
    """Edits at random places come out once each, whatever they overlap, and the rest of the text stays in order."""
    size = len(msg.buf)
    copy = msg.clone()
    for _ in range(random.randint(1, 6)):
        at = random.randint(msg.head_at, size)
        match random.randrange(4):
            case 0:
                copy.lumps.insert(at, "\x01")
            case 1:
                copy.lumps.delete(at, random.randint(0, size - at))
            case 2:
                copy.lumps.replace(at, random.randint(0, size - at), "\x01")
            case 3 if msg.headers:
                header = random.choice(msg.headers)
                copy.lumps.delete(copy.offset_of(header), len(header.raw), header.key)
    text = copy.lumps.apply(msg.buf, msg.head_at, size, _DEST)
    letters = iter(msg.buf[msg.head_at :].replace("\x01", ""))
    check(all(char in letters for char in text.replace("\x01", "")), "edits keep the order of the text", text)
    check(msg.lumps.apply(msg.buf, 0, size, _DEST) == msg.buf, "a clone's edits stay in the clone")
    if "via" in msg.index:
        for dest in (_DEST, _STREAM):
            for build in (_build_request, build_forwarded_reply, _build_reply):
                try:
                    build(copy, dest)
                except SipError:
                    pass


def _build_request(msg: SipMessage, dest: Dest) -> str:
    return build_request(msg, msg.uri or "sip:x", "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n", dest, "<sip:p;lr>")


def _build_reply(msg: SipMessage, dest: Dest) -> str:
    return build_reply(msg, 200, "OK", "tag", "Server: x")


def message(data: bytes) -> None:
    """Parsing, values, edits and rebuilding raise nothing but SipError; untouched text leaves as it came."""
    text = data.decode("latin-1")
    try:
        msg = parse_message(data)
    except SipError:
        # No usable first line: the values of the lines are read all the same.
        for line in text[:2000].split("\n")[:20]:
            for parser in PARSERS:
                try:
                    parser(line.partition(":")[2])
                except SipError:
                    pass
        return
    check(msg.buf == text, "the text is kept")
    check("".join(h.raw for h in msg.headers) == text[msg.head_at : msg.headers_end], "fields cover the head", text)
    check(text[msg.headers_end : msg.body_at] in ("", "\n", "\r\n"), "one empty line after the fields", text)
    check(msg.lumps.apply(text, 0, len(text), _DEST) == text, "without edits nothing changes")
    _attributes(msg)
    random = Random(len(data))
    for header in msg.headers[:200]:
        parser = _OF_FIELD.get(header.key) or random.choice(PARSERS)
        try:
            parser(header.body)
        except SipError:
            pass
    try:
        _sdp(msg.body)
    except SipError:
        pass
    try:
        _uri(msg.ruri)
    except SipError:
        pass
    _edited(msg, random)


def _framed(chunks: list[bytes], max_size: int, no_length: bool) -> tuple[list[bytes | Keepalive], str]:
    framer = Framer(max_size, no_length)
    out = [item for chunk in chunks for item in framer.feed(chunk)]
    check(framer.error is None or isinstance(framer.error, FramingError), "the kind of error")
    check(framer.pending <= max_size + max(map(len, chunks), default=0), "what waits is bounded", framer.pending)
    return out, framer.error.kind.name if framer.error is not None else ""


def stream(data: bytes) -> None:
    """A stream cut anywhere gives the messages of the stream in one piece; only FramingError ends it."""
    random = Random(len(data))
    max_size = random.choice((200, 1000, 65536))
    no_length = random.random() < 0.5
    data *= random.choice((1, 1, 2, 3))
    whole = _framed([data], max_size, no_length)
    for most in (random.choice((1, 7, 30)) if len(data) < 5000 else 100, 1500):
        chunks = []
        at = 0
        while at < len(data):
            stop = at + random.randint(1, most)
            chunks.append(data[at:stop])
            at = stop
        check(_framed(chunks, max_size, no_length) == whole, "chunks make no difference", most, data)
    for item in whole[0]:
        if isinstance(item, bytes):
            check(len(item) <= max_size and item in data, "a message is a part of the stream", item)


def frames(data: bytes) -> None:
    """The frames of WebSocket do not depend on how the stream is cut, and leave as they came when written again."""
    reader = FrameReader(4096)
    whole = reader.feed(data)
    check(len(data) == 0 or reader.pending <= len(data), "what waits", data)
    random = Random(len(data))
    other = FrameReader(4096)
    found = []
    at = 0
    while at < len(data):
        step = random.randint(1, 7)
        found += other.feed(data[at : at + step])
        at += step
    check(found == whole and (reader.error is None) == (other.error is None), "another cut, other frames", data)
    parts = Fragments()
    for frame in whole:
        wire = encode(frame.opcode, frame.payload, fin=frame.fin, mask=b"mask" if frame.masked else b"")
        check(FrameReader(8192).feed(wire) == [frame._replace(reserved=0)], "a frame written again", frame)
        if not frame.control:
            try:
                parts.take(frame)
            except FrameError:
                continue
