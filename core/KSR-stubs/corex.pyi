# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module corex."""

from typing import Any

def append_branch() -> int:
    """Add the Request-URI with its destination URI, path and flags to the destination set."""

def append_branch_uri(uri: str, /) -> int:
    """Add ``uri`` to the destination set ('': the Request-URI)."""

def append_branch_uri_q(uri: str, q: str, /) -> int:
    """Add ``uri`` with the preference ``q`` (0 to 1, '' for none) to the destination set; -1 for a bad ``q``."""

def file_read(path: str, /) -> Any | None:
    """The content of a file, None when it cannot be read. It is read while the proxy waits: small files only."""

def file_write(path: str, content: str, /) -> int:
    """Write ``content`` to a file in place of what it has; -1 when that fails."""

def forward_uac() -> int:
    """Forward the request with our Via alone, so that replies end here: 1, -1 (Kamailio 6.0 and later)."""

def forward_uac_branch(branch: int, /) -> int:
    """``forward_uac`` with this number (from 0) at the end of the Via's branch (Kamailio 6.2 and later)."""

def forward_uac_uri(uri: str, /) -> int:
    """``forward_uac`` to a SIP URI; '': as ``forward_uac`` (Kamailio 6.0 and later)."""

def forward_uac_uri_branch(uri: str, branch: int, /) -> int:
    """``forward_uac`` to a SIP URI, with this number (from 0) at the end of the Via's branch.

    Kamailio 6.2 and later.
    """

def has_ruri_user() -> int:
    """1 when the Request-URI has a user part, else -1."""

def has_user_agent() -> int:
    """1 when there is a User-Agent field that is not empty, else -1."""

def is_faked_msg() -> int:
    """1 when the script works on a made-up message (timers, events), -1 for one from the network."""

def is_socket_name(name: str, /) -> int:
    """1 when a listen socket has that name (in any case), else -1."""

def isxflagset(flag: int, /) -> int:
    """1 when an extended message flag (0 to 63) is set, else -1."""

def resetxflag(flag: int, /) -> int:
    """Clear an extended message flag (0 to 63)."""

def send_data(uri: str, data: str, /) -> int:
    """Send ``data`` as it is to a SIP URI's address; -1 for no URI, for WebSocket, or when it cannot be sent."""

def sendx(uri: str, socket: str, data: str, /) -> int:
    """Like ``send_data`` from the listen socket ``proto:host:port``; -1 when there is none."""

def set_recv_socket(address: str, /) -> int:
    """Take the message as received on the listen socket ``proto:host:port``; -1 when there is none."""

def set_recv_socket_name(name: str, /) -> int:
    """Take the message as received on the listen socket of that name; -1 when there is none."""

def set_send_socket(address: str, /) -> int:
    """Send from the listen socket ``proto:host:port``; -1 when there is none."""

def set_send_socket_name(name: str, /) -> int:
    """Send from the listen socket of that name; -1 when there is none."""

def set_source_address(address: str, /) -> int:
    """Take the message as come from ``proto:host:port``; -1 when that is no address."""

def setxflag(flag: int, /) -> int:
    """Set an extended message flag (0 to 63)."""

def via_add_srvid(flag: int, /) -> int:
    """1: add ``srvid`` with the server id, when there is one, to the Via of this message; 0: do not."""

def via_add_xavp_params(flag: int, /) -> int:
    """1: add the fields of the xavp ``xavp_via_params`` to the Via of this message; 0: do not."""

def via_reply_add_xavp_params(flag: int, /) -> int:
    """1: add the fields of the xavp ``xavp_via_reply_params`` to the Via of replies; 0: do not."""

def via_use_xavp_fields(flag: int, /) -> int:
    """1: take address and port of the Via from the xavp ``xavp_via_fields``; 0: do not."""
