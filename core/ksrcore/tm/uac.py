"""Requests of our own: ``t_uac_send()``, and what other modules send (RFC 3261 8.1)."""

from __future__ import annotations

import logging
from hashlib import md5
from typing import TYPE_CHECKING, Any

from ..forward import NoSocket, connect, next_hop
from ..net.address import AddressError, parse_listen
from ..pv.state import Avps
from ..run import LOCAL_ROUTE, Run
from ..sip.build import via_line
from ..sip.errors import SipError
from ..sip.message import Header, SipMessage
from . import client as clients
from .hooks import COMPLETED, Callback
from .states import RESOLVING
from .timers import NEVER
from .transaction import T_DISABLE_INTERNAL_REPLY, Client, Transaction

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..net.address import Listen
    from .engine import Engine

log = logging.getLogger("ksrcore.tm")

__all__ = ["UacError", "acknowledge", "send"]


class UacError(ValueError):
    """A request of our own cannot be made: what is wrong with the arguments, in one line."""


def send(
    engine: Engine,
    method: str,
    ruri: str,
    next_hop_uri: str,
    socket: str,
    headers: str,
    body: str,
    record: Record,
    callback: Callback | None = None,
    routes: str = "",
    *,
    any_body: bool = False,
) -> Transaction:
    """Send a request with a transaction. Raises :class:`UacError`.

    ``headers``: lines ended by CRLF, with From and To at least; tags, Call-ID and CSeq are made when they are missing.
    ``socket``: ``proto:host:port`` of a listen socket, '' for any. ``callback``: told of the final reply (hooks.py).
    ``routes``: the body of a Route field, which goes after Call-ID. ``any_body``: a body needs no Content-Type.
    """
    proxy = engine.proxy
    try:
        hop = next_hop(next_hop_uri or ruri)
        next_hop(ruri) if not next_hop_uri else None
    except SipError as error:
        raise UacError(f"t_uac_send: {error}") from None
    listen = _socket(engine, socket)
    fields = _fields(headers)
    if body and not any_body and not any(f.key == "content-type" for f in fields):
        raise UacError("t_uac_send: a body needs a Content-Type among the headers")
    rest = _compose(engine, method, fields, body, routes)
    first = f"{method} {ruri} SIP/2.0\r\n"
    send_from = listen or proxy.pick_listen(hop.proto or "udp", hop.ip or "127.0.0.1")
    if send_from is None:
        raise UacError(f"t_uac_send: no {hop.proto or 'udp'} socket to send from")
    try:
        msg = SipMessage(f"{first}{via_line(send_from, 'z9hG4bK0')}{rest}")
    except SipError as error:
        raise UacError(f"t_uac_send: {error}") from None
    if msg.error is not None:
        raise UacError(f"t_uac_send: {msg.error}")
    t = Transaction(engine, msg, record, Avps())
    t.make_local()
    t.flags |= T_DISABLE_INTERNAL_REPLY
    t.extra = {"local": (first, rest)}
    engine.label(t)
    engine.created += 1
    engine.created_local += 1
    lifetime = engine.inv_lifetime if t.is_invite else engine.noninv_lifetime
    t.expires = proxy.now + lifetime if lifetime else NEVER
    if callback is not None:
        engine.hooks.arm(t, COMPLETED, callback)
    _tell(engine, t, record)
    branch = Client(t, 0, ruri, next_hop_uri, "")
    branch.branch = f"{t.prefix}.0"
    branch.socket = listen
    t.branches.append(branch)
    run = Run(proxy, msg, LOCAL_ROUTE, record, t.avps, t, 0)
    run.t_lookup = True
    if hop.ip:
        try:
            clients.build(engine, msg, branch, msg.lumps, hop.proto, hop.ip, hop.port)
        except NoSocket as error:
            engine.free(t)
            raise UacError(f"t_uac_send: {error}") from None
        clients.send(engine, branch, run, failed=True)
        return t
    if proxy.resolve is None:
        engine.free(t)
        raise UacError(f"t_uac_send: cannot send to {hop.host}: this proxy resolves no names")
    branch.state = RESOLVING
    branch.lumps = msg.lumps
    branch.fr_at = min(proxy.now + t.fr, t.expires)
    engine.timers.set(branch, proxy.now, branch.fr_at - proxy.now)
    proxy.resolve(hop.host, hop.port, hop.proto, lambda found: clients.resolved(engine, branch, record, found))
    return t


def _tell(engine: Engine, t: Transaction, record: Record) -> None:
    """The script's callback for requests of our own may still change where it goes."""
    name = engine.cfg.event_callback
    script = engine.proxy.script
    if name and script is not None and script.has(name):
        run = Run(engine.proxy, t.msg, LOCAL_ROUTE, record, t.avps, t, 0)
        run.t_lookup = True
        script.call(run, name, "tm:local-request")


def _socket(engine: Engine, text: str) -> Listen | None:
    if not text:
        return None
    try:
        wanted = parse_listen(text)
    except AddressError as error:
        raise UacError(f"t_uac_send: {error}") from None
    for listen in engine.proxy.listens:
        if listen == wanted:
            return listen
    raise UacError(f"t_uac_send: {text} is not one of our sockets")


def _fields(text: str) -> list[Header]:
    fields = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line:
            try:
                fields.append(Header(line))
            except SipError as error:
                raise UacError(f"t_uac_send: {error}") from None
    keys = {f.key for f in fields}
    if not {"from", "to"} <= keys:
        raise UacError("t_uac_send: the headers need From and To at least")
    return fields


def _compose(engine: Engine, method: str, fields: list[Header], body: str, routes: str = "") -> str:
    """All after the Via, in Kamailio's order."""
    first = {f.key: f for f in reversed(fields)}
    engine.serial += 1
    unique = md5(f"{engine.secret} uac {engine.serial}".encode(), usedforsecurity=False).hexdigest()
    from_ = first["from"].body
    if ";tag=" not in from_.rpartition(">")[2].replace(" ", "").lower():
        # The same for the same Call-ID, as Kamailio's.
        given = f"{engine.secret} {first['call-id'].body}" if "call-id" in first else ""
        tag = md5(given.encode("latin-1"), usedforsecurity=False).hexdigest() if given else unique
        from_ += f";tag={tag[16:]}"
    callid = first["call-id"].body if "call-id" in first else f"{unique[:16]}-{engine.serial}@ksrshell"
    number = first["cseq"].body.split()[0] if "cseq" in first else "10"
    parts = [
        f"To: {first['to'].body}\r\nFrom: {from_}\r\nCSeq: {number} {method}\r\nCall-ID: {callid}\r\n",
        f"Route: {routes}\r\n" if routes else "",
        "" if "max-forwards" in first else "Max-Forwards: 70\r\n",
        f"Content-Length: {len(body)}\r\n",
    ]
    agent = engine.proxy.user_agent_header
    if agent and "user-agent" not in first:
        parts.append(f"{agent}\r\n")
    made = ("from", "to", "cseq", "call-id", "content-length", "via")
    parts.extend(f.raw for f in fields if f.key not in made)
    return f"{''.join(parts)}\r\n{body}"


def acknowledge(engine: Engine, t: Transaction, branch: Client, reply: SipMessage, record: Record) -> None:
    """Send the ACK for a 2xx to an INVITE of our own (RFC 3261 13.2.2.4; ``local_ack_mode``)."""
    try:
        contacts = reply.nameaddrs("contact")
        routes = [r.text for r in reply.nameaddrs("record-route")][::-1] if reply.get("record-route") else []
        hop_uri = reply.nameaddrs("record-route")[-1].uri if routes else ""
        target = contacts[0].uri if contacts else branch.uri
        to, from_, cseq = reply.get("to"), reply.get("from"), reply.cseq
        if to is None or from_ is None or cseq is None:
            return
        hop = next_hop(hop_uri or target)
        mode = engine.cfg.local_ack_mode
        rcv = reply.rcv
        if mode == 1 and branch.dest is not None:
            dest = branch.dest
        elif mode == 2 and rcv is not None:
            dest = connect(engine.proxy, None, rcv.proto, rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid)
        elif hop.ip:
            dest = connect(engine.proxy, None, hop.proto, hop.ip, hop.port, branch.socket)
        else:
            _resolve_ack(engine, t, target, routes, reply, hop, record)
            return
    except (SipError, NoSocket) as error:
        log.error("%s: cannot acknowledge: %s", t, error)
        return
    _send_ack(engine, t, target, routes, reply, dest, record)


def _resolve_ack(
    engine: Engine, t: Transaction, target: str, routes: list[str], reply: SipMessage, hop: Any, record: Record
) -> None:
    proxy = engine.proxy
    if proxy.resolve is None:
        log.error("%s: cannot send the ACK to %s: this proxy resolves no names", t, hop.host)
        return

    def found(targets: list[tuple[str, str, int]]) -> None:
        for proto, ip, port in targets:
            try:
                dest = connect(proxy, None, proto, ip, port)
            except NoSocket:
                continue
            _send_ack(engine, t, target, routes, reply, dest, record)
            return
        log.error("%s: cannot send the ACK: %s is unresolvable", t, hop.host)

    proxy.resolve(hop.host, hop.port, hop.proto, found)


def _send_ack(
    engine: Engine, t: Transaction, target: str, routes: list[str], reply: SipMessage, dest: Any, record: Record
) -> None:
    to, from_, cseq = reply.get("to"), reply.get("from"), reply.cseq
    if to is None or from_ is None or cseq is None:
        return
    engine.serial += 1
    digest = md5(f"{engine.secret}{engine.serial} ack".encode(), usedforsecurity=False).hexdigest()
    via = via_line(dest.listen, f"z9hG4bK{t.id_index:x}.{digest}.0")
    route = "".join(f"Route: {r}\r\n" for r in routes)
    engine.proxy.send(
        f"ACK {target} SIP/2.0\r\n{via}From: {from_.body}\r\nTo: {to.body}\r\nCall-ID: {reply.callid}\r\n"
        f"CSeq: {cseq.number_text} ACK\r\nMax-Forwards: 70\r\n{route}Content-Length: 0\r\n\r\n",
        dest,
        record,
    )
