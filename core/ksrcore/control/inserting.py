"""``ksr.message.add``: a message that was not on the wire, put into the recorder to be looked at and stepped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..net.address import PROTOS, AddressError, Dest, Listen, Rcv, canonical_ip, ip_family, parse_host_port
from ..sip.errors import SipError
from ..sip.message import SipMessage
from . import errors, views
from .errors import ControlError

if TYPE_CHECKING:
    from ..proxy import Proxy

#: Characters that are taken of the text which says where a message is from.
_ORIGIN = 80
#: As much as a datagram has room for, and a stream is framed to.
_LARGEST = 65535


def add(proxy: Proxy, data: str, proto: str, src: str, dst: str, origin: str, time: float, out: bool) -> dict[str, Any]:
    """Keep ``data`` (a character a byte) as if it had come from ``src`` over ``proto``; nothing is routed.

    What is left out: the first listen socket's transport and address, the sender that the topmost Via names, now.
    Returns the summary. Raises :class:`ControlError` when it cannot be read as a SIP message.
    """
    if any(char > "\xff" for char in data):
        raise ControlError(errors.INVALID_PARAMS, "ksr.message.add: data has a character for each byte of the message")
    if len(data) > _LARGEST:
        raise ControlError(errors.USER_ERROR, f"the message has {len(data)} bytes; there may be {_LARGEST}")
    try:
        msg = SipMessage(data)
    except SipError as error:
        raise ControlError(errors.USER_ERROR, f"this is no SIP message: {error}") from None
    listen = _listen(proxy, proto)
    peer = _address(dst if out else src, "dst" if out else "src") or _sender(msg, listen)
    own = _address(src if out else dst, "src" if out else "dst") or (listen.host, listen.port)
    where = Dest(listen.proto, *peer, Listen(listen.proto, *own)) if out else Rcv(listen.proto, *peer, *own, listen)
    when = time or proxy.wall()
    return views.summary(proxy.recorder.insert(when, where, data, origin[:_ORIGIN] or "made by hand", out))


def _listen(proxy: Proxy, proto: str) -> Listen:
    if proto and proto not in PROTOS:
        raise ControlError(errors.INVALID_PARAMS, f"proto is one of {', '.join(PROTOS)}, got {proto!r}")
    fitting = [listen for listen in proxy.listens if listen.proto == (proto or listen.proto)]
    if fitting:
        return fitting[0]
    if proxy.listens:
        return Listen(proto, proxy.listens[0].host, proxy.listens[0].port)
    return Listen(proto or "udp", "127.0.0.1", 5060)


def _address(text: str, what: str) -> tuple[str, int] | None:
    if not text:
        return None
    try:
        host, port = parse_host_port(text)
    except AddressError as error:
        raise ControlError(errors.INVALID_PARAMS, f"{what}: {error}") from None
    ip = canonical_ip(host)
    if not ip:
        raise ControlError(errors.INVALID_PARAMS, f"{what} is IP:PORT, got {text!r}")
    return ip, port or 5060


def _sender(msg: SipMessage, listen: Listen) -> tuple[str, int]:
    """Where the message says that it is from, when that address could reach the socket; else this machine."""
    try:
        via = msg.via
    except SipError:
        via = None
    ip = canonical_ip(via.host) if via is not None and msg.is_request else ""
    if via is not None and ip and ip_family(ip) == listen.family:
        return ip, int(via.port or 5060)
    return ("::1" if ":" in listen.host else "127.0.0.1"), 5060
