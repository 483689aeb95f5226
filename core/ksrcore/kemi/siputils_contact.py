"""Contact encoding of siputils: the real Contact inside the user part or a parameter of one that points to us."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..sip.errors import SipError
from ..sip.nameaddr import NameAddr, parse_nameaddrs
from ..sip.uri import Uri, parse_uri
from .declare import export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

_NOT_ENCODED = -26


class _NotEncoded(Exception):
    """The URI is none that encode_contact() made."""


def edit_contacts(msg: SipMessage, edit: Callable[[NameAddr], str | None]) -> int:
    """Replace the URI of every Contact value by what ``edit`` gives (None leaves it); the number of values seen.

    Raises :class:`SipError` for a field that cannot be parsed; ``*`` is not handed to ``edit``.
    """
    offsets = msg.offsets
    seen = 0
    for n, header in enumerate(msg.headers):
        if header.key != "contact":
            continue
        for value in header.parsed(parse_nameaddrs):
            seen += 1
            if value.uri == "*":
                continue
            text = edit(value)
            if text is not None:
                at = offsets[n] + header.body_start + value.uri_start
                # Without brackets what follows the URI would become its parameters.
                new = text if value.brackets else f"<{text}>"
                msg.lumps.replace(at, value.uri_end - value.uri_start, new, "contact")
    return seen


class ContactFunctions:
    """``encode_contact``, ``contact_param_encode`` and their reverses."""

    contact_flds_separator: Any

    # -- in the user part: prefix*user*password*host*port*transport@ip --------------------------------------------

    @property
    def _separator(self) -> str:
        return str(self.contact_flds_separator or "*")[0]

    def _decoded(self, text: str) -> str:
        uri = parse_uri(text)
        parts = uri.user.split(self._separator)
        if len(parts) != 6:
            raise _NotEncoded
        _, user, password, host, port, transport = parts
        userinfo = f"{user}:{password}@" if password else f"{user}@" if user else ""
        return (
            f"{uri.scheme}:{userinfo}{host}{':' + port if port else ''}{';transport=' + transport if transport else ''}"
        )

    @export
    def encode_contact(self, run: Run, prefix: str, address: str) -> int:
        """Put user, password, host, port and transport of each Contact into the user part of one at ``address``.

        1; -1 when there is no Contact or one cannot be parsed.
        """
        sep = self._separator

        def encode(value: NameAddr) -> str:
            uri = parse_uri(value.uri)
            parts = (prefix, uri.user, uri.password, uri.host, uri.port, uri.transport)
            return f"{uri.scheme}:{sep.join(parts)}@{address}"

        try:
            return 1 if edit_contacts(run.msg, encode) else -1
        except SipError:
            return -1

    @export
    def decode_contact(self, run: Run) -> int:
        """Make the Request-URI, one that ``encode_contact`` made, what it was: 1; -26 when it is none."""
        try:
            run.msg.new_uri = self._decoded(run.msg.uri)
        except (SipError, _NotEncoded):
            return _NOT_ENCODED
        return 1

    @export
    def decode_contact_header(self, run: Run) -> int:
        """Make each Contact what it was before ``encode_contact``: 1; -26 when one is none, -1 without Contact."""
        try:
            return 1 if edit_contacts(run.msg, lambda value: self._decoded(value.uri)) else -1
        except (SipError, _NotEncoded):
            return _NOT_ENCODED

    # -- in a parameter: <sip:ip;name=base64> -----------------------------------------------------------------------

    @staticmethod
    def _param(uri: Uri, name: str) -> str | None:
        """The decoded parameter, None when absent or not base64 of a text."""
        value = uri.param(name)
        if not value:
            return None
        try:
            return urlsafe_b64decode(value.rstrip("-=.") + "=" * (-len(value.rstrip("-=.")) % 4)).decode("latin-1")
        except ValueError:
            return None

    @export
    def contact_param_encode(self, run: Run, name: str, address: str) -> int:
        """Replace each Contact URI by ``address`` with the old one in the parameter ``name`` (base64url);
        1, also without a Contact."""

        def encode(value: NameAddr) -> str:
            parse_uri(value.uri)
            code = urlsafe_b64encode(value.uri.encode("latin-1")).decode().rstrip("=")
            return f"{address};{name}={code}"

        try:
            edit_contacts(run.msg, encode)
            return 1
        except SipError:
            return -1

    @export
    def contact_param_encode_alias(self, run: Run, name: str, address: str) -> int:
        """Like ``contact_param_encode`` with the source address of the message in the encoded URI's ``alias``."""
        rcv = run.msg.rcv
        if rcv is None:
            return -1
        number = {"udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}[rcv.proto]
        host = f"[{rcv.src_ip}]" if ":" in rcv.src_ip else rcv.src_ip

        def encode(value: NameAddr) -> str:
            parse_uri(value.uri)
            inner = f"{value.uri};alias={host}~{rcv.src_port}~{number}"
            return f"{address};{name}={urlsafe_b64encode(inner.encode('latin-1')).decode().rstrip('=')}"

        try:
            edit_contacts(run.msg, encode)
            return 1
        except SipError:
            return -1

    @export
    def contact_param_decode(self, run: Run, name: str) -> int:
        """Make each Contact with the parameter ``name`` what it was; 1, also when none has it."""
        try:
            edit_contacts(run.msg, lambda value: self._param(parse_uri(value.uri), name))
        except SipError:
            return -1
        return 1

    @export
    def contact_param_decode_ruri(self, run: Run, name: str) -> int:
        """Make the Request-URI what it was when it has the parameter ``name``; 1, also when it has not."""
        try:
            text = self._param(parse_uri(run.msg.uri), name)
        except SipError:
            return -1
        if text is not None:
            run.msg.new_uri = text
        return 1

    @export
    def contact_param_rm(self, run: Run, name: str) -> int:
        """Remove the URI parameter ``name`` from each Contact; 1, also when none has it."""

        def remove(value: NameAddr) -> str | None:
            uri = parse_uri(value.uri)
            parts = uri.params.split(";")
            kept = [part for part in parts if part.partition("=")[0].lower() != name.lower()]
            return uri.with_(params=";".join(kept)) if len(kept) != len(parts) else None

        try:
            edit_contacts(run.msg, remove)
        except SipError:
            return -1
        return 1

    @export
    def contact_param_check(self, run: Run, name: str) -> int:
        """1 when a Contact URI has the parameter ``name``, else -1."""
        try:
            for value in run.msg.nameaddrs("contact"):
                if value.uri != "*" and parse_uri(value.uri).param(name) is not None:
                    return 1
        except SipError:
            return -1
        return -1
