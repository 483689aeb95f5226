"""What is fuzzed: each target takes any bytes and checks one invariant, which its docstring states.

A target raises when its invariant is broken, and returns when all is well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast

from fuzz.seeds import messages
from fuzz.talk import decode, play
from fuzz.world import CALLS, DEMO, STOCK, World, set_plan
from ksrcore.capture.where import WhereError, compile_where
from ksrcore.control.errors import INTERNAL_ERROR
from ksrcore.control.methods import Methods
from ksrcore.control.rpc import rpc_methods
from ksrcore.control.server import Connection, ControlServer
from ksrcore.net.address import Dest
from ksrcore.net.framing import Framer, FramingError, Keepalive
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.pv.format import compile_format
from ksrcore.pv.state import Avps
from ksrcore.run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run
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


class Broken(AssertionError):
    """An invariant does not hold; the text says which, and shows the input's part in it."""


def check(holds: bool, what: str, *shown: object) -> None:
    if not holds:
        raise Broken(what + "".join(f" | {value!r}"[:400] for value in shown))


# -- the parser -------------------------------------------------------------------------------------------------------


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


# -- the framer of streams --------------------------------------------------------------------------------------------


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


# -- pseudo-variables and filters -------------------------------------------------------------------------------------


class _Sample:
    """A proxy without script that has received the corpus, and fresh runs on its messages."""

    def __init__(self) -> None:
        self.world = World(records=1000)
        for data in messages():
            self.world.receive(data)
        self.records = [record for record in self.world.proxy.recorder if not record.out and record.msg is not None]

    def close(self) -> None:
        self.world.close()

    def runs(self, count: int, random: Random) -> Iterator[Run]:
        proxy = self.world.proxy
        for record in random.sample(self.records, count):
            msg = record.fresh(proxy.listens)
            yield Run(proxy, msg, REQUEST_ROUTE if msg.is_request else CORE_ONREPLY_ROUTE, record, Avps())


@cache
def _sample() -> _Sample:
    return _Sample()


def where(data: bytes) -> None:
    """A filter is refused with WhereError, or answers True or False for every record; warnings count as errors."""
    sample = _sample()
    try:
        matches = compile_where(data.decode("latin-1"))
    except WhereError:
        return
    for record in Random(len(data)).sample(list(sample.world.proxy.recorder), 6):
        check(isinstance(matches(record, sample.world.proxy), bool), "a filter says yes or no")


def pv(data: bytes) -> None:
    """A pseudo-variable or format is refused with PvError, or reads as str, int or null, and writes or says PvError."""
    sample = _sample()
    text = data.decode("latin-1")
    random = Random(len(data))
    runs = list(sample.runs(4, random))
    try:
        form = compile_format(text)
    except PvError:
        form = None
    try:
        accessor = compile_spec(text)
    except PvError:
        accessor = None
    for run in runs:
        if form is not None:
            try:
                check(isinstance(form(run), str), "a format gives text", text)
            except PvError:
                pass
        if accessor is not None:
            for value in (None, "x", "", 7, -1, "sip:a@b:99999;x", "a@b"):
                try:
                    accessor.set(run, value)
                except PvError:
                    pass
                try:
                    got = accessor.get(run)
                except PvError:
                    continue
                check(got is None or type(got) in (str, int), "a value is str, int or null", text, got)


# -- the control channel ----------------------------------------------------------------------------------------------


class _Writer:
    """What a control connection writes to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.transport = self

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.lines.append(data)


class _Channel:
    def __init__(self) -> None:
        self.world = World(DEMO)
        for data in messages()[:20]:
            self.world.receive(data)
        methods = Methods(self.world.proxy, lambda: None, dict)
        table = {**rpc_methods(self.world.proxy), **methods.table()}
        # Stepping starts threads, which a million inputs would pile up; it has tests of its own.
        table = {name: handler for name, handler in table.items() if not name.startswith("ksr.step.")}
        self.folder = TemporaryDirectory(prefix="ksr-fuzz-")
        self.server = ControlServer(Path(self.folder.name) / "s", "fuzz", table)
        self.loop = asyncio.new_event_loop()
        self.writer = _Writer()
        self.connection = Connection(self.server, cast(asyncio.StreamWriter, self.writer))

    def line(self, data: bytes) -> list[Any]:
        self.writer.lines.clear()
        self.loop.run_until_complete(self.server._line(self.connection, data))
        return [_strict(line) for line in self.writer.lines]

    def close(self) -> None:
        self.loop.run_until_complete(self.server.close())
        self.loop.close()
        self.world.close()
        self.folder.cleanup()


def _strict(line: bytes) -> Any:
    def refuse(name: str) -> None:
        raise Broken(f"{name} is not JSON: {line!r}")

    return json.loads(line, parse_constant=refuse)


@cache
def _channel() -> _Channel:
    return _Channel()


def control(data: bytes) -> None:
    """Any line is answered by one JSON-RPC result or error at most, and never by an internal error."""
    channel = _channel()
    for line in data.split(b"\n")[:5]:
        answers = [answer for answer in channel.line(line) if answer.get("method") != "ksr.event"]
        check(len(answers) <= 1, "one answer at most", answers)
        for answer in answers:
            check(answer.get("jsonrpc") == "2.0" and ("result" in answer) != ("error" in answer), "its shape", answer)
            error = answer.get("error", {"code": 0, "message": ""})
            check(isinstance(error["code"], int) and isinstance(error["message"], str), "an error's shape", answer)
            check(error["code"] != INTERNAL_ERROR, "no internal error", line, answer)
    channel.world.check()


# -- datagrams --------------------------------------------------------------------------------------------------------


class Streak:
    """A world that lives for some thousand inputs and then has to come to rest."""

    def __init__(self, script: Path, length: int = 2000) -> None:
        self.script = script
        self.length = length
        self.left = 0
        self.world: World | None = None

    def use(self) -> World:
        if self.world is not None and self.left <= 0:
            world, self.world = self.world, None
            try:
                world.settle()
            finally:
                world.close()
        if self.world is None:
            self.world = World(self.script)
            self.left = self.length
        self.left -= 1
        return self.world

    def drop(self) -> None:
        """Forget a world that failed."""
        if self.world is not None:
            self.world.close()
            self.world = None


def _datagram(streak: Streak, data: bytes) -> None:
    random = Random(data)
    world = streak.use()
    try:
        world.refuse = random.random() < 0.01
        world.receive(data, random.choice((5080, 5081)), random.choice(("udp", "udp", "tcp")))
        if random.random() < 0.05:
            world.advance(random.choice((0.1, 0.6, 5.0, 40.0)))
    except BaseException:
        streak.drop()
        raise


DEMO_STREAK = Streak(DEMO)
STOCK_STREAK = Streak(STOCK)
CALLS_STREAK = Streak(CALLS)
TALK_STREAKS = {"demo": Streak(DEMO), "stock": Streak(STOCK), "calls": Streak(CALLS)}


def datagram(data: bytes) -> None:
    """A datagram to the demo script: nothing is caught by a last-resort handler, what is sent parses, nothing stays."""
    _datagram(DEMO_STREAK, data)


def stock(data: bytes) -> None:
    """The same with Kamailio's stock script, where it is installed."""
    if STOCK.exists():
        _datagram(STOCK_STREAK, data)


def calls(data: bytes) -> None:
    """KSR functions with odd arguments in every callback raise nothing but KsrError, whatever the message."""
    streak = CALLS_STREAK
    world = streak.use()
    try:
        set_plan(world, Random(data))
    except BaseException:
        streak.drop()
        raise
    _datagram(streak, data)


def talk(data: bytes) -> None:
    """A conversation (see talk.py) leaves no transaction behind, and nothing else either that a datagram must not."""
    script, steps = decode(data)
    if script == "stock" and not STOCK.exists():
        script = "demo"
    streak = TALK_STREAKS[script]
    world = streak.use()
    try:
        play(world, steps)
        world.settle()
    except BaseException:
        streak.drop()
        raise


def finish(target: str) -> None:
    """The end of a target's inputs: its worlds come to rest, or raise what is wrong with them; then they are closed."""
    streaks = {"datagram": [DEMO_STREAK], "stock": [STOCK_STREAK], "calls": [CALLS_STREAK]}
    if target == "talk":
        streaks["talk"] = list(TALK_STREAKS.values())
    failed: list[Exception] = []
    for streak in streaks.get(target, ()):
        try:
            if streak.world is not None:
                streak.world.settle()
        except Exception as error:
            failed.append(error)
        finally:
            streak.drop()
    for place in (_channel, _sample):
        if place.cache_info().currsize:
            place().close()
            place.cache_clear()
    if failed:
        raise failed[0]


#: Each target by name, and its share of a run's inputs.
TARGETS: dict[str, tuple[Callable[[bytes], None], float]] = {
    "message": (message, 0.38),
    "stream": (stream, 0.05),
    "datagram": (datagram, 0.30),
    "stock": (stock, 0.10),
    "calls": (calls, 0.05),
    "talk": (talk, 0.02),
    "pv": (pv, 0.04),
    "where": (where, 0.04),
    "control": (control, 0.02),
}
