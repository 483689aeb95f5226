"""Kamailio's corex: functions about the core: destination set, sockets, extended flags, files, raw sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..forward import forward_request
from ..net.address import CARRIERS, Dest, Listen, Rcv, canonical_ip, ip_family, parse_host_port
from ..sip.errors import SipError
from ..sip.message import Branch
from ..sip.uri import default_port, parse_uri, strip_brackets
from .core_log import log
from .declare import KsrError, Module, Param, ParamError, Value, export

if TYPE_CHECKING:
    from ..run import Run

#: Kamailio's MAX_BRANCHES_DEFAULT less the main branch.
_MAX_BRANCHES = 11


def parse_q(text: str) -> int:
    """A q-value from 0 to 1 in thousandths, -1 for ''. Raises ValueError for anything else."""
    if not text:
        return -1
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"expected a q-value from 0 to 1, got {text!r}")
    return round(value * 1000)


class Corex(Module):
    """Core functions with computed arguments."""

    name = "corex"
    alias_subdomains = Param("", "a domain that is ours with all its subdomains, [proto:]domain[:port]", multi=True)
    dns_cache = Param("", "a record for the DNS cache: type=A;name=...;addr=...", multi=True)
    evcb_reply_out = Param("", "KEMI callback run for each reply sent, with 'corex:reply-out'")
    nio_intercept = Param(0, "1: run event_route[network:msg] for each message in and out; not offered here")
    nio_min_msg_len = Param(0, "no effect without nio_intercept")
    nio_msg_avp = Param("", "no effect without nio_intercept")

    def start(self) -> None:
        for name in ("dns_cache", "evcb_reply_out", "nio_intercept"):
            if getattr(self, name):
                raise ParamError(f"modparam corex:{name} is not supported; leave it out")
        for text in self.alias_subdomains:
            self.proxy.myself.add_domain(text)

    # -- hot ones ---------------------------------------------------------------------------------------------------

    @export
    def has_ruri_user(self, run: Run) -> int:
        """1 when the Request-URI has a user part, else -1."""
        msg = run.msg
        if not msg.is_request:
            return -1
        try:
            return 1 if parse_uri(msg.new_uri or msg.ruri).user else -1
        except SipError:
            return -1

    @export(inline=True)
    def has_user_agent(self, run: Run) -> int:
        """1 when there is a User-Agent field that is not empty, else -1."""
        header = run.msg.index.get("user-agent")
        return 1 if header is not None and header.body else -1

    @export
    def is_faked_msg(self, run: Run) -> int:
        """1 when the script works on a made-up message (timers, events), -1 for one from the network."""
        return 1 if run.msg.id == 0 else -1

    # -- destination set ----------------------------------------------------------------------------------------------

    def _append(self, run: Run, uri: str, q: int) -> int:
        msg = run.msg
        if len(msg.branches) >= _MAX_BRANCHES:
            log.error("append_branch: no more than %d branches", _MAX_BRANCHES + 1)
            return -1
        msg.branches.append(
            Branch(uri, dst_uri=msg.dst_uri, path=msg.path, q=q, socket=msg.force_socket, flags=msg.bflags,
                   instance=msg.instance, ruid=msg.ruid, reg_id=msg.reg_id, location_ua=msg.location_ua,
                   otcpid=msg.otcpid)
        )  # fmt: skip
        return 1

    @export
    def append_branch(self, run: Run) -> int:
        """Add the Request-URI with its destination URI, path and flags to the destination set."""
        msg = run.msg
        result = self._append(run, msg.uri, msg.q)
        if result > 0:
            # As in Kamailio, what was set for the old Request-URI has gone with the branch.
            msg.dst_uri = msg.path = msg.instance = msg.ruid = msg.location_ua = ""
            msg.reg_id = 0
        return result

    @export
    def append_branch_uri(self, run: Run, uri: str) -> int:
        """Add ``uri`` to the destination set ('': the Request-URI)."""
        return self.append_branch_uri_q(run, uri, "")

    @export
    def append_branch_uri_q(self, run: Run, uri: str, q: str) -> int:
        """Add ``uri`` with the preference ``q`` (0 to 1, '' for none) to the destination set; -1 for a bad ``q``."""
        try:
            value = parse_q(q)
        except ValueError:
            return -1
        if not uri:
            return self.append_branch(run)
        if len(run.msg.branches) >= _MAX_BRANCHES:
            return -1
        run.msg.branches.append(Branch(uri, q=value, flags=0))
        return 1

    # -- forwarding ---------------------------------------------------------------------------------------------------

    def _forward_uac(self, run: Run, uri: str, branch: int) -> int:
        if not run.msg.is_request or branch < 0:
            log.error("KSR.corex.forward_uac: expected a request and a branch from 0 on, got %d", branch)
            return -1
        try:
            return forward_request(run, uri, alone=branch)
        except SipError as error:
            log.error("KSR.corex.forward_uac: %s", error)
            return -1

    @export
    def forward_uac(self, run: Run) -> int:
        """Forward the request with our Via alone, so that replies end here: 1, -1 (Kamailio 6.0 and later)."""
        return self._forward_uac(run, "", 0)

    @export
    def forward_uac_branch(self, run: Run, branch: int) -> int:
        """``forward_uac`` with this number (from 0) at the end of the Via's branch (Kamailio 6.2 and later)."""
        return self._forward_uac(run, "", branch)

    @export
    def forward_uac_uri(self, run: Run, uri: str) -> int:
        """``forward_uac`` to a SIP URI; '': as ``forward_uac`` (Kamailio 6.0 and later)."""
        return self._forward_uac(run, uri, 0)

    @export
    def forward_uac_uri_branch(self, run: Run, uri: str, branch: int) -> int:
        """``forward_uac`` to a SIP URI, with this number (from 0) at the end of the Via's branch.

        Kamailio 6.2 and later.
        """
        return self._forward_uac(run, uri, branch)

    # -- extended flags, 0 to 63 --------------------------------------------------------------------------------------

    @export
    def setxflag(self, run: Run, flag: int) -> int:
        """Set an extended message flag (0 to 63)."""
        if not 0 <= flag < 64:
            return -1
        run.msg.xflags |= 1 << flag
        return 1

    @export
    def resetxflag(self, run: Run, flag: int) -> int:
        """Clear an extended message flag (0 to 63)."""
        if not 0 <= flag < 64:
            return -1
        run.msg.xflags &= ~(1 << flag)
        return 1

    @export
    def isxflagset(self, run: Run, flag: int) -> int:
        """1 when an extended message flag (0 to 63) is set, else -1."""
        return 1 if 0 <= flag < 64 and run.msg.xflags >> flag & 1 else -1

    # -- sockets ------------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> Listen | None:
        folded = name.lower()
        return next((s for s in self.proxy.listens if s.name and s.name.lower() == folded), None)

    def _at(self, text: str) -> Listen | None:
        """The listen socket that ``proto:host:port`` names."""
        try:
            proto, host, port = _socket(text)
        except ValueError:
            return None
        for listen in self.proxy.listens:
            if (not proto or listen.proto == proto) and listen.host == host and (not port or listen.port == port):
                return listen
        return None

    @export
    def is_socket_name(self, run: Run, name: str) -> int:
        """1 when a listen socket has that name (in any case), else -1."""
        return 1 if name and self._named(name) is not None else -1

    @export
    def set_send_socket(self, run: Run, address: str) -> int:
        """Send from the listen socket ``proto:host:port``; -1 when there is none."""
        return self._send_from(run, self._at(address))

    @export
    def set_send_socket_name(self, run: Run, name: str) -> int:
        """Send from the listen socket of that name; -1 when there is none."""
        return self._send_from(run, self._named(name))

    def _send_from(self, run: Run, listen: Listen | None) -> int:
        if listen is None:
            return -1
        run.msg.force_socket = listen
        return 1

    @export
    def set_recv_socket(self, run: Run, address: str) -> int:
        """Take the message as received on the listen socket ``proto:host:port``; -1 when there is none."""
        return self._received_on(run, self._at(address))

    @export
    def set_recv_socket_name(self, run: Run, name: str) -> int:
        """Take the message as received on the listen socket of that name; -1 when there is none."""
        return self._received_on(run, self._named(name))

    def _received_on(self, run: Run, listen: Listen | None) -> int:
        rcv = run.msg.rcv
        if listen is None or rcv is None:
            return -1
        run.msg.rcv = Rcv(rcv.proto, rcv.src_ip, rcv.src_port, listen.host, listen.port, listen, rcv.conid)
        return 1

    @export
    def set_source_address(self, run: Run, address: str) -> int:
        """Take the message as come from ``proto:host:port``; -1 when that is no address."""
        rcv = run.msg.rcv
        try:
            proto, host, port = _socket(address)
        except ValueError:
            return -1
        if rcv is None or not canonical_ip(host):
            return -1
        run.msg.rcv = Rcv(proto or rcv.proto, host, port, rcv.dst_ip, rcv.dst_port, rcv.listen, rcv.conid)
        return 1

    # As long as nothing sets the server id or the xavp names that these refer to (core parameters), they leave the Via
    # as it is: so it is in Kamailio.

    # -- Via ----------------------------------------------------------------------------------------------------------

    def _via_flag(self, run: Run, name: str, value: int) -> int:
        run.msg.extra[f"corex.via_{name}"] = value != 0
        return 1

    @export
    def via_add_srvid(self, run: Run, flag: int) -> int:
        """1: add ``srvid`` with the server id, when there is one, to the Via of this message; 0: do not."""
        return self._via_flag(run, "srvid", flag)

    @export
    def via_add_xavp_params(self, run: Run, flag: int) -> int:
        """1: add the fields of the xavp ``xavp_via_params`` to the Via of this message; 0: do not."""
        return self._via_flag(run, "xavp_params", flag)

    @export
    def via_use_xavp_fields(self, run: Run, flag: int) -> int:
        """1: take address and port of the Via from the xavp ``xavp_via_fields``; 0: do not."""
        return self._via_flag(run, "xavp_fields", flag)

    @export
    def via_reply_add_xavp_params(self, run: Run, flag: int) -> int:
        """1: add the fields of the xavp ``xavp_via_reply_params`` to the Via of replies; 0: do not."""
        return self._via_flag(run, "xavp_reply_params", flag)

    # -- files and raw sending ----------------------------------------------------------------------------------------

    @export
    def file_read(self, run: Run, path: str) -> Value:
        """The content of a file, None when it cannot be read. It is read while the proxy waits: small files only."""
        try:
            with open(path.encode("latin-1"), "rb") as file:
                return file.read().decode("latin-1")
        except (OSError, ValueError) as error:
            log.error("file_read: %s", error)
            return None

    @export
    def file_write(self, run: Run, path: str, content: str) -> int:
        """Write ``content`` to a file in place of what it has; -1 when that fails."""
        if self.proxy.sandbox:
            raise KsrError("KSR.corex.file_write: a sandbox does not write files; call it with live=True")
        try:
            with open(path.encode("latin-1"), "wb") as file:
                file.write(content.encode("latin-1"))
        except (OSError, ValueError) as error:
            log.error("file_write: %s", error)
            return -1
        return 1

    @export
    def send_data(self, run: Run, uri: str, data: str) -> int:
        """Send ``data`` as it is to a SIP URI's address; -1 for no URI, for WebSocket, or when it cannot be sent."""
        return self._send(run, uri, data, None)

    @export
    def sendx(self, run: Run, uri: str, socket: str, data: str) -> int:
        """Like ``send_data`` from the listen socket ``proto:host:port``; -1 when there is none."""
        listen = self._at(socket)
        return -1 if listen is None else self._send(run, uri, data, listen)

    def _send(self, run: Run, text: str, data: str, listen: Listen | None) -> int:
        try:
            uri = parse_uri(text)
        except SipError:
            return -1
        if not uri.is_sip:
            return -1
        proto = uri.transport or (listen.proto if listen is not None else "tls" if uri.scheme == "sips" else "udp")
        port = uri.port_no or default_port(uri.scheme, uri.transport)
        host = uri.maddr or uri.host
        ip = canonical_ip(host) or canonical_ip(strip_brackets(host))
        if ip:
            return self._send_to(run, proto, ip, port, data, listen)
        resolve = self.proxy.resolve
        if resolve is None:
            return -1

        def resolved(found: list[tuple[str, str, int]]) -> None:
            if found:
                self._send_to(run, *found[0], data, listen)
            else:
                log.error("send_data: %s cannot be resolved", host)

        resolve(host, uri.port_no, uri.transport, resolved)
        return 1

    def _send_to(self, run: Run, proto: str, ip: str, port: int, data: str, listen: Listen | None) -> int:
        if proto in CARRIERS or listen is not None and (listen.proto != proto or listen.family != ip_family(ip)):
            return -1
        dest = Dest(proto, ip, port, listen or self.proxy.pick_listen(proto, ip))
        return 1 if self.proxy.send(data, dest, run.record) else -1


def _socket(text: str) -> tuple[str, str, int]:
    """``proto:host:port`` or ``host:port`` as its parts; proto '' and port 0 when absent. Raises ValueError."""
    proto, colon, rest = text.partition(":")
    if not colon or proto.lower() not in ("udp", "tcp", "tls", "ws", "wss", "sctp"):
        proto, rest = "", text
    host, port = parse_host_port(rest)
    return proto.lower(), canonical_ip(host) or host.lower(), port
