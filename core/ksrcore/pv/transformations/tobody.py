"""``{tobody.*}``: parts of a value like the body of a To header field (Kamailio's pv module). Null when it is none."""

from __future__ import annotations

from collections.abc import Callable

from ...sip.errors import SipError
from ...sip.nameaddr import NameAddr, parse_nameaddr
from ...sip.uri import Uri
from .registry import Value, text
from .uri import kamailio_uri, user_of


def _to(name: str, read: Callable[[NameAddr, Uri], Value]) -> None:
    @text("tobody." + name)
    def operation(value: str) -> Value:
        try:
            to = parse_nameaddr(value.strip(" \t\r\n"))
        except SipError:
            return None
        uri = kamailio_uri(to.uri)
        return read(to, uri) if uri is not None else None


_to("uri", lambda to, uri: to.uri)
_to("tag", lambda to, uri: to.tag)
_to("user", lambda to, uri: user_of(uri))
_to("host", lambda to, uri: uri.host)
_to("display", lambda to, uri: to.display)
_to("params", lambda to, uri: to.params_text)
