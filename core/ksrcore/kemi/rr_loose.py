"""Loose and strict routing of requests with Route (RFC 3261 16.4, 16.6, 16.12)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..net.address import CARRIERS
from ..posixre import PosixError, compile_posix
from ..sip.errors import ParseError, SipError
from ..sip.nameaddr import NameAddr, parse_nameaddrs
from ..sip.uri import Uri, parse_uri, strip_brackets
from .core_log import log
from .declare import export

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.header import Header
    from ..sip.message import SipMessage

#: What loose_route() and its kin return beside 1.
FAILED = -1
PRELOADED = -3

#: The key of ``msg.extra`` under which the parameters of our own Route are kept, and of the "next hop is a Route" mark.
ROUTE_PARAMS = "rr.params"
NEXT_HOP = "rr.next"

_key_of = attrgetter("key")


class _Routes:
    """The Route values of a message in order, and the numbers of their fields among the message's.

    ``broken``: a later field cannot be read; its values and those behind it are missing.
    """

    __slots__ = ("broken", "fields", "msg", "values")

    def __init__(self, msg: SipMessage) -> None:
        self.msg = msg
        self.broken = False
        headers = msg.headers
        if len(msg.index) == len(headers):  # no field comes twice
            header = msg.index["route"]
            self.fields = [headers.index(header)]
            self.values = self._read(header)
            return
        keys = list(map(_key_of, headers))
        field = keys.index("route")
        self.fields = [field]
        self.values = self._read(headers[field])
        try:
            for _ in range(1, keys.count("route")):
                field = keys.index("route", field + 1)
                self.values = self.values + self._read(headers[field])
                self.fields.append(field)
        except SipError:
            self.broken = True

    @staticmethod
    def _read(header: Header) -> list[NameAddr]:
        values = header.parsed(parse_nameaddrs)
        for value in values:
            if not value.brackets:
                raise ParseError("Route values in < >", value.text)
        if header.body.endswith(","):
            raise ParseError("a Route value behind the last comma", header.body)
        return values

    def clear(self) -> None:
        """Take all values out of the message."""
        msg = self.msg
        if len(self.fields) == 1:
            header = msg.headers[self.fields[0]]
            msg.lumps.delete(msg.offset_of(header), len(header.raw), "route")
            return
        offsets = msg.offsets
        for field in self.fields:
            msg.lumps.delete(offsets[field], len(msg.headers[field].raw), "route")

    def remove(self, first: int, stop: int) -> None:
        """Take the values ``first:stop`` out of the message: whole fields where none of their values stays."""
        msg = self.msg
        for field in self.fields:
            header = msg.headers[field]
            values = header.parsed(parse_nameaddrs)
            count = len(values)
            offset = msg.offsets[field]
            if first <= 0 and stop >= count:
                msg.lumps.delete(offset, len(header.raw), "route")
            elif first < count:
                offset += header.body_start
                if first <= 0:
                    begin, end = values[0].start, values[stop].start
                else:
                    begin, end = values[first - 1].end, values[min(stop, count) - 1].end
                msg.lumps.delete(offset + begin, end - begin, "route")
            first -= count
            stop -= count
            if stop <= 0:
                break


class LooseRouting:
    """``loose_route`` and the functions that ask what it found."""

    proxy: Proxy
    enable_double_rr: Any
    enable_socket_mismatch_warning: Any
    force_send_socket: Any
    sockname_mode: Any
    append_fromtag: Any
    #: Called with the run and our Route's parameters for every request that carried our Route (Kamailio's rr callback).
    callbacks: list[Callable[[Run, str], None]]

    @export(inline=True)
    def loose_route(self, run: Run) -> int:
        """Route a request by its Route fields: take out our own, set destination (or, strict, Request-URI).

        1 routed; -1 no Route or one that cannot be parsed; -3 an initial request whose only Route was ours.
        """
        return self._route(run, False)

    @export
    def loose_route_mode(self, run: Run, mode: int) -> int:
        """Like ``loose_route``; ``mode`` 1 does not take a Request-URI of our own as a sign of strict routing."""
        return self._route(run, mode != 0)

    @export
    def loose_route_preloaded(self, run: Run) -> int:
        """1 for an initial request whose only Route was ours (it is taken out), else -1 (and routed as usual)."""
        return 1 if self._route(run, False) == PRELOADED else -1

    def _route(self, run: Run, loose_only: bool) -> int:
        msg = run.msg
        if "route" not in msg.index or not msg.is_request:
            return FAILED
        try:
            routes = _Routes(msg)
            first = parse_uri(routes.values[0].uri)
        except (SipError, IndexError):
            return FAILED
        preloaded = not msg.to_tag
        if not preloaded and not loose_only and self._own_ruri(msg):
            result = self._after_strict(msg, routes, first)
        else:
            result = self._after_loose(msg, routes, first, preloaded)
        if self.callbacks and (result == 1 or result == PRELOADED):
            params = msg.extra.get(ROUTE_PARAMS)
            if isinstance(params, str):
                for callback in self.callbacks:
                    callback(run, params)
        return result

    def _own_ruri(self, msg: SipMessage) -> bool:
        text = msg.new_uri or msg.ruri
        return self.proxy.myself.next_hop(text) and parse_uri(text).gr is None

    def _double(self, uri: Uri) -> bool:
        return "r2=" in uri.params.lower() and bool(self.enable_double_rr) and uri.r2 == "on"

    def _send_from(self, msg: SipMessage, uri: Uri) -> bool:
        """Send from the socket that one of our own Route values names. False: none is the one."""
        name = uri.param("sn") if self.sockname_mode else None
        if name:
            for own in self.proxy.listens:
                if own.name == name:
                    msg.force_socket = own
                    return True
        listen = find_listen(self.proxy, uri.host, uri.port_no or 5060, uri.transport or "udp")
        if listen is not None:
            msg.force_socket = listen
        return listen is not None

    def _after_loose(self, msg: SipMessage, routes: _Routes, first: Uri, preloaded: bool) -> int:
        values = routes.values
        at = 0
        uri = first
        if self.proxy.myself.next_hop(first.text):
            msg.extra[ROUTE_PARAMS] = first.params
            at = 1
            if self._double(first):
                if len(values) > 1:
                    try:
                        second = parse_uri(values[1].uri)
                    except SipError:
                        return FAILED
                    if not self._send_from(msg, second) and self.enable_socket_mismatch_warning:
                        log.warning("no socket of ours is that of the second of our Route values (%s)", second.text)
                    at = 2
            elif self.force_send_socket:
                self._send_from(msg, first)
            if at == len(values):
                if routes.broken:
                    routes.remove(0, at)
                    return FAILED
                routes.clear()
                return PRELOADED if preloaded else 1
            routes.remove(0, at)
            try:
                uri = parse_uri(values[at].uri)
            except SipError:
                return FAILED
            msg.extra[NEXT_HOP] = True
        if uri.lr:
            msg.dst_uri = uri.text
            return 1
        # The next hop is a strict router: its URI becomes the Request-URI, which becomes the last Route.
        old = msg.new_uri or msg.ruri
        msg.new_uri = uri.text
        routes.remove(at, at + 1)
        msg.lumps.insert(msg.headers_end, f"Route: <{old}>\r\n", "route")
        return 1

    def _after_strict(self, msg: SipMessage, routes: _Routes, first: Uri) -> int:
        # The previous hop put our Record-Route into the Request-URI; the real one is the last Route.
        own = parse_uri(msg.new_uri or msg.ruri)
        values = routes.values
        msg.extra[ROUTE_PARAMS] = own.params or first.params
        at = 0
        if self._double(own):
            # The other half of our double Record-Route.
            self._send_from(msg, first)
            at = 1
            if at == len(values):
                routes.remove(0, 1)
                return 1
            try:
                first = parse_uri(values[at].uri)
            except SipError:
                return FAILED
        elif self._double(first):
            self._send_from(msg, first)
        if not first.lr:
            routes.remove(0, at + 1)
            msg.new_uri = first.text
            return 1
        last = values[-1].uri
        if routes.broken:  # where it goes is known, for whom is not
            msg.dst_uri = first.text
            return FAILED
        try:
            parse_uri(last)
        except SipError:
            return FAILED
        msg.dst_uri = first.text
        msg.new_uri = last
        if at == 0 or len(values) - 1 == at:
            routes.remove(len(values) - 1 if at == 0 else 0, len(values))
        else:
            routes.remove(0, at)
            routes.remove(len(values) - 1, len(values))
        return 1

    # -- what was found ---------------------------------------------------------------------------------------------

    @export
    def check_route_param(self, run: Run, regex: str) -> int:
        """1 when the parameters of our own Route (``;name=value...``) match the POSIX regex, in any case, else -1.

        After ``loose_route()`` only.
        """
        params = run.msg.extra.get(ROUTE_PARAMS)
        if not params:
            return -1
        try:
            found = compile_posix(regex, ignore_case=True).search(f";{params}")
        except PosixError as error:
            log.error("check_route_param: %s", error)
            return -1
        return 1 if found is not None else -1

    @export
    def is_direction(self, run: Run, direction: str) -> int:
        """1 when the request goes that way, else -1: "downstream" from the caller, "upstream" to the caller.

        By our Route's ``ftag``; without one it is downstream. -6 for another word, and when ``append_fromtag`` is off.
        """
        word = direction.lower()
        if word not in ("upstream", "downstream") or not self.append_fromtag:
            return -6
        return 1 if self.upstream(run.msg) == (word == "upstream") else -1

    def upstream(self, msg: SipMessage) -> bool:
        """Whether the request goes to the caller: our Route's ftag is not its From tag."""
        params = msg.extra.get(ROUTE_PARAMS)
        if not isinstance(params, str) or "ftag=" not in params.lower():
            return False
        ftag = Uri("", "sip", params=params).param("ftag")
        if not ftag:
            return False
        try:
            from_ = msg.from_
        except SipError:
            return False
        return from_ is not None and from_.tag != ftag

    @export
    def next_hop_route(self, run: Run) -> int:
        """After ``loose_route()``: 1 when the next hop came from a Route after our own, else -1."""
        return 1 if NEXT_HOP in run.msg.extra else -1


def route_uri(msg: SipMessage) -> str | None:
    """The URI of the topmost Route value, None without one or when it cannot be parsed."""
    header = msg.index.get("route")
    if header is None:
        return None
    try:
        value = header.parsed(parse_nameaddrs)[0]
    except SipError:
        return None
    if header.body.endswith(","):
        return None
    return value.uri if value.brackets and (":" in value.uri or not value.uri) else None


def find_listen(proxy: Proxy, host: str, port: int, proto: str) -> Listen | None:
    """Our socket of that host (own or advertised), port and transport, None when there is none."""
    host = strip_brackets(host).lower()
    proto = CARRIERS.get(proto, proto)
    for listen in proxy.listens:
        if (
            listen.proto == proto
            and (listen.host == host or listen.advertise_host.lower() == host)
            and port in (listen.port, listen.advertise_port)
        ):
            return listen
    return None
