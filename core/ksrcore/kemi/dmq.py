"""Kamailio's dmq: KDMQ requests between the nodes of a cluster, by channels, and who is a node.

A node tells the nodes of ``notification_address`` of itself and learns of the others by their answer, and again every
``ping_interval`` seconds. Other modules have a channel each (:meth:`Dmq.register`); scripts send on any. A node that
does not answer is disabled, then forgotten; those of ``notification_address`` stay. What a node says of others is
believed as far as it is readable (Kamailio 5.6 stops working after one bad line).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..net.address import canonical_ip
from ..run import Run
from ..sip.errors import SipError
from ..sip.message import Branch, SipMessage
from ..sip.uri import parse_uri
from ..tm import uac, uas
from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..tm.transaction import Transaction

__all__ = ["Answer", "Dmq", "Node"]

log = logging.getLogger("ksrcore.dmq")

ACTIVE, DISABLED, TIMEOUT, PENDING = "active", "disabled", "timeout", "pending"
_STATES = (ACTIVE, DISABLED, TIMEOUT, PENDING)


@dataclass
class Node:
    """``proto`` '': as it comes, UDP. ``notification``: of the parameter notification_address."""

    host: str
    port: int
    proto: str = ""
    status: str = PENDING
    local: bool = False
    notification: bool = False
    ip: str = ""

    @property
    def where(self) -> str:
        transport = f";transport={self.proto}" if self.proto not in ("", "udp") else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{transport}"

    @property
    def uri(self) -> str:
        return f"sip:{self.where}"

    def is_at(self, other: Node) -> bool:
        return (self.host, self.port, self.proto or "udp") == (other.host, other.port, other.proto or "udp")


@dataclass
class Answer:
    """What a channel answers to a request."""

    code: int = 200
    reason: str = "OK"
    ctype: str = ""
    body: str = ""


#: What serves a channel: given the request's body and the node it is from (None: of none that is known).
Peer = Callable[[str, Node | None], Answer]


def parse_node(text: str) -> Node:
    """``sip:HOST[:PORT][;transport=PROTO][;status=STATE]``. Raises ValueError."""
    try:
        uri = parse_uri(text.strip())
    except SipError as error:
        raise ValueError(str(error)) from None
    if not uri.host or uri.scheme not in ("sip", "sips"):
        raise ValueError(f"expected sip:HOST:PORT, got {text!r}")
    params = {name.lower(): value or "" for name, value in (p.partition("=")[::2] for p in text.split(";")[1:])}
    status = params.get("status", PENDING).strip()
    if status not in _STATES:
        raise ValueError(f"expected one of {', '.join(_STATES)}, got the status {status!r}")
    proto = params.get("transport", "").strip().lower()
    host = uri.host.strip("[]")
    port = int(uri.port or 0) or (5061 if proto == "tls" else 5060)
    return Node(host, port, proto, status, ip=canonical_ip(host) or "")


class Dmq(Module):
    name = "dmq"

    server_address = Param("", "sip:HOST:PORT of this node; '' no dmq: str")
    server_socket = Param("", "PROTO:HOST:PORT to send from, by default that of server_address: str")
    notification_address = Param("", "sip:HOST:PORT of a node that knows the others", multi=True)
    notification_channel = Param("notification_peer", "channel of what nodes tell of each other: str")
    multi_notify = Param(0, "only its default: int")
    num_workers = Param(2, "no effect: int")
    worker_usleep = Param(0, "no effect: int")
    ping_interval = Param(60, "seconds between two rounds, from 60: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        #: The latest first.
        self.nodes: list[Node] = []
        self.own: Node | None = None
        self._peers: dict[str, Peer] = {}
        #: Called once, when the first other node has answered.
        self._joined: list[Callable[[], None]] = []
        self._socket = ""

    def start(self) -> None:
        if not self.server_address:
            return
        try:
            self.own = parse_node(self.server_address)
            told = [parse_node(text) for text in self.notification_address]
        except ValueError as error:
            raise ParamError(f"modparam dmq: server_address and notification_address: {error}") from None
        if self.multi_notify:
            raise ParamError("modparam dmq:multi_notify can only be 0 here; leave it out")
        self.own.status, self.own.local = ACTIVE, True
        self._socket = self.server_socket or f"{self.own.proto or 'udp'}:{self.own.where.partition(';')[0]}"
        own = self._socket.lower()
        if not any(f"{listen.proto}:{listen.host}:{listen.port}" == own for listen in self.proxy.listens):
            raise ParamError(f"modparam dmq: {self._socket} is not one of our sockets: set dmq:server_socket")
        self.nodes = [self.own]
        for node in told:
            node.notification = True
            self._add(node)
        self._peers[self.notification_channel] = self._notified
        if self.proxy.sandbox:
            return
        self.proxy.after(0.0, self._announce)
        every = max(self.ping_interval, 60)
        self.proxy.after(every, self._ping, every=every)

    def fork(self, proxy: Proxy) -> Dmq:
        new = super().fork(proxy)
        new.nodes = [Node(**vars(node)) for node in self.nodes]
        new._peers = {new.notification_channel: new._notified}
        return new

    # -- for other modules --------------------------------------------------------------------------------------------

    def register(self, channel: str, peer: Peer, joined: Callable[[], None] | None = None) -> None:
        """Serve a channel; ``joined()`` is called when the first other node has answered."""
        self._peers[channel] = peer
        if joined is not None:
            self._joined.append(joined)

    def broadcast(
        self, channel: str, body: str, ctype: str, *, hops: int = 1, but: Node | None = None, every: bool = False
    ) -> bool:
        """Send to all other nodes that are active (``every``: to all others). False: one could not be sent."""
        sent = True
        for node in self.nodes[:]:
            if not node.local and node is not but and (every or node.status == ACTIVE):
                sent = self.send(channel, node, body, ctype, hops=hops) and sent
        return sent

    def send(self, channel: str, node: Node, body: str, ctype: str, *, hops: int = 1) -> bool:
        """Send a KDMQ request. False: it cannot be made."""
        own = self.own
        if own is None or not channel:
            log.error("dmq: there is no channel, or modparam dmq:server_address is not set")
            return False
        uri = f"sip:{channel}@{node.where}"
        headers = (
            f"To: <{uri}>\r\nFrom: <sip:{channel}@{own.where}>\r\nMax-Forwards: {hops}\r\nContent-Type: {ctype}\r\n"
        )
        engine = self.proxy.modules.tm.engine
        record = self.proxy.fake_run().record
        answered = partial(self._answered, node, channel == self.notification_channel)
        try:
            uac.send(engine, "KDMQ", uri, "", self._socket, headers, body, record, answered, any_body=True)
        except uac.UacError as error:
            log.error("dmq: %s: %s", node.uri, error)
            return False
        return True

    # -- nodes --------------------------------------------------------------------------------------------------------

    def find(self, wanted: Node) -> Node | None:
        return next((node for node in self.nodes if node.is_at(wanted)), None)

    def _add(self, node: Node) -> None:
        self.nodes.insert(0, node)
        if not node.ip and self.proxy.resolve is not None and not self.proxy.sandbox:
            self.proxy.resolve(node.host, node.port, node.proto, partial(self._resolved, node))

    @staticmethod
    def _resolved(node: Node, found: list[tuple[str, str, int]]) -> None:
        if found:
            node.ip = found[0][1]

    def _list(self) -> str:
        return "".join(f"{node.uri};status={node.status}\r\n" for node in self.nodes if node.status == ACTIVE)

    def _announce(self) -> None:
        for node in self.nodes[:]:
            if node.notification:
                self.send(self.notification_channel, node, self._list(), "text/plain", hops=2)

    def _ping(self) -> None:
        self.broadcast(self.notification_channel, self._list(), "text/plain", every=True)

    def _learn(self, body: str) -> bool:
        """Take over what another node says. True: there is one that was not known."""
        new = False
        for line in body.replace("\r\n", "\n").split("\n"):
            if not line.strip():
                continue
            try:
                node = parse_node(line)
            except ValueError as error:
                log.error("dmq: %s", error)
                continue
            known = self.find(node)
            if known is None:
                self._add(node)
                new = True
            elif not known.local and node.status == DISABLED:
                known.status = DISABLED
        return new

    def _notified(self, body: str, sender: Node | None) -> Answer:
        if self._learn(body) and self._hops > 1:
            self.broadcast(self.notification_channel, self._list(), "text/plain", hops=self._hops - 1, but=sender)
        return Answer(200, "OK", "text/plain", self._list())

    _hops = 1

    def _answered(
        self,
        node: Node,
        notification: bool,
        event: int,
        t: Transaction,
        run: Run | None,
        reply: SipMessage | None,
        code: int,
    ) -> None:
        """A node has answered, or did not in time."""
        if node not in self.nodes:
            return
        if 200 <= code < 300:
            if notification:
                if reply is not None:
                    self._learn(reply.body)
                node.status = ACTIVE
                joined, self._joined = self._joined, []
                for call in joined:
                    call()
        elif code == 408:
            if node.notification:
                log.error("dmq: the node %s does not answer", node.uri)
                node.status = PENDING
            elif node.status == ACTIVE:
                log.error("dmq: the node %s does not answer: it is disabled", node.uri)
                node.status = DISABLED
            else:
                log.error("dmq: the node %s does not answer: it is forgotten", node.uri)
                self.nodes.remove(node)
        else:
            log.error("dmq: the node %s answers %d", node.uri, code)

    def _sender(self, run: Run) -> Node | None:
        rcv = run.msg.rcv
        if rcv is None:
            return None
        found = [n for n in self.nodes if not n.local and n.status == ACTIVE and n.ip == rcv.src_ip]
        return next((node for node in found if node.port == rcv.src_port), found[0] if found else None)

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    def _handle(self, run: Run, rc: int) -> int:
        msg = run.msg
        if not msg.is_request:
            return -1
        try:
            to = msg.to
            channel = parse_uri(to.uri).user if to is not None else ""
        except SipError as error:
            log.error("dmq: the To field cannot be read: %s", error)
            return -1
        peer = self._peers.get(channel or "")
        if peer is None:
            answer = Answer(404, "User Not Found")
        else:
            maxfwd = msg.get("max-forwards")
            self._hops = int(maxfwd.body) if maxfwd is not None and maxfwd.body.isdigit() else 1
            answer = peer(msg.body, self._sender(run))
        if answer.ctype:
            msg.reply_lumps.append(f"Content-Type: {answer.ctype}\r\n")
        if answer.body:
            msg.reply_body = ("", answer.body)
        self.proxy.modules.sl.reply(run, answer.code, answer.reason)
        return rc

    @export
    def handle_message(self, run: Run) -> int:
        """Answer a KDMQ request by the channel in its To, 404 for none: 0."""
        return self._handle(run, 0)

    @export
    def handle_message_rc(self, run: Run, rval: int) -> int:
        """``handle_message`` that returns ``rval``."""
        return self._handle(run, rval)

    @export
    def process_message(self, run: Run) -> int:
        """The same as ``handle_message``."""
        return self._handle(run, 0)

    @export
    def process_message_rc(self, run: Run, rval: int) -> int:
        """The same as ``handle_message_rc``."""
        return self._handle(run, rval)

    def _custom(self, peer_str: str, node_str: str, body_str: str) -> int:
        try:
            node = parse_node(node_str)
        except ValueError as error:
            log.error("dmq: %s", error)
            return -1
        peer = self._peers.get(peer_str)
        if peer is None:
            log.error("dmq: there is no channel %r", peer_str)
            return -1
        self._hops = 1
        peer(body_str, self.find(node) or node)
        return 1

    @export
    def process_custom_message(self, run: Run, peer_str: str, node_str: str, body_str: str, ct_str: str) -> int:
        """Give a body to a channel as if the node sip:HOST:PORT had sent it: 1, -1 no such.

        Kamailio 6.2 and later.
        """
        return self._custom(peer_str, node_str, body_str)

    @export
    def handle_custom_message(self, run: Run, peer_str: str, node_str: str, body_str: str, ct_str: str) -> int:
        """The same as ``process_custom_message``."""
        return self._custom(peer_str, node_str, body_str)

    @export
    def send_message(self, run: Run, peer_str: str, to_str: str, body_str: str, ct_str: str) -> int:
        """Send on the channel ``peer_str`` to the node ``to_str`` (sip:HOST:PORT): 1, -1 when it is not known."""
        try:
            node = self.find(parse_node(to_str))
        except ValueError as error:
            log.error("dmq: %s", error)
            return -1
        if node is None:
            log.error("dmq: there is no node %s", to_str)
            return -1
        return 1 if self.send(peer_str, node, body_str, ct_str) else -1

    @export
    def bcast_message(self, run: Run, peer_str: str, body_str: str, ct_str: str) -> int:
        """Send on the channel ``peer_str`` to all other active nodes: 1, -1 when it cannot be."""
        return 1 if peer_str and self.broadcast(peer_str, body_str, ct_str) else -1

    @export
    def is_from_node(self, run: Run) -> int:
        """1 when the message comes from the address of another active node, else -1."""
        return 1 if self._sender(run) is not None else -1

    @export
    def t_replicate(self, run: Run) -> int:
        """Relay a copy of the request to all other active nodes, unless it is from one: 0, or -1."""
        return self._replicate(run, False)

    @export
    def t_replicate_mode(self, run: Run, mode: int) -> int:
        """``t_replicate``; with ``mode`` 1 wherever the request is from."""
        return self._replicate(run, bool(mode))

    def _replicate(self, run: Run, anyway: bool) -> int:
        msg = run.msg
        if not msg.is_request or (not anyway and self._sender(run) is not None):
            return -1
        nodes = [node for node in self.nodes if not node.local and node.status == ACTIVE]
        if not nodes:
            return 0
        before = (msg.dst_uri, msg.branches)
        uri = msg.new_uri or msg.ruri
        msg.dst_uri = nodes[0].uri
        msg.branches = [Branch(uri, dst_uri=node.uri) for node in nodes[1:]]
        try:
            result = uas.relay(self.proxy.modules.tm.engine, run, flags=1)
        finally:
            msg.dst_uri, msg.branches = before
            run.local.pop("uri", None)
        if result > 0 and run.t is not None and run.t.status < 200:
            run.t.make_local()
        return 0 if result > 0 else -1

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("dmq.list_nodes")
    def rpc_list_nodes(self, params: list[Any]) -> list[dict[str, Any]]:
        """All nodes, this one too."""
        return [
            {
                "host": node.host,
                "port": str(node.port),
                "proto": node.proto or "*",
                "resolved_ip": node.ip,
                "status": node.status,
                "last_notification": 0,
                "local": int(node.local),
            }
            for node in self.nodes
        ]

    @rpc("dmq.remove")
    def rpc_remove(self, params: list[Any]) -> str:
        """Forget a node, by its sip:HOST:PORT; fine without one."""
        if not params:
            raise RpcError(500, "Invalid Parameters")
        try:
            found = self.find(parse_node(str(params[0])))
        except ValueError:
            raise RpcError(500, "Failure") from None
        if found is not None and not found.local:
            self.nodes.remove(found)
        return "Ok. DMQ node removed."
