"""What siptrace reads from messages without parsing them, and how it writes addresses."""

from __future__ import annotations

import socket

from ..capture.captured import Captured
from ..pv.avp import parse_name
from ..pv.errors import PvError
from ..pv.spec import parse_spec
from ..sip.errors import SipError
from ..sip.message import SipMessage
from .declare import ParamError

__all__ = ["address", "avp_name", "branch_of", "callid_of", "method_of", "resolved"]


def avp_name(param: str, text: str) -> str | int | None:
    """The name of the AVP ``$avp(name)``, None for ''. Raises :class:`ParamError`."""
    if not text:
        return None
    try:
        spec = parse_spec(text)
        if spec.name != "avp" or not spec.inner:
            raise PvError("expected $avp(name)", text)
        return parse_name(spec.inner, text)
    except PvError as error:
        raise ParamError(f"modparam siptrace:{param} expects an AVP such as $avp(x): {error}") from None


def resolved(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError):
        return ""


def address(message: Captured, source: bool) -> str:
    ip, port = (message.src_ip, message.src_port) if source else (message.dst_ip, message.dst_port)
    return f"{message.proto}:{f'[{ip}]' if ':' in ip else ip}:{port}"


def method_of(data: bytes) -> str:
    """The method; of a reply that of its CSeq."""
    try:
        return SipMessage(data.decode("latin-1")).method
    except SipError:
        return ""


def branch_of(text: str) -> str:
    """The branch of the topmost Via, '' without one: as nearly everybody writes it."""
    at = text.find("branch=")
    if at < 0:
        return ""
    end = at = at + 7
    while end < len(text) and text[end] not in ";,> \t\r\n":
        end += 1
    return text[at:end]


def callid_of(text: str) -> str:
    at = text.lower().find("\ncall-id:")
    return text[at + 9 : text.find("\n", at + 1)].strip() if at >= 0 else ""
