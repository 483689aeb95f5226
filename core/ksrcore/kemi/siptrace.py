"""Kamailio's siptrace: copies of messages to a collector (HEP or plain SIP) and into a table.

KSR.siptrace.sip_trace() copies the message at hand; in the modes transaction and dialog what belongs to it on the wire
is copied as it comes and leaves, known by Via branches and by the Call-ID. ``trace_mode`` copies all. Copies are no
messages of the proxy: they are not in its capture. A sandbox sends none; its rows stay in its copy of the database.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Self

from ..capture import hep
from ..capture.captured import Captured
from ..capture.foreign import captured
from ..net.address import DEFAULT_PORTS, Dest, Listen, Rcv, canonical_ip
from ..run import EVENT_ROUTE, ONSEND_ROUTE, Run
from ..sip.errors import SipError
from ..sip.message import SipMessage
from ..sip.uri import parse_uri, strip_brackets
from ..store.errors import StoreError
from ..store.stamps import to_column
from .dbparam import module_database
from .declare import Module, Param, ParamError, RpcError, export, rpc
from .dispatcher_list import find_socket
from .siptrace_texts import address, avp_name, branch_of, callid_of, method_of, resolved

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..proxy import Proxy
    from ..store.database import Database, Value

__all__ = ["Siptrace"]

log = logging.getLogger("ksrcore.siptrace")

_MIRROR, _STORE, _DUPLICATE = 1, 2, 4
#: How long what belongs to a traced message is waited for, seconds after the last; and how many are known at once.
_IDLE = 600.0
_IDLE_DIALOG = 12 * 3600.0
_MOST = 10_000


class _Trace:
    """Where copies of a transaction or dialog go. ``until``: when it is forgotten (monotonic)."""

    __slots__ = ("correlation", "dest", "table", "until", "users")

    def __init__(self, dest: Dest | None, correlation: str, users: list[str], table: str) -> None:
        self.dest = dest
        self.correlation = correlation
        self.users = users
        self.table = table
        self.until = 0.0


class Siptrace(Module):
    """Copies of messages to a collector and into the database."""

    name = "siptrace"

    db_url = Param("", "the database, '' the proxy's own: str")
    table = Param("sip_trace", "the table: str")
    trace_flag = Param(0, "no effect: sip_trace() says what is traced: int")
    trace_on = Param(0, "1: trace: int")
    traced_user_avp = Param("", "AVP with the traced users, a row for each: str")
    trace_table_avp = Param("", "AVP with the table to store in: str")
    duplicate_uri = Param("", "SIP URI that copies are sent to: str")
    trace_to_database = Param(1, "0: nothing is stored: int")
    trace_local_ip = Param("", "what fromip says of messages of our own, '' the socket: str")
    trace_sl_acks = Param(1, "0: ACKs for stateless replies are not traced: int")
    xheaders_write = Param(0, "1: addresses are added to plain copies, as X-Siptrace fields: int")
    xheaders_read = Param(0, "only its default: int")
    hep_mode_on = Param(0, "1: copies are HEP packets: int")
    hep_version = Param(1, "version of HEP: 1, 2, 3: int")
    hep_capture_id = Param(1, "the number we are known by: int")
    trace_db_mode = Param(0, "no effect: rows are inserted at once: int")
    trace_delayed = Param(0, "no effect: rows are inserted at once: int")
    send_sock_name = Param("", "socket that copies are sent from, by its name: str")
    send_sock_addr = Param("", "the same by its address as a SIP URI: str")
    force_send_sock = Param("", "the same: str")
    trace_init_mode = Param(0, "1: trace_mode only; 2: functions only; 0: both: int")
    trace_mode = Param(0, "what is done with all messages, a sum of 1: HEP, 2: stored, 4: plain copies: int")
    auth_key = Param("", "key of HEP 3: str")
    evcb_msg = Param("", "callback that gets 'siptrace:msg' for each message of trace_mode; drop keeps it: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.on = False
        self._db: Database | None = None
        self._dest: Dest | None = None
        self._listen: Listen | None = None
        self._user: str | int | None = None
        self._table: str | int | None = None
        #: By top Via branch, and by Call-ID.
        self._branches: OrderedDict[str, _Trace] = OrderedDict()
        self._dialogs: OrderedDict[str, _Trace] = OrderedDict()
        self._tapped = False

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.xheaders_read:
            raise ParamError("modparam siptrace:xheaders_read can only be 0 here: copies of others are not read")
        if self.hep_version not in (1, 2, 3):
            raise ParamError(f"modparam siptrace:hep_version expects 1, 2 or 3, got {self.hep_version}")
        self._user = avp_name("traced_user_avp", self.traced_user_avp)
        self._table = avp_name("trace_table_avp", self.trace_table_avp)
        self._listen = self._socket()
        if self.duplicate_uri:
            self._dest = self._destination(self.duplicate_uri)
            if self._dest is None:
                raise ParamError(
                    f"modparam siptrace:duplicate_uri expects a SIP URI such as sip:127.0.0.1:9060, "
                    f"got {self.duplicate_uri!r}"
                )
        self.on = bool(self.trace_on)
        if self.trace_to_database:
            self._db = module_database(self.proxy, self.db_url)
            if self._db is None and self.on:
                raise ParamError(
                    "modparam siptrace: trace_to_database needs a database: start with --db, set siptrace:db_url, or "
                    "siptrace:trace_to_database=0"
                )
            if self._db is not None and self.on:
                try:
                    self._db.check(self.table, like="sip_trace")
                except StoreError as error:
                    raise ParamError(f"siptrace: {error}") from None
        if self.trace_mode & (_MIRROR | _DUPLICATE) and self._dest is None:
            raise ParamError("modparam siptrace:trace_mode needs duplicate_uri to mirror to")
        if self.trace_mode and self.trace_init_mode != 2:
            self._tap()

    def stop(self) -> None:
        if self._tapped:
            self.proxy.recorder.untap(self._seen)
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def waits(self) -> Collection[str]:
        # Where a copy goes may be a host name.
        return ("sip_trace_dst", "sip_trace_dst_cid", "sip_trace_dst_cid_type", "sip_trace_msg")

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._db = self._db.fork() if self._db is not None else None
        new._branches, new._dialogs = OrderedDict(), OrderedDict()
        new._tapped = True  # a sandbox has no wire
        return new

    def _tap(self) -> None:
        if not self._tapped:
            self._tapped = True
            self.proxy.recorder.tap(self._seen)

    def _socket(self) -> Listen | None:
        if self.send_sock_name:
            found = next((listen for listen in self.proxy.listens if listen.name == self.send_sock_name), None)
            if found is None:
                raise ParamError(f"modparam siptrace:send_sock_name: no listen socket is named {self.send_sock_name}")
            return found
        text = self.send_sock_addr or self.force_send_sock
        if not text:
            return None
        try:
            uri = parse_uri(text)
        except SipError as error:
            raise ParamError(f"modparam siptrace:send_sock_addr expects a SIP URI: {error}") from None
        found = find_socket(self.proxy, f"{uri.transport or 'udp'}:{uri.host}:{uri.port or 5060}")
        if found is None:
            log.warning("siptrace: %s is none of the listen sockets", text)
        return found

    def _destination(self, text: str) -> Dest | None:
        """Where a SIP URI leads, None, logged, when nowhere."""
        try:
            uri = parse_uri(text)
        except SipError as error:
            log.error("siptrace: %s", error)
            return None
        if not uri.is_sip or not uri.host:
            log.error("siptrace: expected a SIP URI, got %s", text)
            return None
        host = strip_brackets(uri.host)
        ip = canonical_ip(host)
        if not ip and not self.proxy.sandbox:
            ip = self.proxy.wait(lambda: resolved(host))
        if not ip:
            log.error("siptrace: %s cannot be resolved", host)
            return None
        proto = uri.transport or "udp"
        return Dest(proto, ip, uri.port_no or DEFAULT_PORTS.get(proto, 5060))

    # -- copies -------------------------------------------------------------------------------------------------------

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        if self.proxy.sandbox:
            log.info("siptrace: a sandbox sends no copy to %s", dest.text)
            return True
        listen = self._listen if self._listen is not None and self._listen.proto == dest.proto else None
        listen = listen or self.proxy.pick_listen(dest.proto, dest.ip)
        return self.proxy.transmit(data, Dest(dest.proto, dest.ip, dest.port, listen))

    def _mirror(self, message: Captured, dest: Dest | None, correlation: str) -> bool:
        """Send a copy as HEP. False when it cannot be."""
        dest = dest or self._dest
        if dest is None:
            log.error("siptrace: there is nowhere to send a copy: set modparam siptrace:duplicate_uri")
            return False
        try:
            if self.hep_version == 3:
                data = hep.encode(message, self.hep_capture_id, correlation, self.auth_key)
            else:
                data = hep.encode_old(message, self.hep_version, self.hep_capture_id)
        except hep.HepError as error:
            log.error("siptrace: %s", error)
            return False
        return self._transmit(data, dest)

    def _duplicate(self, message: Captured, dest: Dest | None) -> bool:
        """Send a copy as it is, with the addresses when these are wanted."""
        dest = dest or self._dest
        if dest is None:
            log.error("siptrace: there is nowhere to send a copy: set modparam siptrace:duplicate_uri")
            return False
        data = message.data
        if self.xheaders_write:
            seconds = int(message.time)
            at = data.find(b"\r\n\r\n")
            fields = (
                f"X-Siptrace-Fromip: {address(message, True)}\r\nX-Siptrace-Toip: {address(message, False)}\r\n"
                f"X-Siptrace-Time: {seconds} {int((message.time - seconds) * 1e6)}\r\n"
                f"X-Siptrace-Method: {method_of(data)}\r\nX-Siptrace-Dir: {'out' if message.out else 'in'}\r\n"
            )
            if at >= 0:
                data = data[: at + 2] + fields.encode("latin-1") + data[at + 2 :]
        return self._transmit(data, dest)

    def _store(self, message: Captured, users: list[str], table: str) -> bool:
        """Insert the rows. False when they cannot be."""
        db = self._db
        if db is None:
            log.error("siptrace: there is no database to store in")
            return False
        try:
            msg = SipMessage(message.data.decode("latin-1"))
            callid, method = msg.callid, msg.method
            from_ = msg.from_
            fromtag = (from_.tag or "") if from_ is not None else ""
        except SipError as error:
            log.error("siptrace: a message that cannot be read is not stored: %s", error)
            return False
        seconds = int(message.time)
        fromip = address(message, True)
        if message.out and self.trace_local_ip:
            fromip = f"{message.proto}:{self.trace_local_ip}"
        row: dict[str, Value] = {
            "time_stamp": to_column(seconds),
            "time_us": int((message.time - seconds) * 1e6),
            "callid": callid,
            "msg": message.data,
            "method": method,
            "status": "" if msg.is_request else str(msg.status),
            "fromip": fromip,
            "toip": address(message, False),
            "fromtag": fromtag,
            "totag": msg.to_tag,
            "direction": "out" if message.out else "in",
        }
        try:
            for user in users or [""]:
                db.insert(table or self.table, {**row, "traced_user": user})
        except StoreError as error:
            log.error("siptrace: %s", error)
            return False
        return True

    def _copy(self, message: Captured, trace: _Trace) -> bool:
        """One message of a trace. False when it was neither sent nor stored as wanted."""
        done = True
        if trace.dest is not None or self._dest is not None:
            sent = (
                self._mirror(message, trace.dest, trace.correlation)
                if self.hep_mode_on
                else self._duplicate(message, trace.dest)
            )
            done = done and sent
        elif not self.trace_to_database:
            log.error("siptrace: nothing is done with copies: set duplicate_uri or trace_to_database")
            return False
        if self.trace_to_database:
            done = self._store(message, trace.users, trace.table) and done
        return done

    # -- the wire -----------------------------------------------------------------------------------------------------

    def _seen(self, record: Record) -> None:
        """A message has come or leaves. Never raises."""
        if not self.on or record.origin:
            return
        try:
            if self.trace_mode:
                self._all(record)
            if self._branches or self._dialogs:
                self._follow(record)
        except Exception:
            log.exception("siptrace: message %d", record.id)

    def _all(self, record: Record) -> None:
        if self.evcb_msg and self._dropped(record):
            return
        message = captured(record, self.proxy.pick_listen)
        if self.trace_mode & _MIRROR:
            self._mirror(message, None, "")
        if self.trace_mode & _STORE:
            self._store(message, [], "")
        if self.trace_mode & _DUPLICATE:
            self._duplicate(message, None)

    def _dropped(self, record: Record) -> bool:
        script = self.proxy.script
        if script is None or not script.has(self.evcb_msg):
            return False
        try:
            msg = SipMessage(record.data, record.where if isinstance(record.where, Rcv) else None)
        except SipError:
            return False
        run = Run(self.proxy, msg, EVENT_ROUTE, record)
        script.call(run, self.evcb_msg, "siptrace:msg")
        return run.dropped

    def _follow(self, record: Record) -> None:
        branch = branch_of(record.data)
        now = self.proxy.now
        for known, key, idle in (
            (self._branches, branch, _IDLE),
            (self._dialogs, callid_of(record.data) if self._dialogs else "", _IDLE_DIALOG),
        ):
            trace = known.get(key) if key else None
            if trace is None and known is self._branches and record.out and record.cause:
                # A request that leaves has a branch of its own: it belongs to what made it leave.
                cause = self.proxy.recorder.get(record.cause)
                trace = known.get(branch_of(cause.data)) if cause is not None else None
                if trace is not None and not record.data.startswith("SIP/2.0 "):
                    self._know(known, branch, trace)
            if trace is None:
                continue
            if trace.until < now:
                known.pop(key, None)
                continue
            trace.until = now + idle
            self._copy(captured(record, self.proxy.pick_listen), trace)
            return

    def _know(self, known: OrderedDict[str, _Trace], key: str, trace: _Trace) -> None:
        if key:
            known[key] = trace
            if len(known) > _MOST:
                known.popitem(last=False)

    # -- functions ----------------------------------------------------------------------------------------------------

    def _trace(self, run: Run, uri: str, correlation: str, mode: str) -> int:
        if not self.on:
            return -1
        dest = None
        if uri:
            dest = self._destination(uri)
            if dest is None:
                return -1
        users = [str(user) for user in run.avps.get_all(self._user)] if self._user is not None else []
        table = run.avps.get(self._table) if self._table is not None else None
        trace = _Trace(dest, correlation, users, str(table) if table is not None else "")
        msg = run.msg
        if mode in ("t", "d") and msg.is_request and not self.proxy.sandbox:
            self._tap()
            if mode == "d" and msg.method == "INVITE" and not msg.to_tag:
                trace.until = self.proxy.now + _IDLE_DIALOG
                self._know(self._dialogs, msg.callid, trace)
            else:
                trace.until = self.proxy.now + _IDLE
                self._know(self._branches, branch_of(msg.buf), trace)
        message = self._message(run)
        return 1 if message is not None and self._copy(message, trace) else -1

    def _message(self, run: Run) -> Captured | None:
        """The message at hand; in an onsend route as it leaves."""
        now = self.proxy.wall()
        if run.route == ONSEND_ROUTE and isinstance(run.dest, Dest):
            dest = run.dest
            listen = dest.listen or self.proxy.pick_listen(dest.proto, dest.ip)
            source = (listen.host, listen.port) if listen is not None else ("0.0.0.0", 0)
            data = str(run.local.get("text", run.msg.buf)).encode("latin-1")
            return Captured(now, dest.proto, *source, dest.ip, dest.port, data, out=True)
        rcv = run.msg.rcv
        if rcv is None:
            log.error("sip_trace: the message did not come from the network")
            return None
        data = run.msg.buf.encode("latin-1")
        return Captured(now, rcv.proto, rcv.src_ip, rcv.src_port, rcv.dst_ip, rcv.dst_port, data, out=False)

    @export
    def sip_trace(self, run: Run) -> int:
        """Copy this message: 1, -1 when tracing is off or nothing can be done with the copy."""
        return self._trace(run, "", "", "m")

    @export
    def sip_trace_dst(self, run: Run, duri: str) -> int:
        """``sip_trace`` to a SIP URI, '' for duplicate_uri."""
        return self._trace(run, duri, "", "m")

    @export
    def sip_trace_dst_cid(self, run: Run, duri: str, cid: str) -> int:
        """``sip_trace_dst`` with a correlation id for HEP 3."""
        return self._trace(run, duri, cid, "m")

    @export
    def sip_trace_dst_cid_type(self, run: Run, duri: str, cid: str, stype: str) -> int:
        """``sip_trace_dst_cid`` of the message (m), its transaction (t) or dialog (d)."""
        mode = stype[:1].lower() or "m"
        if mode not in "mtd":
            log.error("sip_trace: expected the type m, t or d, got %r", stype)
            return 1
        return self._trace(run, duri, cid, mode)

    @export
    def sip_trace_mode(self, run: Run, smode: str) -> int:
        """``sip_trace`` of the message (m), its transaction (t) or dialog (d)."""
        return self._trace(run, "", "", smode[:1].lower() or "m")

    @export
    def sip_trace_msg(self, run: Run, vmsg: str, saddr: str, taddr: str, daddr: str, corrid: str) -> int:
        """Send a text as HEP to the URI daddr, as if it went from saddr to taddr (proto:ip:port): 1, or -1.

        ``corrid``: a correlation id, '' for none. Kamailio 5.8 and later.
        """
        ends = []
        for text in (saddr, taddr):
            proto, _, rest = text.partition(":")
            host, _, port = rest.rpartition(":")
            ip = canonical_ip(strip_brackets(host))
            if proto not in DEFAULT_PORTS or not ip or not port.isdigit() or int(port) > 65535:
                log.error("sip_trace_msg: expected an address such as udp:192.0.2.1:5060, got %r", text)
                return -1
            ends.append((proto, ip, int(port)))
        dest = self._destination(daddr)
        if dest is None or not vmsg:
            return -1
        (proto, source, source_port), (_, target, target_port) = ends
        data = vmsg.encode("latin-1")
        message = Captured(self.proxy.wall(), proto, source, source_port, target, target_port, data, out=True)
        return 1 if self._mirror(message, dest, corrid) else -1

    def _hlog(self, run: Run, correlation: str, text: str) -> int:
        dest = self._dest
        rcv = run.msg.rcv
        if dest is None:
            log.error("hlog: set modparam siptrace:duplicate_uri first")
            return -1
        listen = rcv.listen if rcv is not None else self.proxy.pick_listen("udp", dest.ip)
        if listen is None:
            return -1
        data = text.encode("latin-1")
        line = Captured(self.proxy.wall(), "udp", listen.host, listen.port, dest.ip, dest.port, data, out=True)
        try:
            packet = hep.encode_log(line, self.hep_capture_id, correlation, self.auth_key)
        except hep.HepError as error:
            log.error("hlog: %s", error)
            return -1
        return 1 if self._transmit(packet, dest) else -1

    @export
    def hlog(self, run: Run, message: str) -> int:
        """Send a line of a log to duplicate_uri as HEP 3, with this message's Call-ID: 1, -1."""
        return self._hlog(run, run.msg.callid, message)

    @export
    def hlog_cid(self, run: Run, correlationid: str, message: str) -> int:
        """``hlog`` with a correlation id."""
        return self._hlog(run, correlationid, message)

    @rpc("siptrace.status")
    def rpc_status(self, params: list[Any]) -> str:
        """on, off or check: whether messages are traced."""
        if not params:
            raise RpcError(500, "Not enough parameters (on, off or check)")
        word = str(params[0]).lower()
        if word not in ("on", "off", "check"):
            raise RpcError(500, "Bad parameter (on, off or check)")
        if word != "check":
            self.on = word == "on"
        return "Enabled" if self.on else "Disabled"
