"""Where messages go: next hops from URIs, destinations of replies, stateless forwarding (RFC 3261 16.11, 18.2.2)."""

from __future__ import annotations

import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from .capture.recorder import Record
from .net.address import CARRIERS, DEFAULT_PORTS, PROTOS, SND_CLOSE, SND_NO_CONNECT, STREAMS, Dest, canonical_ip
from .run import ONSEND_ROUTE, Run
from .sip.build import build_forwarded_reply, build_request, via_line
from .sip.errors import ParseError, SipError
from .sip.nameaddr import parse_nameaddrs
from .sip.uri import parse_uri
from .sip.via import parse_vias

if TYPE_CHECKING:
    from .net.address import Listen
    from .proxy import Proxy
    from .pv.state import Avps
    from .sip.message import SipMessage
    from .sip.via import Via

__all__ = [
    "Hop",
    "NoConnection",
    "NoSocket",
    "branch_hash",
    "check_linked",
    "connect",
    "forward_reply",
    "forward_request",
    "next_hop",
    "onsend",
    "reply_dest",
    "via_conid",
]

log = logging.getLogger("ksrcore")

_CACHE_MAX: Final = 4096
_hops: dict[str, Hop] = {}


#: What forward_request gives when there is no socket for the destination.
E_NO_SOCKET = -7


class NoSocket(Exception):
    """No listen socket of that transport and address family: Kamailio's E_NO_SOCKET."""


class NoConnection(NoSocket):
    """No WebSocket connection to send by: Kamailio finds that when it makes the Via, and tells of no memory."""


class Hop:
    """Where a URI leads: ``host`` as written, ``ip`` when it is a literal address ('' for a name), ``port`` (0 when the
    URI has none and a name must be looked up), ``proto`` ('' likewise)."""

    __slots__ = ("host", "ip", "port", "proto")

    def __init__(self, host: str, ip: str, port: int, proto: str) -> None:
        self.host = host
        self.ip = ip
        self.port = port
        self.proto = proto

    def __repr__(self) -> str:
        return f"<Hop {self.proto or '?'}:{self.host}:{self.port}>"


def next_hop(uri: str) -> Hop:
    """The hop of a SIP URI. Raises :class:`SipError` when it is none."""
    hop = _hops.get(uri)
    if hop is None:
        hop = _parse_hop(uri)
        if len(uri) <= 512:  # a flood of long ones would fill the memory
            if len(_hops) >= _CACHE_MAX:
                _hops.clear()
            _hops[uri] = hop
    return hop


def _parse_hop(text: str) -> Hop:
    uri = parse_uri(text)
    if not uri.is_sip or not uri.host:
        raise ParseError("SIP URI with a host to send to", text)
    secure = uri.scheme == "sips"
    proto = uri.transport
    if proto not in PROTOS or proto == "wss":
        # Kamailio too takes UDP for a transport that it does not know; RFC 7118 has sips and ws for wss.
        proto = ""
    if secure:
        proto = {"": "tls", "udp": "tls", "tcp": "tls"}.get(proto, proto)
    host = uri.param("maddr") or uri.host
    ip = canonical_ip(host)
    if not ip:
        return Hop(host, "", uri.port_no, proto)
    proto = proto or "udp"
    return Hop(host, ip, uri.port_no or DEFAULT_PORTS["tls" if proto == "tls" else "udp"], proto)


def path_uri(path: str) -> str:
    """The URI of the first value of a Path or Route value, where a branch with a path is sent to."""
    return parse_nameaddrs(path)[0].uri


def connect(
    proxy: Proxy, msg: SipMessage | None, proto: str, ip: str, port: int, socket: Listen | None = None, conid: int = 0
) -> Dest:
    """The destination with its send socket: ``socket`` or the script's choice when they fit, else the network's.

    Raises :class:`NoSocket`.
    """
    listen = socket
    flags = 0
    rcv = None
    if msg is not None:
        rcv = msg.rcv
        if listen is None:
            listen = msg.force_socket
        if proto != "udp":
            if msg.no_connect:
                flags |= SND_NO_CONNECT
            if msg.close_after:
                flags |= SND_CLOSE
    if listen is not None and listen.proto != proto:
        listen = listen.over(proto)
    if listen is None or (":" in listen.host) != (":" in ip):
        # Kamailio (mhomed=0) sends from where the message came in, when transport and family allow.
        listen = rcv.listen.over(proto) if rcv is not None else None
        if listen is None or (":" in listen.host) != (":" in ip):
            listen = proxy.pick_listen(proto, ip)
        if listen is None:
            raise NoSocket(f"no {proto} socket to send to {ip}:{port}")
    return Dest(proto, ip, port, listen, conid, flags)


def via_conid(msg: SipMessage) -> int:
    """The connection a request came by, for our Via: 0 for none that it names."""
    rcv = msg.rcv
    return rcv.conid if rcv is not None and rcv.proto in STREAMS else 0


def check_linked(proxy: Proxy, dest: Dest) -> None:
    """For a transport that has connections only its peers can open. Raises :class:`NoConnection` without one."""
    network = proxy.network
    if dest.proto in CARRIERS and network is not None and not network.linked(dest):
        raise NoConnection(f"no WebSocket connection with {dest.text}; only the other side can open one")


def reply_dest(msg: SipMessage) -> Dest:
    """Where replies to a request go: back over its connection, or to its source address, the port being the source's
    when rport was asked for (RFC 3581) and the Via's otherwise. They leave by the socket it came in by, whatever socket
    is forced for requests."""
    rcv = msg.rcv
    if rcv is None:
        raise ParseError("a message that came from the network", msg.buf)
    listen = rcv.listen
    if rcv.proto != "udp":
        flags = 0
        if msg.reply_no_connect:
            flags |= SND_NO_CONNECT
        if msg.reply_close:
            flags |= SND_CLOSE
        # The connection may be gone: then a new one is opened to where the Via says (RFC 3261 18.2.2).
        return Dest(rcv.proto, rcv.src_ip, rcv.src_port, listen, rcv.conid, flags)
    ip, port = rcv.src_ip, rcv.src_port
    if not msg.force_rport:
        via = msg.via
        if via is not None and via.rport is None:
            port = via.port_no or DEFAULT_PORTS["udp"]
            if msg.reply_to_via:
                ip = canonical_ip(via.host) or ip
    return Dest("udp", ip, port, listen)


def onsend(proxy: Proxy, msg: SipMessage, dest: Dest, text: str, run: Run) -> bool:
    """Run ``ksr_onsend_route`` for a request about to leave, when the script has it. False: the script dropped it."""
    script = proxy.script
    if script is None or run.route == ONSEND_ROUTE or not script.has("ksr_onsend_route"):
        return True  # what an onsend route itself forwards runs none, or it might never end
    t = run.t
    if t is not None and t.engine is not None and not t.local:
        t.engine.hooks.after_replies(t, _reply_left)
    return not _run_onsend(proxy, msg, dest, text, run.record, run.avps, t, run.branch).dropped


def _run_onsend(
    proxy: Proxy, msg: SipMessage, dest: Dest, text: str, record: Record, avps: Avps | None, t: Any, branch: int
) -> Run:
    sending = Run(proxy, msg, ONSEND_ROUTE, record, avps, t, branch)
    sending.t_lookup = True
    sending.dest = dest
    sending.local["text"] = text
    assert proxy.script is not None
    proxy.script.call(sending, "ksr_onsend_route")
    return sending


def _reply_left(event: int, t: Any, run: Run | None, reply: SipMessage | None, code: int) -> None:
    """A reply left upstream: ``ksr_onsend_route`` runs for one that was forwarded, whose drop means nothing.

    As in Kamailio, whose replies of its own run none, and which gives the route no AVPs of the transaction here.
    """
    proxy: Proxy = t.engine.proxy
    script = proxy.script
    dest = t.reply_dest
    if reply is None or dest is None or script is None or not script.has("ksr_onsend_route"):
        return
    record = proxy.recorder.get(reply.id) or Record(reply.id, proxy.wall(), dest, reply.buf)
    via = reply.via
    branch = via.branch.rpartition(".")[2] if via is not None else ""
    index = int(branch) if branch.isascii() and branch.isdigit() else -1
    _run_onsend(proxy, reply, dest, t.response, record, None, t, index)


# -- branch ids -------------------------------------------------------------------------------------------------------


def branch_hash(callid: str, cseq: str) -> int:
    """The first part of our branch ids: of Call-ID and CSeq number, 16 bits, as Kamailio's entry of its hash table."""
    return crc32((callid + cseq).encode("latin-1")) & 0xFFFF


def _stateless_branch(proxy: Proxy, msg: SipMessage) -> str:
    """The same for each retransmission (RFC 3261 16.11): made from what identifies the transaction upstream."""
    via = msg.via
    top = via.text if via is not None else ""
    cseq = msg.index.get("cseq")
    # The body's first word, read by hand: a field that cannot be parsed is forwarded as well.
    number = cseq.body.split(None, 1)[0] if cseq is not None and cseq.body else ""
    # A CANCEL and the ACK of a negative reply must go out with their INVITE's branch: no method in it.
    seed = f"{top}|{msg.callid}|{number}|{msg.ruri}|{proxy.name}"
    digest = blake2b(seed.encode("latin-1"), digest_size=16).hexdigest()
    return f"z9hG4bK{branch_hash(msg.callid, number):x}.{digest}.0"


# -- stateless forwarding ---------------------------------------------------------------------------------------------


def forward_request(run: Run, uri: str = "", *, proto: str = "", alone: int = -1) -> int:
    """Forward the run's request to ``uri``, or where its own state says, without a transaction.

    ``alone``: from 0 on, ours is to be the only Via, with that number of a branch: replies end here.
    1: done, or to be done when the host name is resolved; -1: it could not be sent, -7: no socket for it. Raises
    :class:`SipError` for a URI that leads nowhere.
    """
    msg = run.msg
    proxy = run.proxy
    if not uri:
        uri = msg.dst_uri or (path_uri(msg.path) if msg.path else msg.uri)
    hop = next_hop(uri)
    run.handled = True
    if hop.ip:
        return _send_request(run, proto or hop.proto, hop.ip, hop.port, alone)
    if proxy.resolve is None:
        log.error("cannot forward to %s: this proxy resolves no names", hop.host)
        return -1

    def resolved(targets: list[tuple[str, str, int]]) -> None:
        for found, ip, port in targets:
            if _send_request(run, found, ip, port, alone) > 0:
                return
        log.error("could not forward a %s to %s: unresolvable or unreachable", msg.method, hop.host)

    proxy.resolve(hop.host, hop.port, proto or hop.proto, resolved)
    return 1


def _send_request(run: Run, proto: str, ip: str, port: int, alone: int = -1) -> int:
    msg = run.msg
    proxy = run.proxy
    try:
        dest = connect(proxy, msg, proto, ip, port)
        check_linked(proxy, dest)
    except NoSocket as error:
        log.error("%s", error)
        return -1 if isinstance(error, NoConnection) else E_NO_SOCKET
    conid = via_conid(msg)
    branch = _stateless_branch(proxy, msg)
    if alone > 0:
        branch = f"{branch[:-1]}{alone}"
    via = via_line(dest.listen, branch, conid, msg.advertise, msg.add_local_rport)  # type: ignore[arg-type]
    text = build_request(msg, msg.uri, via, dest, msg.path, alone=alone >= 0)
    if not onsend(proxy, msg, dest, text, run):
        return 1
    if proxy.send(text, dest, run.record):
        proxy.counters["core:fwd_requests"] += 1
        return 1
    proxy.count("core:err_requests")
    return -1


def forward_reply(run: Run, code: int = 0, reason: str = "") -> bool:
    """Forward the run's reply to where its second Via says. False when it has none, or cannot be sent there now."""
    msg = run.msg
    proxy = run.proxy
    try:
        vias = msg.index["via"].parsed(parse_vias)
        top = vias[0]
        via = vias[1] if len(vias) > 1 else _second_via(msg)
        if via is None:
            return False
        target = _via_target(top, via, msg)
    except SipError as error:
        run.record.error = str(error)
        proxy.count("core:err_replies")
        return False
    line = f"SIP/2.0 {code} {reason}\r\n" if code else ""
    proto, host, port, conid = target
    ip = canonical_ip(host)
    if ip:
        return _send_reply(run, proto, ip, port or DEFAULT_PORTS[proto], conid, line)
    if proxy.resolve is None:
        log.error("cannot forward a reply to %s: this proxy resolves no names", host)
        return False

    def resolved(targets: list[tuple[str, str, int]]) -> None:
        for found, address, number in targets:
            if found == proto and _send_reply(run, proto, address, port or number, conid, line):
                return

    proxy.resolve(host, port, proto, resolved)
    return True


def _second_via(msg: SipMessage) -> Via | None:
    fields = msg.all("via")
    return fields[1].parsed(parse_vias)[0] if len(fields) > 1 else None


def _via_target(top: Via, via: Via, msg: SipMessage) -> tuple[str, str, int, int]:
    proto = via.transport.lower()
    if proto not in PROTOS:
        raise ParseError("Via of a known transport", via.text)
    port = int(via.rport) if via.rport and via.rport.isascii() and via.rport.isdigit() else via.port_no
    conid = 0
    if top.i and proto != "udp":
        try:
            conid = int(top.i, 16)
        except ValueError:
            conid = 0
    return proto, via.maddr or via.received or via.host, port, conid


def _send_reply(run: Run, proto: str, ip: str, port: int, conid: int, line: str) -> bool:
    proxy = run.proxy
    try:
        dest = connect(proxy, run.msg, proto, ip, port, None, conid)
    except NoSocket as error:
        log.error("%s", error)
        return False
    text = build_forwarded_reply(run.msg, dest, line)
    if proxy.send(text, dest, run.record):
        proxy.count("core:fwd_replies")
        script = proxy.script
        if script is not None and run.route != ONSEND_ROUTE and script.has("ksr_onsend_route"):
            _run_onsend(proxy, run.msg, dest, text, run.record, run.avps, None, -1)
        return True
    proxy.count("core:err_replies")
    return False
