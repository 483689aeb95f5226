"""What saving and looking up have in common: addresses of record, GRUUs, methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..sip.errors import SipError
from ..sip.uri import Uri, parse_uri

if TYPE_CHECKING:
    from ..sip.message import SipMessage

__all__ = ["AorError", "METHOD_BITS", "extract_aor", "method_bits", "target_uri", "unescape_uri"]

#: Kamailio's bits of the ``methods`` column; a method it does not know has METHOD_OTHER.
METHOD_BITS: Final = {
    name: 1 << bit
    for bit, name in enumerate(
        (
            "INVITE", "CANCEL", "ACK", "BYE", "INFO", "REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "OPTIONS",
            "PRACK", "UPDATE", "REFER", "PUBLISH", "GET", "POST", "PUT", "DELETE", "KDMQ",
        )
    )
}  # fmt: skip
METHOD_OTHER: Final = 1 << 19

#: The longest user, domain and user@domain, in bytes as they are in the URI.
_USER_MAX: Final = 64
_DOMAIN_MAX: Final = 128
_AOR_MAX: Final = 256


class AorError(Exception):
    """There is no address of record in a URI: it is too long, or has a ``broken`` escape."""

    def __init__(self, text: str, broken: bool = False) -> None:
        super().__init__(text)
        self.broken = broken


def method_bits(text: str) -> int | None:
    """The bits of a comma-separated list of methods, whatever their case; 0 for an empty one, None for a broken one."""
    if not text.strip():
        return 0
    bits = 0
    for part in text.split(","):
        name = part.strip()
        if not name or not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
            return None
        bits |= METHOD_BITS.get(name.upper(), METHOD_OTHER)
    return bits


def unescape_uri(text: str) -> str:
    """Resolve ``%xx``. Raises :class:`AorError` for a broken one, or one outside printable ASCII."""
    if "%" not in text:
        return text
    head, *parts = text.split("%")
    out = [head]
    for part in parts:
        try:
            if len(part) < 2 or part[:2] != part[:2].strip("+-_ "):
                raise ValueError
            code = int(part[:2], 16)
            if not 32 <= code < 127:
                raise ValueError
            out.append(chr(code) + part[2:])
        except ValueError:
            raise AorError(f"broken escape in {text!r}", True) from None
    return "".join(out)


def extract_aor(uri: Uri, use_domain: bool, case_sensitive: bool, realm_prefix: str) -> str:
    """The address of record of a URI: its user, or user@domain with ``use_domain``, '' for one without user.

    The domain is in lower case always, the user unless ``case_sensitive``. Raises :class:`AorError`.
    """
    length = len(uri.user) + len(uri.host) + 1
    if len(uri.user) > _USER_MAX or len(uri.host) > _DOMAIN_MAX or length > _AOR_MAX:
        raise AorError(f"address of record {uri.user[:80]}@{uri.host[:80]} is too long")
    user = unescape_uri(uri.user)
    aor = user if case_sensitive else user.lower()
    if use_domain:
        host = uri.host
        if realm_prefix:
            host = host.removeprefix(realm_prefix)
        aor = f"{aor}@{host.lower()}" if aor else host.lower()
    return aor


def target_uri(msg: SipMessage, text: str) -> Uri:
    """The URI ``text`` names, or the message's own: the R-URI of a request, the To URI of a reply.

    Raises :class:`AorError`.
    """
    try:
        if text:
            return parse_uri(text)
        if msg.is_request:
            return msg.parsed_uri
        to = msg.to
        if to is None:
            raise AorError("no To")
        return to.parsed_uri
    except SipError as error:
        raise AorError(str(error)) from None
