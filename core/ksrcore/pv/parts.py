"""What several families of variables share: header bodies, the parts of URIs, values written to variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.message import COMPACT
from ..sip.uri import Uri, parse_uri
from .errors import PvError
from .registry import Value
from .transformations.uri import last_param, user_of

if TYPE_CHECKING:
    from ..sip.message import Header, SipMessage

__all__ = [
    "body_of",
    "first_body",
    "header_key",
    "only_int",
    "only_text",
    "signed",
    "uri_domain",
    "uri_or_none",
    "uri_port",
    "uri_scheme",
    "uri_transport",
    "uri_user",
]


def header_key(name: str) -> str:
    """The key of a header field's name: lower case, compact forms spelt out."""
    key = name.strip().lower()
    return COMPACT.get(key, key)


def body_of(header: Header) -> str:
    """The body as Kamailio shows it: white space at its end is kept, the line end is not."""
    raw = header.raw
    if len(raw) - header.body_start - len(header.body) <= 2:
        return header.body
    return raw[header.body_start :].rstrip("\r\n")


def first_body(msg: SipMessage, key: str) -> Value:
    """The body of the first field of that key, None when there is none."""
    header = msg.index.get(key)
    return None if header is None else body_of(header)


def uri_or_none(text: str) -> Uri | None:
    """The parsed URI, None when it is empty or none."""
    if not text:
        return None
    try:
        return parse_uri(text)
    except SipError:
        return None


def uri_user(uri: Uri | None) -> Value:
    return user_of(uri) or None if uri is not None else None


def uri_domain(uri: Uri | None) -> Value:
    return uri.host or None if uri is not None else None


def uri_port(uri: Uri | None) -> Value:
    """As text: the port written, 5061 for ``transport=tls``, else 5060."""
    if uri is None:
        return None
    return uri.port or ("5061" if uri.params and last_param(uri, "transport").lower() == "tls" else "5060")


def uri_transport(uri: Uri | None) -> Value:
    """The transport parameter as written, ``UDP`` without one."""
    if uri is None:
        return None
    return (last_param(uri, "transport") or "UDP") if uri.params else "UDP"


def uri_scheme(uri: Uri | None) -> Value:
    """The scheme. A SIP URI with ``user=phone`` counts as ``tel`` (``tels`` for sips), as in Kamailio."""
    if uri is None:
        return None
    if uri.is_sip and uri.params and last_param(uri, "user") == "phone":
        return "tels" if uri.scheme == "sips" else "tel"
    return uri.scheme


def only_text(name: str, value: Value) -> str:
    """``value`` when it is text; raises :class:`PvError` for numbers and null."""
    if not isinstance(value, str):
        raise PvError(f"expects a string, got {value!r}", name)
    return value


def only_int(name: str, value: Value) -> int:
    """``value`` when it is a number, 0 for null; raises :class:`PvError` for text."""
    if isinstance(value, str):
        raise PvError(f"expects an integer, got {value!r}", name)
    return value or 0


def signed(flags: int) -> int:
    """32 flag bits as Kamailio shows them: a signed number."""
    return flags if flags < 0x80000000 else flags - 0x100000000
