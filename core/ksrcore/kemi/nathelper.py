"""Kamailio's nathelper: finding and helping user agents behind NAT, and keeping their bindings open."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Self

from ..net.address import bracketed, canonical_ip
from ..pv.accessor import assign, compile_spec
from ..pv.errors import PvError
from ..pv.registry import Value, pv
from ..sip.errors import SipError
from ..sip.nameaddr import NameAddr, parse_nameaddrs
from ..sip.uri import is_ipv4, parse_uri
from .core_log import log
from .declare import Module, Param, ParamError, RpcError, export, rpc
from .nathelper_ping import Pinger
from .nathelper_sdp import SdpFunctions

if TYPE_CHECKING:
    from ..net.address import Rcv
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.message import Header, SipMessage

# The bits of nat_uac_test(), the README's numbers.
CONTACT_PRIVATE = 1
RECEIVED = 2
VIA_PRIVATE = 4
SDP_PRIVATE = 8
VIA_PORT = 16
SOURCE_PRIVATE = 32
WEBSOCKET = 64
CONTACT_PORT = 128
SDP_SOURCE = 256
TARGET = 512
_VIA = RECEIVED | VIA_PRIVATE | VIA_PORT
_CONTACT = CONTACT_PRIVATE | CONTACT_PORT
_SDP = SDP_PRIVATE | SDP_SOURCE
_OTHERS = SOURCE_PRIVATE | WEBSOCKET | _SDP | TARGET

#: The numbers of ``;alias=ip~port~number``.
PROTO_NUMBERS = {"udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}
# Kamailio routes an alias of secure WebSocket as ws: the connection decides.
_NUMBER_PROTOS = {"1": "", "2": "tcp", "3": "tls", "4": "sctp", "5": "ws", "6": "ws"}

_CHANGED = "nathelper.contact"
_key_of = attrgetter("key")


@lru_cache(maxsize=4096)
def private(host: str, reserved: bool = True) -> bool:
    """Whether ``host`` is an IPv4 address of a private network: RFC 1918, 6598, 7335, with all of 192.0.0.0/24."""
    if not is_ipv4(host):
        return False
    a, b, c, d = map(int, host.split("."))
    return (
        a == 10
        or a == 172
        and 16 <= b < 32
        or a == 192
        and b == 168
        or a == 100
        and 64 <= b < 128
        or a == 192
        and b == 0
        and c == 0
        and (reserved or d < 8)
    )


def source_uri(rcv: Rcv) -> str:
    """The URI of where a message came from: ``sip:ip:port``, with ``;transport=`` unless UDP."""
    text = f"sip:{bracketed(rcv.src_ip)}:{rcv.src_port}"
    return text if rcv.proto == "udp" else f"{text};transport={rcv.proto}"


class Nathelper(SdpFunctions, Module):
    """NAT detection, Contact aliases, SDP addresses, keepalive pings."""

    name = "nathelper"
    force_socket = Param("", "the listen socket pings are sent from, [proto:]ip:port")
    natping_interval = Param(0, "seconds between pings to all contacts; 0: none")
    ping_nated_only = Param(0, "1: ping only contacts with usrloc's nat_bflag")
    natping_processes = Param(1, "Kamailio's ping processes; this proxy spreads the pings over the interval itself")
    natping_socket = Param("", "spoofed source of pings: not offered")
    received_avp = Param("", "the AVP fix_nated_register() writes, $avp(name); registrar has one of that name too")
    sipping_bflag = Param(-1, "branch flag of contacts that are pinged by a SIP request instead of 4 zero bytes")
    sipping_from = Param("", "From URI of SIP pings; without it there are none")
    sipping_method = Param("OPTIONS", "method of SIP pings")
    natping_disable_bflag = Param(-1, "branch flag of contacts that are not pinged")
    nortpproxy_str = Param("a=nortpproxy:yes\r\n", "the SDP line that marks a changed SDP")
    keepalive_timeout = Param(0, "seconds without answer to SIP pings after which a contact is removed; 0: never")
    udpping_from_path = Param(0, "1: ping from the address in Path over a raw socket: not offered")
    append_sdp_oldmediaip = Param(1, "1: keep a replaced SDP address as a=oldmediaip")
    filter_server_id = Param(0, "1: ping only contacts with this server's id")
    nat_addr_mode = Param(1, "1: 192.0.0.0/24 counts as private too")
    alias_name = Param("alias", "the name of the Contact parameter with the source address")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.pinger: Pinger | None = None

    def start(self) -> None:
        for name in ("natping_socket", "udpping_from_path"):
            if getattr(self, name):
                raise ParamError(f"modparam nathelper:{name} needs raw sockets, which this proxy does not open")
        self._alias = f"{self.alias_name}="
        self._alias_param = f";{self._alias}"
        self._received = None
        if self.received_avp:
            try:
                self._received = compile_spec(self.received_avp)
            except PvError as error:
                raise ParamError(f"modparam nathelper:received_avp: {error}") from None
        if self.natping_interval > 0 and not self.proxy.sandbox:
            self.pinger = Pinger(self)
            self.pinger.start()

    def stop(self) -> None:
        if self.pinger is not None:
            self.pinger.stop()
            self.pinger = None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.pinger = None
        return new

    # -- detection --------------------------------------------------------------------------------------------------

    @export
    def is_rfc1918(self, run: Run, address: str) -> int:
        """1 when ``address`` is an IPv4 address of a private network, else -1."""
        return 1 if private(address, self.nat_addr_mode != 0) else -1

    @export
    def nat_uac_test(self, run: Run, tests: int) -> int:
        """1 when one of the tests finds a NAT, else -1. ``tests`` is a sum of:

        1 private address in Contact; 2 Via host is not the source address; 4 private address in Via; 8 private
        address in SDP; 16 Via port is not the source port; 32 private source address; 64 came over WebSocket;
        128 Contact port is not the source port; 256 SDP address is not the source address; 512 the target differs
        (request: $du from $ru; reply: received and rport from the second Via) or is WebSocket.
        """
        msg = run.msg
        rcv = msg.rcv
        if rcv is None:
            return -1
        reserved = self.nat_addr_mode != 0
        try:
            if tests & _VIA:
                via = msg.via
                if via is not None:
                    if via.host != rcv.src_ip and tests & RECEIVED and canonical_ip(via.host) != rcv.src_ip:
                        return 1
                    if tests & VIA_PORT and (via.port_no or 5060) != rcv.src_port:
                        return 1
                    if tests & VIA_PRIVATE and private(via.host, reserved):
                        return 1
            if tests & _CONTACT and "contact" in msg.index and self._contact_test(msg, rcv, tests, reserved):
                return 1
        except SipError:
            pass
        if not tests & _OTHERS:
            return -1
        if tests & SOURCE_PRIVATE and private(rcv.src_ip, reserved):
            return 1
        if tests & WEBSOCKET and rcv.proto in ("ws", "wss"):
            return 1
        if tests & _SDP and self.sdp_test(msg, rcv, tests & SDP_PRIVATE != 0, tests & SDP_SOURCE != 0, reserved):
            return 1
        return 1 if tests & TARGET and self._target_test(msg) else -1

    @staticmethod
    def _contact_test(msg: SipMessage, rcv: Rcv, tests: int, reserved: bool) -> bool:
        values = msg.index["contact"].parsed(parse_nameaddrs)
        if len(msg.index) < len(msg.headers) and list(map(_key_of, msg.headers)).count("contact") > 1:
            values = msg.nameaddrs("contact")
        if tests & CONTACT_PORT:
            uri = values[0].uri
            if uri != "*" and (parse_uri(uri).port_no or 5060) != rcv.src_port:
                return True
        if tests & CONTACT_PRIVATE:
            for value in values:
                if value.uri == "*":
                    return False
                if private(parse_uri(value.uri).host, reserved):
                    return True
        return False

    @staticmethod
    def _target_test(msg: SipMessage) -> bool:
        try:
            if msg.is_request:
                if not msg.dst_uri:
                    return False
                ruri, duri = parse_uri(msg.uri), parse_uri(msg.dst_uri)
                return duri.transport == "ws" or (ruri.host, ruri.port_no) != (duri.host, duri.port_no)
            vias = msg.vias()
        except SipError:
            return False
        if len(vias) < 2:
            return False
        via = vias[1]
        if via.transport in ("WS", "WSS"):
            return True
        moved = via.received and via.received != via.host
        return bool(moved or via.rport and via.rport != (via.port or "5060"))

    # -- Contact ------------------------------------------------------------------------------------------------------

    def _last_contact(self, msg: SipMessage) -> tuple[int, Header, NameAddr] | None:
        """The last value of the first Contact field, with its body's offset; None without one that is a SIP URI.

        Kamailio edits the last of several in one field.
        """
        header = msg.index.get("contact")
        if header is None:
            return None
        try:
            value = header.parsed(parse_nameaddrs)[-1]
            if value.uri == "*" or not parse_uri(value.uri).is_sip:
                return None
        except SipError:
            return None
        return msg.offset_of(header) + header.body_start, header, value

    def _put(self, msg: SipMessage, at: int, value: NameAddr, uri: str) -> int:
        """Replace the URI; an address without brackets gets them, for what follows a ``;`` would be the field's."""
        text = uri if value.brackets else f"<{uri}>"
        msg.lumps.replace(at + value.uri_start, value.uri_end - value.uri_start, text, "contact")
        msg.extra[_CHANGED] = True
        return 1

    @export
    def fix_nated_contact(self, run: Run) -> int:
        """Put the source address and port into the Contact URI: 1; -1 without Contact, or done before."""
        msg = run.msg
        found = self._last_contact(msg)
        rcv = msg.rcv
        if found is None or rcv is None or _CHANGED in msg.extra:
            return -1
        at, _, value = found
        uri = parse_uri(value.uri)
        text = uri.with_(host=rcv.src_ip, port=rcv.src_port)
        msg.lumps.replace(at + value.uri_start, value.uri_end - value.uri_start, text, "contact")
        msg.extra[_CHANGED] = True
        return 1

    def _source_alias(self, rcv: Rcv) -> str:
        return f"{self._alias}{bracketed(rcv.src_ip)}~{rcv.src_port}~{PROTO_NUMBERS[rcv.proto]}"

    @export
    def set_contact_alias(self, run: Run) -> int:
        """Add ``;alias=ip~port~proto`` with the source address to the Contact URI: 1; -1 without Contact, or done."""
        return self._set_alias(run, False)

    @export
    def set_contact_alias_trim(self, run: Run) -> int:
        """Like ``set_contact_alias``; takes an alias that is there away first."""
        return self._set_alias(run, True)

    def _set_alias(self, run: Run, trim: bool) -> int:
        msg = run.msg
        found = self._last_contact(msg)
        rcv = msg.rcv
        if found is None or rcv is None or _CHANGED in msg.extra:
            return -1
        at, _, value = found
        text = value.uri
        if trim and self._alias_param in text:
            uri = parse_uri(text)
            text = uri.with_(params=";".join(p for p in uri.params.split(";") if not p.startswith(self._alias)))
        return self._put(msg, at, value, f"{text};{self._source_alias(rcv)}")

    @export
    def add_contact_alias(self, run: Run) -> int:
        """Add ``;alias=`` with the source address unless the Contact URI has that address, port and transport.

        1 added, 2 not needed or no Contact, -1 a Contact that cannot be parsed.
        """
        msg = run.msg
        rcv = msg.rcv
        if "contact" not in msg.index:
            return 2
        found = self._last_contact(msg)
        if found is None or rcv is None:
            return -1
        uri = parse_uri(found[2].uri)
        if (canonical_ip(uri.host), uri.port_no or 5060, uri.transport) == (rcv.src_ip, rcv.src_port, rcv.proto):
            return 2
        return self._add_alias(msg, found, self._source_alias(rcv))

    @export
    def add_contact_alias_addr(self, run: Run, ip: str, port: str, proto: str) -> int:
        """Add ``;alias=`` with this address, port and transport to the Contact URI.

        1 added, 2 no Contact, -1 a Contact that cannot be parsed or an argument that is no address, port or transport.
        """
        msg = run.msg
        number = PROTO_NUMBERS.get(proto.lower())
        host = canonical_ip(ip)
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536 or number is None:
            return -1
        if "contact" not in msg.index:
            return 2
        found = self._last_contact(msg)
        if found is None:
            return -1
        return self._add_alias(msg, found, f"{self._alias}{bracketed(host)}~{port}~{number}")

    def _add_alias(self, msg: SipMessage, found: tuple[int, Header, NameAddr], alias: str) -> int:
        at, _, value = found
        uri = parse_uri(value.uri)
        params = f"{alias};{uri.params}" if uri.params else alias
        return self._put(msg, at, value, uri.with_(params=params))

    @export
    def add_rcv_param(self, run: Run, in_uri: int) -> int:
        """Add ``received`` with the source address to each Contact: 0 to the field, else to the URI (UDP only).

        1; -1 for the URI of a message that did not come over UDP.
        """
        msg = run.msg
        rcv = msg.rcv
        if rcv is None or in_uri and rcv.proto != "udp":
            return -1
        received = source_uri(rcv)
        offsets = msg.offsets
        try:
            for n, header in enumerate(msg.headers):
                if header.key != "contact":
                    continue
                for value in header.parsed(parse_nameaddrs):
                    if value.uri == "*":
                        continue
                    place = value.uri_end if in_uri else value.end
                    text = f";received={received}" if in_uri else f';received="{received}"'
                    msg.lumps.insert(offsets[n] + header.body_start + place, text, "contact")
        except SipError:
            return -1
        return 1

    @export
    def fix_nated_register(self, run: Run) -> int:
        """Put the source address as a URI into ``received_avp``, for the registrar: 1; -1 when that is not set."""
        rcv = run.msg.rcv
        if self._received is None or rcv is None:
            log.error("fix_nated_register: modparam nathelper:received_avp is not set")
            return -1
        self._received.set(run, source_uri(rcv))
        return 1

    # -- the way back: ;alias= in a Request-URI -----------------------------------------------------------------------

    def _alias_uri(self, value: str) -> str | None:
        """``ip~port~number`` as a SIP URI, None when it is not that."""
        parts = value.split("~")
        if len(parts) != 3 or parts[2] not in _NUMBER_PROTOS or not parts[0] or not parts[1].isdigit():
            return None
        proto = _NUMBER_PROTOS[parts[2]]
        return f"sip:{parts[0]}:{parts[1]}{';transport=' + proto if proto else ''}"

    @export
    def handle_ruri_alias(self, run: Run) -> int:
        """Take the first ``;alias=`` out of the Request-URI and make it the destination URI.

        1 done, 2 there is none, -1 it cannot be read or the message is a reply.
        """
        msg = run.msg
        if self._alias_param not in (msg.new_uri or msg.ruri) and msg.is_request:
            return 2
        return self.handle_ruri_alias_mode(run, 0)

    @export
    def handle_ruri_alias_mode(self, run: Run, mode: int) -> int:
        """Like ``handle_ruri_alias``; ``mode`` other than 0 takes the last ``;alias=``, unless no parameter follows it.

        Kamailio cuts the value of the last parameter short, so it is never whole. What cannot be read after its first
        ``~`` stays changed, as there.
        """
        msg = run.msg
        if not msg.is_request:
            return -1
        text = msg.new_uri or msg.ruri
        if self._alias_param not in text:
            return 2
        try:
            uri = parse_uri(text)
        except SipError:
            return -1
        parts = uri.params.split(";")
        places = [n for n, part in enumerate(parts) if part.startswith(self._alias) and part != self._alias]
        if not places:
            return 2
        at = places[-1 if mode else 0]
        value = parts[at][len(self._alias) :]
        if mode and at == len(parts) - 1:
            value = value[: -len(self._alias)]
        host, tilde, rest = value.partition("~")
        if not tilde:
            log.error("handle_ruri_alias: no ~ in the alias of %s", text)
            return -1
        port, tilde, number = rest.partition("~")
        if not tilde or number not in _NUMBER_PROTOS:
            log.error("handle_ruri_alias: the alias of %s is not host~port~number", text)
            parts[at] = parts[at].replace("~", ":", 1)
            msg.new_uri = uri.with_(params=";".join(parts))
            return -1
        proto = _NUMBER_PROTOS[number]
        target = f"sip:{host}:{port}{';transport=' + proto if proto else ''}"
        del parts[at]
        msg.new_uri = uri.with_(params=";".join(parts))
        msg.dst_uri = target
        return 1

    @export
    def set_alias_to_pv(self, run: Run, name: str) -> int:
        """Write the ``alias`` of the first Contact as a SIP URI into the pseudo-variable ``name``: 1, else -1."""
        try:
            accessor = compile_spec(name)
            contacts = run.msg.nameaddrs("contact")
            uri = parse_uri(contacts[0].uri) if contacts else None
        except (PvError, SipError) as error:
            log.error("set_alias_to_pv: %s", error)
            return -1
        params = uri.params.split(";") if uri is not None else []
        found = next((part[len(self._alias) :] for part in params if part.startswith(self._alias)), "")
        target = self._alias_uri(found)
        if target is None:
            return -1
        return assign(accessor, run, target, "set_alias_to_pv")

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("nathelper.enable_ping")
    def enable_ping(self, params: list[object]) -> None:
        """Enable (1) or disable (0) the keepalive pings."""
        if not params:
            raise RpcError(500, "No parameter")
        if self.pinger is not None:
            self.pinger.enabled = str(params[0]).strip() not in ("0", "")


# -- pseudo-variables -------------------------------------------------------------------------------------------------


@pv("rr_count")
def _rr_count(run: Run) -> Value:
    """The number of Record-Route values."""
    try:
        return len(run.msg.nameaddrs("record-route"))
    except SipError:
        return None


@pv("rr_top_count")
def _rr_top_count(run: Run) -> Value:
    """2 when the topmost Record-Route is one of two of a proxy (r2=on), 1 when it is single, 0 without."""
    try:
        values = run.msg.nameaddrs("record-route")
        return 0 if not values else 2 if parse_uri(values[0].uri).r2 == "on" else 1
    except SipError:
        return None
