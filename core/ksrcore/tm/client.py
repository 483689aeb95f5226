"""Towards the destinations: branches are added, sent, retransmitted, given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..forward import Hop, NoSocket, connect, next_hop, onsend, path_uri
from ..net.address import DEFAULT_PORTS
from ..run import BRANCH_ROUTE, Run
from ..sip.build import build_request, via_line
from ..sip.errors import SipError
from . import cancel, replies
from .hooks import REQUEST_FORWARDED
from .states import (
    CALLING,
    CLIENT_INVITE,
    CLIENT_OTHER,
    ERROR,
    FR,
    PROCEEDING,
    RESEND,
    RESOLVING,
    RETR,
    SET_FR,
    SET_RETR,
    SLOW,
    STOP,
    STOP_RETR,
    TIMEOUT,
)
from .timers import NEVER
from .transaction import FORWARDED, T_CANCELED, T_DISABLE_FAILOVER, T_EXPIRED, T_NOISY, Client

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..net.address import Listen
    from ..sip.message import SipMessage
    from .engine import Engine
    from .transaction import Transaction

log = logging.getLogger("ksrcore.tm")

_COPIED = ("flags", "on_reply", "on_branch_failure", "ruid", "instance", "location_ua", "reg_id", "q", "socket")

#: Kamailio's max_branches.
MAX_BRANCHES = 12

# Kamailio's error codes (core/error.h), as relay functions return them.
E_UNSPEC = -1
E_OUT_OF_MEM = -2
E_CFG = -6
E_NO_SOCKET = -7
E_SCRIPT = -10
E_CANCELED = -11
E_BAD_ADDRESS = -478
E_BAD_URI = -400
#: Sending failed: relay functions return -1 for it, and the reply of our own says 477.
E_SEND = -477
E_TOO_MANY_BRANCHES = -500


class Target:
    """One destination of a forking step, and what the script said of it."""

    __slots__ = (
        "uri", "dst_uri", "path", "socket", "flags", "instance", "ruid", "location_ua", "reg_id", "otcpid", "q",
    )  # fmt: skip

    def __init__(self, source: Any, uri: str, socket: Listen | None, flags: int) -> None:
        self.uri = uri
        self.dst_uri = source.dst_uri
        self.path = source.path
        self.socket = socket
        self.flags = flags
        self.instance = source.instance
        self.ruid = source.ruid
        self.location_ua = source.location_ua
        self.reg_id = source.reg_id
        self.otcpid = source.otcpid
        self.q = source.q


def targets(msg: SipMessage, main: bool) -> list[Target]:
    """The destination set of a request: its own URI (``main``) and the branches appended to it."""
    found = [Target(msg, msg.uri, msg.force_socket, msg.bflags)] if main else []
    for branch in msg.branches:
        found.append(Target(branch, branch.uri, branch.socket, branch.flags))
    return found


def forward(
    engine: Engine,
    run: Run,
    t: Transaction,
    msg: SipMessage,
    wanted: list[Target],
    hop: Hop | None = None,
    proto: str = "",
) -> int:
    """Add a branch for each target and send them all. 1, or Kamailio's negative error when none could be.

    ``hop``: where all of them are sent, whatever their URIs say; ``proto``: by which transport.
    """
    if t.flags & T_CANCELED:
        return E_CANCELED
    first = len(t.branches)
    error = E_UNSPEC
    ready: list[Client] = []
    # A resolver may answer at once: what that leads to waits until all branches are there.
    t.forwarding = True
    for target in wanted:
        if len(t.branches) >= MAX_BRANCHES:
            error = E_TOO_MANY_BRANCHES
            break
        made = _add(engine, run, t, msg, target, hop, proto)
        if isinstance(made, Client):
            ready.append(made)
        else:
            error = made
    t.forwarding = False
    if not ready:
        if error != E_CFG:
            log.error("%s: no branch could be added (%d)", t, error)
        return error
    t.kept |= FORWARDED
    t.leg = first
    sent = 0
    for client in ready:
        if client.sent or client.status >= 200:
            sent += 1
        elif client.state == RESOLVING:
            sent += 1
            engine.timers.set(client, engine.proxy.now, client.fr_at - engine.proxy.now)
        elif send(engine, client, run):
            sent += 1
        else:
            error = E_SEND
    if sent:
        if all(client.status >= 200 for client in ready):
            replies.complete(engine, t, run.record)
        return 1
    return error


def _add(
    engine: Engine, run: Run, t: Transaction, msg: SipMessage, target: Target, hop: Hop | None, proto: str
) -> Client | int:
    """A branch for ``target``, its text built when its address is known; or an error code."""
    proxy = engine.proxy
    index = len(t.branches)
    client = Client(t, index, target.uri, target.dst_uri, target.path)
    client.branch = f"{t.prefix}.{index:x}"
    client.flags = target.flags
    client.on_branch_failure = t.on_branch_failure
    client.ruid = target.ruid
    client.instance = target.instance
    client.location_ua = target.location_ua
    client.reg_id = target.reg_id
    client.otcpid = target.otcpid
    client.q = target.q
    client.socket = target.socket
    t.branches.append(client)
    lumps = msg.lumps
    if t.on_branch and proxy.script is not None and proxy.script.has(t.on_branch):
        if not _branch_route(engine, run, t, msg, client):
            t.branches.pop()
            client.t = None
            return E_CFG
        lumps = client.lumps
        client.lumps = None
    try:
        if hop is None:
            hop = next_hop(client.dst_uri or (path_uri(client.path) if client.path else client.uri))
        if hop.ip:
            used = proto or hop.proto
            build(engine, msg, client, lumps, used, hop.ip, hop.port)
            return client
    except SipError as error:
        log.error("%s: bad destination: %s", t, error)
        t.branches.pop()
        client.t = None
        return E_BAD_ADDRESS
    except NoSocket as error:
        log.error("%s: %s", t, error)
        t.branches.pop()
        client.t = None
        return E_NO_SOCKET
    if proxy.resolve is None:
        log.error("%s: cannot send to %s: this proxy resolves no names", t, hop.host)
        t.branches.pop()
        client.t = None
        return E_BAD_ADDRESS
    client.state = RESOLVING
    client.lumps = lumps.copy()
    client.fr_at = min(proxy.now + t.fr, t.expires)
    record = run.record

    proxy.resolve(
        hop.host, hop.port, proto or hop.proto, lambda found: resolved(engine, client, record, found)
    )
    return client


def _branch_route(engine: Engine, run: Run, t: Transaction, msg: SipMessage, client: Client) -> bool:
    """Run the branch route on ``msg`` made to look like this branch. False: the script dropped the branch."""
    proxy = engine.proxy
    before = (
        msg.new_uri, msg.dst_uri, msg.path, msg.bflags, msg.force_socket, msg.lumps, msg.ruid, msg.instance, msg.flags,
        msg.q, msg.branches, msg.location_ua,
    )  # fmt: skip
    if client.uri != msg.ruri or msg.new_uri:
        msg.new_uri = client.uri
    msg.dst_uri = client.dst_uri
    msg.path = client.path
    msg.bflags = client.flags
    msg.force_socket = client.socket
    msg.ruid = client.ruid
    msg.instance = client.instance
    msg.location_ua = client.location_ua
    msg.lumps = msg.lumps.copy()
    msg.branches = []
    inner = Run(proxy, msg, BRANCH_ROUTE, run.record, t.avps, t, client.index)
    inner.t_lookup = True
    name, t.on_branch = t.on_branch, ""
    proxy.script.call(inner, name)  # type: ignore[union-attr]
    t.on_branch = t.on_branch or name
    client.uri = msg.uri
    client.dst_uri = msg.dst_uri
    client.path = msg.path
    client.flags = msg.bflags
    client.socket = msg.force_socket
    client.lumps = msg.lumps
    (
        msg.new_uri, msg.dst_uri, msg.path, msg.bflags, msg.force_socket, msg.lumps, msg.ruid, msg.instance, _,
        msg.q, msg.branches, msg.location_ua,
    ) = before  # fmt: skip
    return not inner.dropped


def build(engine: Engine, msg: SipMessage, client: Client, lumps: Any, proto: str, ip: str, port: int) -> None:
    """The branch's destination and text. Raises NoSocket."""
    dest = connect(engine.proxy, msg, proto, ip, port, client.socket, client.otcpid if proto != "udp" else 0)
    rcv = msg.rcv
    conid = rcv.conid if rcv is not None else 0
    via = via_line(dest.listen, client.branch, conid, msg.advertise, msg.add_local_rport)  # type: ignore[arg-type]
    t = client.t
    if t is not None and t.local and t.extra is not None and "local" in t.extra:
        first, rest = t.extra["local"]
        client.text = first + via + rest
        client.dest = dest
        return
    kept = msg.lumps
    msg.lumps = lumps
    try:
        client.text = build_request(msg, client.uri, via, dest, client.path)
    finally:
        msg.lumps = kept
    client.dest = dest


def resolved(engine: Engine, client: Client, record: Record, found: list[tuple[str, str, int]]) -> None:
    """The addresses of a branch's host name have come, best first."""
    t = client.t
    if t is None or t.engine is None or client.state != RESOLVING:
        return  # timed out or cancelled meanwhile
    msg = t.msg
    run = Run(engine.proxy, msg, BRANCH_ROUTE, record, t.avps, t, client.index)
    run.t_lookup = True
    for at, (proto, ip, port) in enumerate(found):
        try:
            build(engine, msg, client, client.lumps, proto, ip, port)
        except NoSocket as error:
            log.error("%s: %s", t, error)
            continue
        client.targets = found[at + 1 :]
        client.lumps = None
        client.state = CALLING
        if send(engine, client, run, failed=True):
            return
        return
    client.lumps = None
    step(engine, client, ERROR)
    client.reason = "Unresolvable destination"
    replies.settle(engine, t, client, 478, None, record)


def send(engine: Engine, client: Client, run: Run, failed: bool = False) -> bool:
    """Send a branch's request and start its timers. False: it could not be, nor to its other targets.

    ``failed``: tell the transaction then, as a 503 of the branch; else the caller does.
    """
    t = client.t
    dest = client.dest
    if t is None or dest is None:
        return False
    proxy = engine.proxy
    script = proxy.script
    if script is not None and script.has("ksr_onsend_route"):
        run.branch, branch = client.index, run.branch
        keep = onsend(proxy, run.msg, dest, client.text, run)
        run.branch = branch
        if not keep:
            step(engine, client, ERROR)
            client.status = 408
            client.faked = True
            return False
    if not proxy.send(client.text, dest, run.record):
        return _not_sent(engine, client, run.record, failed)
    client.sent = True
    now = proxy.now
    fr_at = now + t.fr
    if fr_at > t.expires:
        fr_at = t.expires
    client.fr_at = fr_at
    if dest.proto == "udp":
        client.interval = t.t1
        client.retr_at = now + t.t1
        engine.timers.set(client, now, t.t1 if client.retr_at < fr_at else fr_at - now)
    else:
        engine.timers.set(client, now, fr_at - now)
    if (engine.hooks.events | t.armed) & REQUEST_FORWARDED:
        engine.hooks.call(REQUEST_FORWARDED, t, run, None, client.index)
    return True


def _not_sent(engine: Engine, client: Client, record: Record, failed: bool) -> bool:
    t = client.t
    if t is None:
        return False
    step(engine, client, ERROR)
    if failover(engine, client, record):
        return True
    client.reason = "Service Unavailable"
    if failed:
        replies.settle(engine, t, client, 503, None, record)
    else:
        client.status = 503
        client.faked = True
    return False


def send_failed(engine: Engine, text: str) -> bool:
    """The network could not deliver a request after all (a connection that was refused). False: it is none of ours.

    As RFC 3261 16.9 wants, that is a 503 of the branch.
    """
    at = text.find("branch=")
    if at < 0 or text.startswith("SIP/2.0 ") or text.startswith(("ACK ", "CANCEL ")):
        return False
    branch = text[at + 7 :].split("\r\n", 1)[0].split(";", 1)[0].strip()
    prefix, _, index = branch.rpartition(".")
    t = engine.clients.get(prefix)
    client = next((c for c in t.branches if c.branch == branch), None) if t is not None else None
    if t is None or client is None or client.state != CALLING:
        return False
    _not_sent(engine, client, t.record, True)
    return True


def failover(engine: Engine, client: Client, record: Record) -> bool:
    """Try the next address of a branch that got nowhere, as a branch of its own (RFC 3263 4.3). False: none."""
    t = client.t
    found = client.targets
    if t is None or not found or t.status >= 200 or t.flags & (T_CANCELED | T_DISABLE_FAILOVER):
        return False
    msg = t.msg
    while found:
        proto, ip, port = found.pop(0)
        if len(t.branches) >= MAX_BRANCHES:
            return False
        try:
            dest = connect(engine.proxy, msg, proto, ip, port, client.socket)
        except NoSocket:
            continue
        new = Client(t, len(t.branches), client.uri, client.dst_uri, client.path)
        for slot in _COPIED:
            setattr(new, slot, getattr(client, slot))
        new.branch = f"{t.prefix}.{new.index:x}"
        if not engine.cfg.reparse_on_dns_failover and not t.local:
            build(engine, msg, new, msg.lumps, proto, ip, port)
        rcv = msg.rcv
        conid = rcv.conid if rcv is not None else 0
        old = client.dest
        rport = msg.add_local_rport
        before = via_line(old.listen, client.branch, conid, msg.advertise, rport)  # type: ignore[union-attr, arg-type]
        after = via_line(dest.listen, new.branch, conid, msg.advertise, rport)  # type: ignore[arg-type]
        # With reparse_on_dns_failover: the text that was sent before, under another Via.
        new.text = new.text or client.text.replace(before, after, 1)
        new.dest = dest
        new.targets = found
        client.targets = None
        t.branches.append(new)
        run = Run(engine.proxy, msg, BRANCH_ROUTE, record, t.avps, t, new.index)
        run.t_lookup = True
        if send(engine, new, run):
            return True
        return False
    return False


def relay_to(hop_text: str) -> tuple[Hop, str]:
    """``proto:host:port`` of t_relay_to_proxy, any part but the host left out. Raises SipError."""
    text = hop_text
    proto = ""
    head, colon, rest = text.partition(":")
    if colon and head.lower() in DEFAULT_PORTS:
        proto, text = head.lower(), rest
    hop = next_hop(f"sip:{text}" + (f";transport={proto}" if proto else ""))
    return hop, proto


# -- the client machine -----------------------------------------------------------------------------------------------


def step(engine: Engine, client: Client, event: int) -> int:
    """Step the machine, do what concerns timers, return all actions (0: the event means nothing now)."""
    t = client.t
    if t is None:
        return 0
    found = (CLIENT_INVITE if t.is_invite else CLIENT_OTHER)[client.state].get(event)
    if found is None:
        return 0
    client.state, actions = found
    if actions & STOP:
        client.fr_at = client.retr_at = client.due = NEVER
        return actions
    if actions & (STOP_RETR | SET_FR | SLOW):
        now = engine.proxy.now
        if actions & STOP_RETR:
            client.retr_at = NEVER
        if actions & SET_FR:
            client.fr_at = min(now + t.fr_inv, t.expires)
        if actions & SLOW and client.retr_at < NEVER:
            client.interval = t.t2
            client.retr_at = now + t.t2
        engine.timers.set(client, now, min(client.fr_at, client.retr_at) - now)
    return actions


def timer(engine: Engine, client: Client, now: float) -> None:
    """A branch's timer has fired: retransmit, or give up."""
    t = client.t
    if t is None or t.engine is None:
        return
    if client.fr_at <= now:
        if t.expires <= now:
            t.flags |= T_EXPIRED
        ringing = client.state == PROCEEDING
        if step(engine, client, FR) & TIMEOUT:
            if ringing and t.is_invite:
                cancel.send_cancel(engine, t, client, "")
            _timed_out(engine, t, client)
        return
    if client.retr_at <= now:
        actions = step(engine, client, RETR)
        if actions & RESEND and client.dest is not None:
            engine.proxy.send(client.text, client.dest, t.record)
            engine.retransmitted += 1
        if actions & SET_RETR:
            client.interval = interval = min(client.interval * 2, t.t2)
            client.retr_at = now + interval
        if client.retr_at <= now:
            client.retr_at = NEVER  # nothing to repeat: the same instant would come again without end
    at = min(client.fr_at, client.retr_at)
    if at < NEVER:
        engine.timers.set(client, now, at - now)


def _timed_out(engine: Engine, t: Transaction, client: Client) -> None:
    client.timed_out = True
    client.blind = False
    if not client.replied and failover(engine, client, t.record):
        client.status = 408
        client.faked = True
        return
    silent = (
        not engine.cfg.noisy_ctimer
        and t.is_invite
        and len(t.branches) == 1
        and not client.replied
        and not t.on_failure
        and not t.flags & T_NOISY
        and not (t.flags & T_CANCELED)
        and not t.armed
    )
    if silent:
        client.status = 408
        client.faked = True
        engine.release(t)
        return
    replies.settle(engine, t, client, 408, None, t.record)
