"""Request-URI, destination URI and what else says where a request goes: ``$ru $rU $rd $rp $du $ou $nh(...)`` ...

Written: ``$ru`` and its parts rewrite the Request-URI, ``$du`` sets the next hop; null for ``$rU``, ``$rp`` and ``$du``
removes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.uri import Uri, parse_uri
from .errors import PvError
from .parts import (
    only_text,
    uri_domain,
    uri_or_none,
    uri_port,
    uri_scheme,
    uri_transport,
    uri_user,
)
from .registry import Accessor, Getter, Setter, Value, pv, pv_class, setter
from .spec import Spec
from .via import reply_destination

if TYPE_CHECKING:
    from ..run import Run


def _ruri(run: Run) -> Uri | None:
    msg = run.msg
    try:
        return parse_uri(msg.new_uri or msg.ruri)
    except SipError:
        return None


@pv("ru", "ruri")
def ru(run: Run) -> Value:
    """Null for an HTTP request, its URL is ``$hu``, and for what is no URI."""
    msg = run.msg
    if msg.http and not msg.new_uri:
        return None
    text = msg.new_uri or msg.ruri
    try:
        parse_uri(text)
    except SipError:
        return None
    return text


@pv("rU", "ruri.user")
def ru_user(run: Run) -> Value:
    msg = run.msg
    try:
        uri = parse_uri(msg.new_uri or msg.ruri)
    except SipError:
        return None
    user = uri.user
    return uri_user(uri) if ";" in user else user or None


@pv("rd", "ruri.domain")
def ru_domain(run: Run) -> Value:
    msg = run.msg
    try:
        return parse_uri(msg.new_uri or msg.ruri).host or None
    except SipError:
        return None


@pv("rp")
def ru_port(run: Run) -> Value:
    return uri_port(_ruri(run))


@pv("rP")
def ru_transport(run: Run) -> Value:
    return uri_transport(_ruri(run))


@pv("rz")
def ru_scheme(run: Run) -> Value:
    if not run.msg.is_request:
        return None
    return uri_scheme(_ruri(run))


@pv("rul")
def ru_length(run: Run) -> Value:
    value = ru(run)
    return len(value) if isinstance(value, str) else None


@pv("rUl")
def ru_user_length(run: Run) -> Value:
    return len(str(ru_user(run) or "")) if run.msg.is_request else None


# -- the Request-URI as it came -----------------------------------------------------------------------------------


@pv("ou", "ouri")
def ou(run: Run) -> Value:
    msg = run.msg
    return None if msg.http else msg.ruri or None


@pv("oU")
def ou_user(run: Run) -> Value:
    return uri_user(uri_or_none(run.msg.ruri))


@pv("od")
def ou_domain(run: Run) -> Value:
    return uri_domain(uri_or_none(run.msg.ruri))


@pv("op")
def ou_port(run: Run) -> Value:
    return uri_port(uri_or_none(run.msg.ruri))


@pv("oP")
def ou_transport(run: Run) -> Value:
    return uri_transport(uri_or_none(run.msg.ruri))


@pv("oUl")
def ou_user_length(run: Run) -> Value:
    return len(str(ou_user(run) or "")) if run.msg.is_request else None


# -- the destination URI ------------------------------------------------------------------------------------------


@pv("du", "duri")
def du(run: Run) -> Value:
    return run.msg.dst_uri or None


@pv("dd")
def du_domain(run: Run) -> Value:
    return uri_domain(uri_or_none(run.msg.dst_uri))


@pv("dp")
def du_port(run: Run) -> Value:
    return uri_port(uri_or_none(run.msg.dst_uri))


@pv("dP")
def du_transport(run: Run) -> Value:
    return uri_transport(uri_or_none(run.msg.dst_uri))


@pv_class("nh")
def next_hop(spec: Spec) -> Accessor:
    """``$nh(key)``: where the message goes next, u URI, U user, d host, p port, P transport.

    Of a request the destination URI or the Request-URI, of a reply what its second Via says.
    """
    part = _NEXT_HOP.get(spec.inner or "")
    if part is None:
        raise PvError(f"expected one of {', '.join(_NEXT_HOP)} in the parentheses, got {spec.inner!r}", str(spec))
    return Accessor(spec, part)


def _hop(run: Run) -> Uri | None:
    return uri_or_none(run.msg.dst_uri or run.msg.uri)


def _hop_uri(run: Run) -> Value:
    if run.msg.is_request:
        return run.msg.dst_uri or run.msg.uri
    return reply_destination(run, "duri")


def _hop_user(run: Run) -> Value:
    return uri_user(_hop(run)) if run.msg.is_request else None


def _hop_domain(run: Run) -> Value:
    return uri_domain(_hop(run)) if run.msg.is_request else reply_destination(run, "dhost")


def _hop_port(run: Run) -> Value:
    if not run.msg.is_request:
        return reply_destination(run, "dport")
    hop = _hop(run)
    return (hop.port or "5060") if hop is not None else None


def _hop_transport(run: Run) -> Value:
    return uri_transport(_hop(run)) if run.msg.is_request else reply_destination(run, "dproto")


_NEXT_HOP: dict[str, Getter] = {
    "u": _hop_uri,
    "U": _hop_user,
    "d": _hop_domain,
    "p": _hop_port,
    "P": _hop_transport,
}


# -- writing ------------------------------------------------------------------------------------------------------


@setter("ru", "ruri")
def set_ru(run: Run, value: Value) -> None:
    text = only_text("$ru", value)
    if not text:
        raise PvError("expects a URI, got an empty string", "$ru")
    if not run.msg.is_request:
        raise PvError("a reply has no Request-URI", "$ru")
    run.msg.new_uri = text


def _current(run: Run, name: str) -> Uri:
    try:
        return run.msg.parsed_uri
    except SipError as error:
        raise PvError(f"the Request-URI cannot be changed: {error}", name) from None


@setter("rU", "ruri.user")
def set_ru_user(run: Run, value: Value) -> None:
    user = "" if value is None else only_text("$rU", value)
    run.msg.new_uri = _current(run, "$rU").with_(user=user)


@setter("rd", "ruri.domain")
def set_ru_domain(run: Run, value: Value) -> None:
    """``host`` or ``host:port``. A tel URI becomes a SIP URI with ``user=phone``."""
    domain = only_text("$rd", value)
    if not domain:
        raise PvError("expects a domain, got an empty string", "$rd")
    uri = _current(run, "$rd")
    host, _, port = domain.partition(":") if domain.count(":") == 1 else (domain, "", "")
    if uri.scheme == "tel":
        run.msg.new_uri = f"sip:{uri.user}@{domain};user=phone"
    else:
        run.msg.new_uri = uri.with_(host=host, port=port or None)


@setter("rp")
def set_ru_port(run: Run, value: Value) -> None:
    """A number or its digits; null or '' removes the port."""
    text = "" if value is None else str(value)
    if text and not (len(text) <= 5 and text.isascii() and text.isdigit() and int(text) <= 65535):
        raise PvError(f"expects a port from 0 to 65535, got {value!r}", "$rp")
    run.msg.new_uri = _current(run, "$rp").with_(port=text)


def _set_du(run: Run, value: Value) -> None:
    run.msg.dst_uri = "" if value is None else only_text("$du", value)


set_du: Setter = setter("du", "duri")(_set_du)
