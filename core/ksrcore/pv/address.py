"""Sockets and addresses: ``$si $sp $su $Ri $Rp $Ru $pr $fs $fsn $snd(...) $sndto(...) $rcv(...)`` ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..net.address import CARRIERS, Dest, Listen, Rcv, bracketed, canonical_ip
from .errors import PvError
from .parts import only_text
from .registry import Accessor, Value, pv, pv_class, setter
from .spec import Spec
from .transformations.sock import split_socket
from .via import PROTO_IDS

if TYPE_CHECKING:
    from ..run import Run


def _source(*names: str) -> Callable[[Callable[[Rcv], Value]], None]:
    """Declare a variable read from how the message came; null for a message that did not come."""

    def register(read: Callable[[Rcv], Value]) -> None:
        @pv(*names)
        def get(run: Run) -> Value:
            rcv = run.msg.rcv
            return read(rcv) if rcv is not None else None

    return register


@pv("si", "src_ip")
def source_ip(run: Run) -> Value:
    rcv = run.msg.rcv
    return rcv.src_ip if rcv is not None else None


@pv("sp")
def source_port(run: Run) -> Value:
    rcv = run.msg.rcv
    return rcv.src_port if rcv is not None else None


def _sip_uri(host: str, port: int, proto: str, full: bool) -> str:
    # RFC 7118: WebSocket, secure or not, is transport=ws.
    transport = "ws" if proto == "wss" else proto
    return f"sip:{bracketed(host)}:{port}" + (f";transport={transport}" if full or proto != "udp" else "")


_source("siz")(lambda rcv: bracketed(rcv.src_ip))
_source("sas")(lambda rcv: f"{rcv.proto}:{bracketed(rcv.src_ip)}:{rcv.src_port}")
_source("su")(lambda rcv: _sip_uri(rcv.src_ip, rcv.src_port, rcv.proto, False))
_source("sut")(lambda rcv: _sip_uri(rcv.src_ip, rcv.src_port, rcv.proto, True))
_source("pr", "proto")(lambda rcv: rcv.proto)
_source("prid")(lambda rcv: PROTO_IDS.get(rcv.proto, 0))
_source("conid")(lambda rcv: rcv.conid or None)
_source("Ri")(lambda rcv: rcv.dst_ip)
_source("Rp")(lambda rcv: rcv.dst_port)
_source("Rn")(lambda rcv: rcv.listen.name or None)
_source("Ru")(lambda rcv: _sip_uri(rcv.dst_ip, rcv.dst_port, rcv.proto, False))
_source("Rut")(lambda rcv: _sip_uri(rcv.dst_ip, rcv.dst_port, rcv.proto, True))
_source("Ras")(lambda rcv: rcv.listen.text)
_source("RAi")(lambda rcv: rcv.listen.advertise_host or rcv.dst_ip)
_source("RAp")(lambda rcv: _advertised_port(rcv))


def _advertised_port(rcv: Rcv) -> int:
    # Kamailio's is 0 when an address is advertised without a port.
    return rcv.listen.advertise_port if rcv.listen.advertise_host else rcv.dst_port


def _advertised(rcv: Rcv, full: bool) -> str:
    listen = rcv.listen
    return _sip_uri(listen.advertise_host or rcv.dst_ip, _advertised_port(rcv), rcv.proto, full)


_source("RAu")(lambda rcv: _advertised(rcv, False))
_source("RAut")(lambda rcv: _advertised(rcv, True))


# -- the socket to send from --------------------------------------------------------------------------------------


@pv("fs")
def forced_socket(run: Run) -> Value:
    socket = run.msg.force_socket
    return socket.text if socket is not None else None


@pv("fsn")
def forced_socket_name(run: Run) -> Value:
    socket = run.msg.force_socket
    return socket.name or None if socket is not None else None


@pv("fsp")
def forced_socket_port(run: Run) -> Value:
    socket = run.msg.force_socket
    return socket.port if socket is not None else 0


def find_socket(run: Run, name: str, value: str) -> Listen | None:
    """The listen socket that ``[proto:]host[:port]`` describes, None when we have none such.

    Raises :class:`PvError` for a text that is no socket description.
    """
    parts = split_socket(value)
    if parts is None or not parts[1]:
        raise PvError(f"expects a socket such as udp:127.0.0.1:5060, got {value!r}", name)
    proto, host, port = parts
    ip = canonical_ip(host) or host
    for listen in run.proxy.listens:
        if (
            listen.host == ip
            and (not proto or listen.proto == proto.lower())
            and (not port or listen.port == int(port))
        ):
            return listen
    return None


@setter("fs")
def set_forced_socket(run: Run, value: Value) -> None:
    """A socket that is not ours changes nothing; null takes the choice back."""
    if value is None:
        run.msg.force_socket = None
        return
    if str(value).partition(":")[0].lower() in CARRIERS:
        raise PvError(f"expects a socket such as tcp:127.0.0.1:5060 (WebSocket has none), got {value!r}", "$fs")
    found = find_socket(run, "$fs", only_text("$fs", value))
    if found is not None:
        run.msg.force_socket = found


@setter("fsn")
def set_forced_socket_name(run: Run, value: Value) -> None:
    if value is None:
        run.msg.force_socket = None
        return
    name = only_text("$fsn", value)
    for listen in run.proxy.listens:
        if listen.name == name and name:
            run.msg.force_socket = listen


# -- what is being sent: onsend routes ----------------------------------------------------------------------------


def _to(run: Run, key: str) -> Value:
    dest = run.dest
    if not isinstance(dest, Dest):
        return None
    if key == "ip":
        return dest.ip
    if key == "port":
        return dest.port
    return _common(run, dest, dest.ip, key)


def _from(run: Run, key: str) -> Value:
    dest = run.dest
    if not isinstance(dest, Dest) or dest.listen is None:
        return None
    if key == "ip":
        return dest.listen.host
    if key == "port":
        return dest.listen.port
    return _common(run, dest, dest.listen.host, key)


def _common(run: Run, dest: Dest, ip: str, key: str) -> Value:
    if key == "proto":
        return PROTO_IDS.get(dest.proto, 0)
    if key == "sproto":
        return dest.proto
    if key == "af":
        return 10 if ":" in ip else 2
    text: str = run.local["text"]  # as it leaves; $mb is still what came in
    return text if key == "buf" else len(text)


_SEND_KEYS = ("ip", "port", "proto", "sproto", "af", "buf", "len")


def _sending(name: str, read: Callable[[Run, str], Value]) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        key = spec.inner or ""
        if key not in _SEND_KEYS:
            raise PvError(f"expected one of {', '.join(_SEND_KEYS)} in the parentheses, got {spec.inner!r}", str(spec))
        return Accessor(spec, lambda run: read(run, key))


_sending("snd", _to)
_sending("sndfrom", _from)
_sending("sndto", _to)


_RECEIVED: dict[str, Callable[[Run, Rcv], Value]] = {
    "buf": lambda run, rcv: run.msg.buf,
    "len": lambda run, rcv: len(run.msg.buf),
    "srcip": lambda run, rcv: rcv.src_ip,
    "rcvip": lambda run, rcv: rcv.dst_ip,
    "srcport": lambda run, rcv: rcv.src_port,
    "rcvport": lambda run, rcv: rcv.dst_port,
    "proto": lambda run, rcv: PROTO_IDS.get(rcv.proto, 0),
    "sproto": lambda run, rcv: rcv.proto,
    "af": lambda run, rcv: 10 if ":" in rcv.src_ip else 2,
}


@pv_class("rcv")
def _rcv(spec: Spec) -> Accessor:
    """``$rcv(key)``: null but in the core:msg-received event, as in Kamailio."""
    read = _RECEIVED.get(spec.inner or "")
    if read is None:
        raise PvError(f"expected one of {', '.join(_RECEIVED)} in the parentheses, got {spec.inner!r}", str(spec))

    def get(run: Run) -> Value:
        rcv = run.msg.rcv
        return read(run, rcv) if rcv is not None and run.callback == "ksr_core_msg_received" else None

    return Accessor(spec, get)
