"""Via fields and where a reply goes by them: ``$via0(...) $via1(...) $viaZ(...) $rpl(...)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.via import Via
from .errors import PvError
from .registry import Accessor, Value, pv_class
from .spec import Spec

if TYPE_CHECKING:
    from ..run import Run

#: Kamailio's numbers of the transports.
PROTO_IDS = {"udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}

_KEYS = ("host", "port", "proto", "protoid", "branch", "rport", "received", "i")


def vias_of(run: Run) -> list[Via]:
    """All Via values, [] when one cannot be read."""
    try:
        return run.msg.vias()
    except SipError:
        return []


def _read(via: Via, key: str) -> Value:
    if key == "host":
        return via.host
    if key == "port":
        return via.port_no or 5060
    if key == "proto":
        return via.transport
    if key == "protoid":
        return PROTO_IDS.get(via.transport.lower(), 0)
    return via.param(key) or None


def _via(name: str, at: int) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        key = spec.inner
        if key not in _KEYS:
            raise PvError(f"expected one of {', '.join(_KEYS)} in the parentheses, got {key!r}", str(spec))

        def get(run: Run) -> Value:
            vias = vias_of(run)
            return _read(vias[at], key) if -len(vias) <= at < len(vias) else None

        return Accessor(spec, get)


_via("via0", 0)
_via("via1", 1)
_via("viaZ", -1)


_REPLY_KEYS = ("duri", "dhost", "dport", "dproto", "dprotoid", "cntvia")


def reply_destination(run: Run, key: str) -> Value:
    """Where the reply in hand goes by its second Via; None for a request, and without a second Via.

    ``duri`` ``sip:host:port;transport=proto``, ``dhost``, ``dport`` (int), ``dproto``, ``dprotoid``, ``cntvia``.
    """
    if run.msg.is_request:
        return None
    vias = vias_of(run)
    if key == "cntvia":
        return len(vias)
    if len(vias) < 2:
        return None
    via = vias[1]
    host = via.received or via.host
    if ":" in host and host[0] != "[":
        host = f"[{host}]"
    rport = via.rport or ""
    port = int(rport) if len(rport) <= 5 and rport.isascii() and rport.isdigit() else via.port_no or 5060
    proto = via.transport.lower()
    if key == "dhost":
        return host
    if key == "dport":
        return port
    if key == "dproto":
        return proto
    if key == "dprotoid":
        return PROTO_IDS.get(proto, 0)
    return f"sip:{host}:{port};transport={proto}"


@pv_class("rpl")
def _rpl(spec: Spec) -> Accessor:
    key = spec.inner or ""
    if key not in _REPLY_KEYS:
        raise PvError(f"expected one of {', '.join(_REPLY_KEYS)} in the parentheses, got {spec.inner!r}", str(spec))
    return Accessor(spec, lambda run: reply_destination(run, key))
