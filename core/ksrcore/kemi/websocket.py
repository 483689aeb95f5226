"""Kamailio's websocket: SIP over WebSocket (RFC 6455, RFC 7118) on the TCP sockets.

The script calls ``KSR.websocket.handle_handshake()`` in xhttp's callback. From then on the connection carries frames,
and what comes in them are messages by transport ``ws``; messages to that transport leave by a connection there is, the
proxy opens none. ``websocket:closed`` runs ``rm_delay_interval`` seconds after a connection was closed by a close frame
of either side, not when the peer just went away.
"""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ..net.address import Rcv
from ..net.ws import PING, PONG, accept_key
from ..pv.registry import pv
from ..run import EVENT_ROUTE, Run
from .declare import Module, Param, ParamError, RpcError, Value, export, rpc
from .websocket_conn import NORMAL, OPEN, REMOVED, WsConnection

if TYPE_CHECKING:
    from ..proxy import Proxy, Timer

__all__ = ["EVENT", "STATISTICS", "Websocket"]

log = logging.getLogger("ksrcore.websocket")

#: What the callback is given.
EVENT = "websocket:closed"

#: What of a handshake's transport becomes which.
_UPGRADES = {"tcp": "ws", "tls": "wss"}
_EVENT = "websocket"
_VERSION = 13
#: How many connections ws.dump shows.
_SHOWN = 50
_ORDERS = ("id_hash", "used_desc", "used_asc")
_NUMBER = re.compile(r"\s*[+-]?\d+", re.ASCII)

_KINDS = (
    "current_connections failed_connections local_closed_connections max_concurrent_connections received_frames "
    "remote_closed_connections successful_handshakes transmitted_frames"
).split()
#: Kamailio's statistics of the group.
STATISTICS = (
    *(f"ws_{of}{kind}" for of in ("", "sip_", "msrp_") for kind in _KINDS),
    "ws_failed_handshakes",
)


class Websocket(Module):
    name = "websocket"

    keepalive_mechanism = Param(1, "0 no keepalives, 1 ping frames, 2 pong frames: int")
    keepalive_timeout = Param(180, "seconds of silence after which a keepalive is sent: int")
    keepalive_processes = Param(1, "no effect: int")
    keepalive_interval = Param(1, "seconds between two looks for silent connections: int")
    ping_application_data = Param("", "what ping and pong frames carry; '' what the Server header says: str")
    sub_protocols = Param(1, "bits of the sub-protocols: 1 sip; 2 msrp, which needs a module that is not here: int")
    cors_mode = Param(0, "Access-Control-Allow-Origin: 0 none, 1 *, 2 what Origin says: int")
    verbose_list = Param(0, "no effect: int")
    event_callback = Param("", "callback run with websocket:closed; '' none: str")
    timer_interval = Param(1, "seconds between two looks for connections to forget: int")
    rm_delay_interval = Param(5, "seconds that a closed connection is known: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.connections: dict[int, WsConnection] = {}
        self.enabled = True
        self.ping_data = b""
        self._timers: list[Timer] = []

    def start(self) -> None:
        if not self.sub_protocols & 1:
            raise ParamError(
                f"modparam websocket:sub_protocols expects bit 1, for sip, there is no other; got {self.sub_protocols}"
            )
        if not 0 <= self.cors_mode <= 2:
            raise ParamError(f"modparam websocket:cors_mode expects 0, 1 or 2, got {self.cors_mode}")
        for name in ("keepalive_interval", "timer_interval"):
            if getattr(self, name) < 1:
                raise ParamError(f"modparam websocket:{name} expects seconds, 1 or more, got {getattr(self, name)}")

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.connections = {conid: conn.copy(new) for conid, conn in self.connections.items()}
        new._timers = []
        return new

    # -- what connections use -----------------------------------------------------------------------------------------

    def count(self, name: str, by: int = 1, *, sip: bool = False) -> None:
        """Add to a statistic. ``sip``: also to the one of the sub-protocol."""
        counters = self.proxy.counters
        counters[f"websocket:ws_{name}"] += by
        if sip:
            counters[f"websocket:ws_sip_{name}"] += by

    def write(self, conid: int, data: bytes, close: bool) -> bool:
        """Give bytes to the network. In a sandbox nothing leaves, and nothing fails."""
        network = self.proxy.network
        if self.proxy.sandbox or network is None:
            return self.proxy.sandbox
        return network.write(conid, data, close=close)

    def drop(self, conid: int) -> None:
        """End a connection of the network."""
        network = self.proxy.network
        if not self.proxy.sandbox and network is not None:
            network.close_connection(conid)

    def clock(self) -> float:
        """Monotonic seconds; those of the proxy's latest work in a sandbox."""
        return self.proxy.now if self.proxy.sandbox else max(self.proxy.now, time.monotonic())

    # -- connections --------------------------------------------------------------------------------------------------

    def _add(self, http: Rcv) -> Rcv | None:
        """Make a connection carry frames: what its messages come with. None: it is gone, or has none of ours."""
        proto = _UPGRADES[http.proto]
        listen = http.listen.over(proto)
        assert listen is not None
        rcv = Rcv(proto, http.src_ip, http.src_port, http.dst_ip, http.dst_port, listen, http.conid)
        network = self.proxy.network
        if self.proxy.sandbox:
            return rcv
        if network is None:
            return None  # tests without sockets
        conn = WsConnection(self, http, rcv, self.proxy.now, network.options.tcp_rd_buf_size)
        if not network.upgrade(http.conid, conn):
            return None
        self.connections[http.conid] = conn
        self._current(1)
        if not self._timers:
            after = self.proxy.after
            self._timers.append(after(self.timer_interval, self._forget, every=self.timer_interval))
            if self.keepalive_mechanism:
                self._timers.append(after(self.keepalive_interval, self._keepalive, every=self.keepalive_interval))
        return rcv

    def _current(self, by: int) -> None:
        self.count("current_connections", by, sip=True)
        counters = self.proxy.counters
        for of in ("", "sip_"):
            current, most = (f"websocket:ws_{of}{name}_connections" for name in ("current", "max_concurrent"))
            counters[most] = max(counters[most], counters[current])

    def _forget(self) -> None:
        """Of the timer: forget what ended long enough ago, with its event."""
        before = self.proxy.now - self.rm_delay_interval
        gone = [conn for conn in self.connections.values() if conn.state is REMOVED and conn.removed_at <= before]
        for conn in reversed(gone):
            del self.connections[conn.conid]
            self._current(-1)
            if conn.event:
                self._event(conn)
        if not self.connections:
            self.stop()

    def _keepalive(self) -> None:
        """Of the timer: a frame for each silent connection; one that did not answer the last is ended."""
        now = int(self.proxy.now)
        for conn in list(self.connections.values()):
            if conn.state is REMOVED or now - int(conn.last_used) <= self.keepalive_timeout:
                continue
            if conn.awaiting_pong or conn.state is not OPEN:
                log.warning("WebSocket connection %d from %s is silent: closed", conn.conid, conn.peer)
                conn.end(event=True)
            elif conn.send(self._opcode, self.ping_payload()):
                conn.awaiting_pong = self._opcode == PING

    @property
    def _opcode(self) -> int:
        return PING if self.keepalive_mechanism == 1 else PONG

    def ping_payload(self) -> bytes:
        """What our ping and pong frames carry."""
        text = self.ping_application_data or self.proxy.server_header.partition(":")[2].strip()
        self.ping_data = text.encode("latin-1")
        return self.ping_data

    def _event(self, conn: WsConnection) -> None:
        script = self.proxy.script
        if not self.event_callback or script is None or not script.has(self.event_callback):
            return
        run = self.proxy.fake_run()
        run.route = EVENT_ROUTE
        http = conn.http
        # As Kamailio: what the handshake came with, and its connection is gone.
        run.msg.rcv = Rcv(http.proto, http.src_ip, http.src_port, http.dst_ip, http.dst_port, http.listen, 0)
        run.msg.extra[_EVENT] = conn.conid
        self.proxy.event(partial(script.call, run, self.event_callback, EVENT), EVENT)  # type: ignore[arg-type]

    # -- the handshake ------------------------------------------------------------------------------------------------

    @export
    def handle_handshake(self, run: Run) -> int:
        """Answer the HTTP request and let its connection carry frames: 1; 0 when it was refused.

        Refused with 400, 426 (another version than 13), 503 (disabled by RPC) or 500, the connection is closed.
        """
        msg = run.msg
        rcv = msg.rcv
        if not self.enabled:
            log.info("websocket: disabled, the handshake is refused")
            return self._refuse(run, 503, "Service Unavailable")
        if rcv is None or not rcv.conid:
            log.error("websocket: a handshake comes by TCP")
            return self._refuse(run, 500, "Internal Server Error", count=False)
        if rcv.proto not in _UPGRADES:
            log.error("websocket: no handshake by %s", rcv.proto)
            return 0
        upgrade = connection = protocol = version = False
        key: str | None = None
        origin: str | None = None
        for header in msg.headers:
            name, body = header.name.lower(), header.body
            if name == "connection":
                connection = connection or "upgrade" in body.lower()
            elif name == "upgrade":
                upgrade = upgrade or "websocket" in body.lower()
            elif name == "sec-websocket-protocol":
                protocol = protocol or "sip" in body.lower()
            elif name == "sec-websocket-key":
                if key is not None:
                    return self._twice(run, header.name)
                key = body
            elif name == "sec-websocket-version":
                if version:
                    return self._twice(run, header.name)
                number = _NUMBER.match(body)
                if number is None or int(number[0]) != _VERSION:
                    log.warning("websocket: unsupported protocol version %s", body)
                    return self._refuse(run, 426, "Upgrade Required", f"Sec-WebSocket-Version: {_VERSION}\r\n")
                version = True
            elif name == "origin":
                if origin is not None:
                    return self._twice(run, header.name)
                origin = body
        if not (upgrade and connection and protocol and version and key is not None):
            log.warning("websocket: required headers are not present")
            fields = f"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: {_VERSION}\r\n"
            return self._refuse(run, 400, "Bad Request", fields)
        return self._accept(run, rcv, key, origin)

    def _accept(self, run: Run, http: Rcv, key: str, origin: str | None) -> int:
        msg = run.msg
        allowed = ("", "*", origin)[self.cors_mode]
        fields = f"Access-Control-Allow-Origin: {allowed}\r\n" if allowed else ""
        fields += (
            "Sec-WebSocket-Protocol: sip\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n"
        )
        msg.reply_close = False
        msg.reply_no_connect = True  # to the connection, or to nobody
        msg.reply_lumps.append(fields)
        if self.proxy.modules.sl.reply(run, 101, "Switching Protocols") < 0:
            self.count("failed_handshakes")
            return 0
        rcv = self._add(http)
        if rcv is None:
            log.error("websocket: connection %d is gone", http.conid)
            self.count("failed_handshakes")
            self.drop(http.conid)
            return 0
        msg.rcv = rcv
        self.count("successful_handshakes", sip=True)
        return 1

    def _twice(self, run: Run, name: str) -> int:
        log.warning("websocket: %s found multiple times", name)
        return self._refuse(run, 400, "Bad Request")

    def _refuse(self, run: Run, code: int, reason: str, fields: str = "", *, count: bool = True) -> int:
        msg = run.msg
        msg.reply_close = True
        if fields:
            msg.reply_lumps.append(fields)
        if count:
            self.count("failed_handshakes")
        self.proxy.modules.sl.reply(run, code, reason)
        return 0

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def close(self, run: Run) -> int:
        """Close the message's connection with 1000 "Normal closure": 1, -1 when it is no WebSocket connection."""
        return self._close(run, *NORMAL, None)

    @export
    def close_reason(self, run: Run, status: int, reason: str) -> int:
        """Close the message's connection: 1, -1 when it is no WebSocket connection."""
        return self._close(run, status, reason, None)

    @export
    def close_conid(self, run: Run, status: int, reason: str, con: int) -> int:
        """Close the connection of that id: 1, -1 when it is no WebSocket connection."""
        return self._close(run, status, reason, con)

    def _close(self, run: Run, status: int, reason: str, conid: int | None) -> int:
        if conid is None:
            conid = run.msg.rcv.conid if run.msg.rcv is not None else 0
        conn = self._find(conid)
        if conn is None:
            log.error("websocket: there is no WebSocket connection %d", conid)
            return -1
        return 1 if conn.close(status, reason) else -1

    def _find(self, conid: int) -> WsConnection | None:
        conn = self.connections.get(conid)
        return conn if conn is not None and conn.state is not REMOVED else None

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("ws.dump")
    def rpc_dump(self, params: list[Any]) -> dict[str, Any]:
        """The first 50 connections; order: id_hash, used_desc, used_asc."""
        order = str(params[0]) if params else _ORDERS[0]
        if order not in _ORDERS:
            log.warning("ws.dump: bad display order parameter %r", order)
            raise RpcError(400, "Bad display order parameter")
        found = [conn for conn in self.connections.values() if conn.state is not REMOVED]
        if order == "used_desc":
            found.sort(key=lambda conn: conn.last_used)
        elif order == "used_asc":
            found.sort(key=lambda conn: -conn.last_used)
        shown = [conn.text(self.proxy.now) for conn in found[:_SHOWN]]
        truncated = "yes" if len(found) > _SHOWN else "no"
        return {"connections": shown, "info": {"wscounter": len(shown), "truncated": truncated}}

    def _named(self, params: list[Any]) -> WsConnection:
        if not params:
            raise RpcError(500, "Invalid Parameters")
        number = _NUMBER.match(str(params[0]))
        conn = self._find(int(number[0])) if number is not None else None
        if conn is None:
            raise RpcError(500, "Unknown connection ID")
        return conn

    @rpc("ws.close")
    def rpc_close(self, params: list[Any]) -> dict[str, Any]:
        """Start the closing handshake of a connection, by its id."""
        if not self._named(params).close(*NORMAL):
            raise RpcError(500, "Error closing connection")
        return {}

    def _keepalive_now(self, params: list[Any], opcode: int) -> dict[str, Any]:
        conn = self._named(params)
        if not conn.send(opcode, self.ping_payload()):
            raise RpcError(500, "Error sending frame")
        if opcode == PING:
            conn.awaiting_pong = True
        return {}

    @rpc("ws.ping")
    def rpc_ping(self, params: list[Any]) -> dict[str, Any]:
        """Send a ping frame to a connection, by its id."""
        return self._keepalive_now(params, PING)

    @rpc("ws.pong")
    def rpc_pong(self, params: list[Any]) -> dict[str, Any]:
        """Send a pong frame to a connection, by its id."""
        return self._keepalive_now(params, PONG)

    @rpc("ws.enable")
    def rpc_enable(self, params: list[Any]) -> dict[str, Any]:
        """Take handshakes."""
        self.enabled = True
        return {}

    @rpc("ws.disable")
    def rpc_disable(self, params: list[Any]) -> dict[str, Any]:
        """Refuse handshakes; the connections there are stay."""
        self.enabled = False
        return {}


@pv("ws_conid")
def _ws_conid(run: Run) -> Value:
    """The id of the message's connection, 0 for none, or in ``websocket:closed`` of the one that was closed."""
    conid = run.msg.extra.get(_EVENT)
    if isinstance(conid, int):
        return conid
    rcv = run.msg.rcv
    return rcv.conid if rcv is not None else 0
