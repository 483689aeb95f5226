"""Credentials: ``$au $aU $ad $ar $aa $adn $adc $ado $adr $adu $AU $Au``.

Those of Proxy-Authorization come before those of Authorization. Without Digest credentials all but ``$AU`` and ``$Au``
are null; a field they lack is ''.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sip.digest import Credentials, parse_credentials
from ..sip.errors import SipError
from ..sip.message import Header
from .parts import uri_or_none, uri_user
from .registry import Value, pv

if TYPE_CHECKING:
    from ..run import Run


def credentials_of(run: Run) -> Credentials | None:
    for key in ("proxy-authorization", "authorization"):
        header = run.msg.index.get(key)
        if header is None:
            continue
        try:
            found = header.parsed(parse_credentials)
        except SipError:
            continue
        if found.is_digest:
            return found
    return None


def _credential(name: str, read: Callable[[Credentials], Value]) -> None:
    @pv(name)
    def get(run: Run) -> Value:
        found = credentials_of(run)
        return read(found) if found is not None and found else None


_credential("au", lambda c: c.user)
_credential("ad", lambda c: c.domain)
_credential("aU", lambda c: c.username)
_credential("ar", lambda c: c.realm)
_credential("aa", lambda c: c.algorithm)
_credential("adn", lambda c: c.nonce)
_credential("adc", lambda c: c.cnonce)
_credential("ado", lambda c: c.opaque)
_credential("adr", lambda c: c.response)
_credential("adu", lambda c: c.uri or None)


def _authorized(run: Run) -> Credentials | None:
    """The credentials of the header field that the auth module has verified and keeps in the message."""
    header = run.msg.extra.get("auth")
    return header.parsed(parse_credentials) if isinstance(header, Header) else None


@pv("AU")
def accounting_user(run: Run) -> Value:
    """The user who authenticated, else the From user."""
    found = _authorized(run)
    if found is not None:
        return found.user
    uri = uri_or_none(_sender(run))
    return uri_user(uri) or "" if uri is not None else None


@pv("Au")
def accounting_name(run: Run) -> Value:
    """``user@realm`` of who authenticated, else ``user@domain`` of From."""
    found = _authorized(run)
    if found is not None:
        return f"{found.user}@{found.realm}"
    uri = uri_or_none(_sender(run))
    return f"{uri_user(uri) or ''}@{uri.host}" if uri is not None else None


def _sender(run: Run) -> str:
    try:
        sender = run.msg.from_
    except SipError:
        return ""
    return sender.uri if sender is not None else ""
