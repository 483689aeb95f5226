"""``{uri.*}``: parts of a URI (Kamailio's pv module). A part that is missing is '', what is no URI gives null."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...sip.errors import SipError
from ...sip.uri import Uri, parse_uri
from .param import scan_params
from .registry import Step, Value, build, split_params, text, text_param

if TYPE_CHECKING:
    from ...run import Run

_SOCKET_TRANSPORTS = ("udp", "tcp", "tls", "sctp", "ws")
_SCHEMES = ("sip", "sips", "tel", "urn")


def kamailio_uri(value: str) -> Uri | None:
    """The URI when Kamailio's parser too would take it: a scheme it knows, and no '@' without a user."""
    try:
        uri = parse_uri(value)
    except SipError:
        return None
    if uri.scheme not in _SCHEMES or (uri.is_sip and not uri.user and value[len(uri.scheme) + 1] == "@"):
        return None
    return uri


def user_of(uri: Uri) -> str:
    """The user as Kamailio's variables have it: with parameters of its own (``alice;x=1@``), but for ``user=phone``."""
    user = uri.user
    return user.partition(";")[0] if ";" in user and uri.user_param.lower() == "phone" else user


def last_param(uri: Uri, name: str) -> str:
    """Value of the last parameter of that lower-case name ('' when absent): Kamailio's parser keeps the last."""
    found = ""
    if uri.params:
        for key, value in uri.params_list():
            if key.lower() == name:
                found = value
    return found


def _uri(name: str, read: Callable[[Uri], Value]) -> None:
    @text("uri." + name)
    def operation(value: str) -> Value:
        uri = kamailio_uri(value)
        return read(uri) if uri is not None else None


def _short(uri: Uri, *, user: bool, address: bool) -> str:
    """Scheme as written, user and host, with ``address`` port and transport. Of other schemes than SIP the number."""
    scheme = uri.text.partition(":")[0]
    if not uri.is_sip:
        return f"{scheme}:{uri.user or uri.host}"
    out = f"{scheme}:{user_of(uri)}@{uri.host}" if user and uri.user else f"{scheme}:{uri.host}"
    if address:
        if uri.port:
            out += ":" + uri.port
        transport = last_param(uri, "transport")
        if transport:
            out += ";transport=" + transport
    return out


def _tosocket(uri: Uri) -> Value:
    """``proto:host:port``, port 5060 when there is none; '' without a transport that sockets know."""
    transport = last_param(uri, "transport").lower()
    return f"{transport}:{uri.host}:{uri.port_no or 5060}" if transport in _SOCKET_TRANSPORTS else ""


_uri("user", user_of)
_uri("host", lambda uri: uri.host)
_uri("domain", lambda uri: uri.host)
_uri("passwd", lambda uri: uri.password)
_uri("port", lambda uri: uri.port_no)
# Of these three Kamailio 5.6.3 puts a stray byte after the scheme: the documented results are given here.
_uri("saor", lambda uri: _short(uri, user=True, address=False))
_uri("suri", lambda uri: _short(uri, user=True, address=True))
_uri("duri", lambda uri: _short(uri, user=False, address=True))
_uri("params", lambda uri: uri.params if uri.is_sip else "")
_uri("headers", lambda uri: uri.headers)
_uri("transport", lambda uri: last_param(uri, "transport"))
_uri("ttl", lambda uri: last_param(uri, "ttl"))
_uri("uparam", lambda uri: last_param(uri, "user"))
_uri("maddr", lambda uri: last_param(uri, "maddr"))
_uri("method", lambda uri: last_param(uri, "method"))
_uri("lr", lambda uri: last_param(uri, "lr"))
_uri("r2", lambda uri: last_param(uri, "r2"))
_uri("scheme", lambda uri: uri.text.partition(":")[0])
_uri("tosocket", _tosocket)


def _by_name(name: str, apply: Callable[[Uri, str], Value]) -> None:
    """An operation on the URI and the parameter's name, which is given in lower case."""

    @build(name)
    def builder(params: str | None) -> Step:
        wanted = text_param(split_params(name, params, 1, 1)[0])

        def step(run: Run, value: Value) -> Value:
            param = wanted(run)
            uri = kamailio_uri(str(value)) if value is not None and param is not None else None
            return None if uri is None or param is None else apply(uri, param.lower())

        return step


def _param(uri: Uri, name: str) -> Value:
    """The last of that name."""
    found = ""
    for key, content in scan_params(uri.params, ";") or ():
        if key.lower() == name:
            found = content
    return found


def _rmparam(uri: Uri, name: str) -> Value:
    """The URI without its first parameter of that name."""
    parts = uri.params.split(";")
    for n, part in enumerate(parts):
        if part.partition("=")[0].lower() == name and name:
            del parts[n]
            return uri.with_(params=";".join(parts))
    return uri.text


_by_name("uri.param", _param)
_by_name("uri.rmparam", _rmparam)
