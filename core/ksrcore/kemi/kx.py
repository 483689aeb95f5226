"""Kamailio's kemix: the common pseudo-variables as functions.

Where a variable is null ``get_`` gives None, ``gete_`` '' and ``getw_`` '<null>'.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..net.address import bracketed
from ..sip.digest import parse_credentials
from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddr, parse_nameaddrs
from ..sip.uri import parse_uri
from .declare import Module, Value, export
from .nathelper import PROTO_NUMBERS, source_uri

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..run import Run
    from ..sip.message import SipMessage

Getter = Callable[["Kx", "Run"], Value]


# The values; '' and what cannot be parsed are None.


def _au(msg: SipMessage) -> str | None:
    for key in ("authorization", "proxy-authorization"):
        header = msg.index.get(key)
        if header is not None:
            try:
                return header.parsed(parse_credentials).user or None
            except SipError:
                return None
    return None


def _body(msg: SipMessage) -> str | None:
    return msg.body or None


def _cturi(msg: SipMessage) -> str | None:
    header = msg.index.get("contact")
    if header is None:
        return None
    try:
        uri = header.parsed(parse_nameaddrs)[-1].uri
    except SipError:
        return None
    return None if uri == "*" else uri


def _duri(msg: SipMessage) -> str | None:
    return msg.dst_uri or None


def _ruri_part(msg: SipMessage, part: str) -> str | None:
    if not msg.is_request:
        return None
    try:
        return getattr(parse_uri(msg.new_uri or msg.ruri), part) or None
    except SipError:
        return None


def _part(msg: SipMessage, key: str, part: str) -> str | None:
    header = msg.index.get(key)
    if header is None:
        return None
    try:
        return getattr(parse_uri(header.parsed(parse_nameaddr).uri), part) or None
    except SipError:
        return None


def _uri(msg: SipMessage, key: str) -> str | None:
    header = msg.index.get(key)
    if header is None:
        return None
    try:
        return header.parsed(parse_nameaddr).uri
    except SipError:
        return None


def _fhost(msg: SipMessage) -> str | None:
    return _part(msg, "from", "host")


def _fuser(msg: SipMessage) -> str | None:
    return _part(msg, "from", "user")


def _rhost(msg: SipMessage) -> str | None:
    return _ruri_part(msg, "host")


def _ruser(msg: SipMessage) -> str | None:
    return _ruri_part(msg, "user")


def _thost(msg: SipMessage) -> str | None:
    return _part(msg, "to", "host")


def _tuser(msg: SipMessage) -> str | None:
    return _part(msg, "to", "user")


def _ua(msg: SipMessage) -> str | None:
    header = msg.index.get("user-agent")
    return header.body if header is not None else None


def _number(text: str) -> int:
    """Kamailio's str2sint, 0 for what is no number."""
    try:
        return int(text)
    except ValueError:
        return 0


def _three(name: str, read: Callable[[SipMessage], str | None], doc: str) -> tuple[Getter, Getter, Getter]:
    """The functions get_, gete_ and getw_ of a variable."""

    def get(self: Kx, run: Run) -> Value:
        return read(run.msg)

    def get_or_empty(self: Kx, run: Run) -> Value:
        return read(run.msg) or ""

    def get_or_null(self: Kx, run: Run) -> Value:
        value = read(run.msg)
        return "<null>" if value is None else value

    get.__doc__ = f"{doc}, None without one."
    get_or_empty.__doc__ = f"{doc}, '' without one."
    get_or_null.__doc__ = f"{doc}, '<null>' without one."
    return (
        export(name=f"get_{name}")(get),
        export(name=f"gete_{name}")(get_or_empty),
        export(name=f"getw_{name}")(get_or_null),
    )


class Kx(Module):
    """The variables of a message, its addresses, defines and the environment."""

    name = "kx"

    get_au, gete_au, getw_au = _three(
        "au", _au, "The user of the digest credentials (Authorization, else Proxy-Authorization)"
    )
    get_body, gete_body, getw_body = _three("body", _body, "The body")
    get_cturi, gete_cturi, getw_cturi = _three("cturi", _cturi, "The URI of the last Contact of the first field")
    get_duri, gete_duri, getw_duri = _three("duri", _duri, "The destination URI")
    get_fhost, gete_fhost, getw_fhost = _three("fhost", _fhost, "The host of the From URI")
    get_fuser, gete_fuser, getw_fuser = _three("fuser", _fuser, "The user of the From URI")
    get_rhost, gete_rhost, getw_rhost = _three("rhost", _rhost, "The host of the Request-URI")
    get_ruser, gete_ruser, getw_ruser = _three("ruser", _ruser, "The user of the Request-URI")
    get_thost, gete_thost, getw_thost = _three("thost", _thost, "The host of the To URI")
    get_tuser, gete_tuser, getw_tuser = _three("tuser", _tuser, "The user of the To URI")
    get_ua, gete_ua, getw_ua = _three("ua", _ua, "User-Agent")

    # -- message ------------------------------------------------------------------------------------------------------

    @export
    def get_method(self, run: Run) -> Value:
        """The method; for a reply that of its CSeq."""
        return run.msg.method or None

    @export
    def get_callid(self, run: Run) -> Value:
        """Call-ID, None without one."""
        return run.msg.callid or None

    @export
    def get_furi(self, run: Run) -> Value:
        """The From URI."""
        return _uri(run.msg, "from")

    @export
    def get_turi(self, run: Run) -> Value:
        """The To URI."""
        return _uri(run.msg, "to")

    @export
    def get_ruri(self, run: Run) -> Value:
        """The Request-URI as the script has it, None for a reply."""
        return run.msg.uri if run.msg.is_request else None

    @export
    def get_ouri(self, run: Run) -> Value:
        """The Request-URI as it came, None for a reply."""
        return run.msg.ruri if run.msg.is_request else None

    @export
    def get_nhuri(self, run: Run) -> Value:
        """The URI of the next hop: the destination URI, else the Request-URI; None for a reply."""
        msg = run.msg
        return (msg.dst_uri or msg.uri) if msg.is_request else None

    @export
    def get_status(self, run: Run) -> int:
        """The status code of a reply, -1 for a request."""
        return -1 if run.msg.is_request else run.msg.status

    @export
    def gets_status(self, run: Run) -> Value:
        """The status code of a reply as text, None for a request."""
        return None if run.msg.is_request else str(run.msg.status)

    @export
    def get_msgbuf(self, run: Run) -> Value:
        """The message as it came."""
        return run.msg.buf

    @export
    def get_msglen(self, run: Run) -> int:
        """The length of the message in bytes."""
        return len(run.msg.buf)

    @export
    def get_bodylen(self, run: Run) -> int:
        """The length of the body in bytes."""
        return len(run.msg.buf) - run.msg.body_at

    @export
    def get_msgtype(self, run: Run) -> int:
        """1 for a request, 2 for a reply."""
        return 1 if run.msg.is_request else 2

    @export
    def get_timestamp(self, run: Run) -> int:
        """When the message came, unix time in seconds."""
        return int(run.record.time)

    # -- where it came from and in ------------------------------------------------------------------------------------

    @export
    def get_srcip(self, run: Run) -> Value:
        """The source address."""
        return run.msg.rcv.src_ip if run.msg.rcv is not None else None

    @export
    def get_srcport(self, run: Run) -> Value:
        """The source port."""
        return run.msg.rcv.src_port if run.msg.rcv is not None else None

    @export
    def get_srcuri(self, run: Run) -> Value:
        """The source as a URI: ``sip:ip:port;transport=tcp``, without transport for UDP."""
        return source_uri(run.msg.rcv) if run.msg.rcv is not None else None

    @export
    def get_srcaddr_sock(self, run: Run) -> Value:
        """The source as ``proto:ip:port``."""
        rcv = run.msg.rcv
        return f"{rcv.proto}:{bracketed(rcv.src_ip)}:{rcv.src_port}" if rcv is not None else None

    @export
    def get_proto(self, run: Run) -> Value:
        """The transport it came by: udp, tcp, tls ..."""
        return run.msg.rcv.proto if run.msg.rcv is not None else None

    @export
    def get_protoid(self, run: Run) -> int:
        """The number of the transport: 1 udp, 2 tcp, 3 tls, 4 sctp, 5 ws, 6 wss; 0 for none."""
        return PROTO_NUMBERS.get(run.msg.rcv.proto, 0) if run.msg.rcv is not None else 0

    @export
    def get_conid(self, run: Run) -> int:
        """The id of the connection it came by, -1 for UDP."""
        rcv = run.msg.rcv
        return -1 if rcv is None or not rcv.conid else rcv.conid

    @export
    def get_rcvip(self, run: Run) -> Value:
        """The local address it came in at."""
        return run.msg.rcv.dst_ip if run.msg.rcv is not None else None

    @export
    def get_rcvport(self, run: Run) -> Value:
        """The local port it came in at."""
        return run.msg.rcv.dst_port if run.msg.rcv is not None else None

    @export
    def get_rcvadvip(self, run: Run) -> Value:
        """The address that the receiving socket advertises, or its own."""
        rcv = run.msg.rcv
        return (rcv.listen.advertise_host or rcv.listen.host) if rcv is not None else None

    @export
    def get_rcvadvport(self, run: Run) -> Value:
        """The port that the receiving socket advertises, or its own."""
        rcv = run.msg.rcv
        return (rcv.listen.advertise_port or rcv.listen.port) if rcv is not None else None

    @export
    def get_rcvaddr_sock(self, run: Run) -> Value:
        """The receiving socket as ``proto:ip:port``."""
        return run.msg.rcv.listen.text if run.msg.rcv is not None else None

    @export
    def get_rcv_sock_name(self, run: Run) -> Value:
        """The name of the receiving socket, None without one."""
        return (run.msg.rcv.listen.name or None) if run.msg.rcv is not None else None

    @staticmethod
    def _send_socket(run: Run) -> Listen | None:
        return run.msg.force_socket

    @export
    def get_send_sock(self, run: Run) -> Value:
        """The socket set to send from, ``proto:ip:port``, None when none is set."""
        listen = self._send_socket(run)
        return listen.text if listen is not None else None

    @export
    def get_send_sock_name(self, run: Run) -> Value:
        """The name of the socket set to send from, None without one."""
        listen = self._send_socket(run)
        return (listen.name or None) if listen is not None else None

    @export
    def get_send_sock_port(self, run: Run) -> int:
        """The port of the socket set to send from, 0 when none is set."""
        listen = self._send_socket(run)
        return listen.port if listen is not None else 0

    # -- defines and environment --------------------------------------------------------------------------------------

    @export
    def ifdef(self, run: Run, name: str) -> bool:
        """Whether the configuration defines ``name``."""
        return name in self.proxy.defines

    @export
    def ifndef(self, run: Run, name: str) -> bool:
        """Whether the configuration does not define ``name``."""
        return name not in self.proxy.defines

    @export
    def get_def(self, run: Run, name: str) -> Value:
        """The value of a define, '' when there is none."""
        return self.proxy.defines.get(name, "")

    @export
    def get_defn(self, run: Run, name: str) -> int:
        """The value of a define as a number, 0 when there is none or it is no number."""
        return _number(self.proxy.defines.get(name, ""))

    @export
    def get_env(self, run: Run, name: str) -> Value:
        """An environment variable of the proxy, '' when there is none."""
        return os.environb.get(name.encode("latin-1"), b"").decode("latin-1")

    @export
    def get_envn(self, run: Run, name: str) -> int:
        """An environment variable as a number, 0 when there is none or it is no number."""
        return _number(os.environb.get(name.encode("latin-1"), b"").decode("latin-1"))
