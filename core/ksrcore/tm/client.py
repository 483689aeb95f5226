"""Towards the destinations: branches are added, sent, retransmitted, given up."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import TYPE_CHECKING

from ..forward import (
    E_NO_SOCKET,
    Hop,
    NoConnection,
    NoSocket,
    check_linked,
    connect,
    next_hop,
    onsend,
    path_uri,
    via_conid,
)
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
    from ..sip.lumps import Lumps
    from ..sip.message import Branch, SipMessage
    from .engine import Engine
    from .transaction import Transaction

log = logging.getLogger("ksrcore.tm")

_COPIED = ("flags", "on_reply", "on_branch_failure", "ruid", "instance", "location_ua", "reg_id", "q", "socket")

_TIMING = STOP_RETR | SET_FR | SLOW

#: Kamailio's max_branches.
MAX_BRANCHES = 12

# Kamailio's error codes (core/error.h), as relay functions return them.
E_UNSPEC = -1
#: Its E_OUT_OF_MEM.
E_NO_CONNECTION = -2
E_CFG = -6
E_SCRIPT = -10
E_CANCELED = -11
E_BAD_ADDRESS = -478
E_BAD_URI = -400
#: Sending failed: relay functions return -1 for it, and the reply of our own says 477.
E_SEND = -477
E_TOO_MANY_BRANCHES = -500


#: One destination of a forking step: who says how to get there (the message for its own URI, else the branch that was
#: appended), its URI, send socket and branch flags.
Target = tuple["SipMessage | Branch", str, "Listen | None", int]

# What a branch route may change of a message, and is put back after it.
_SWAPPED = ("new_uri", "dst_uri", "path", "bflags", "force_socket", "ruid", "instance", "q", "location_ua")
_swapped = attrgetter(*_SWAPPED)


def targets(msg: SipMessage, main: bool) -> list[Target]:
    """The destination set of a request: its own URI (``main``) and the branches appended to it."""
    found: list[Target] = [(msg, msg.new_uri or msg.ruri, msg.force_socket, msg.bflags)] if main else []
    for branch in msg.branches:
        found.append((branch, branch.uri, branch.socket, branch.flags))
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
    known = len(msg.branches)
    for target in wanted:
        if len(t.branches) >= MAX_BRANCHES:
            error = E_TOO_MANY_BRANCHES
            break
        error = _add(engine, run, t, msg, target, hop, proto, ready) or error
        if len(msg.branches) > known:  # appended by the branch route: they are further branches of this step
            wanted += [(branch, branch.uri, branch.socket, branch.flags) for branch in msg.branches[known:]]
            known = len(msg.branches)
    t.forwarding = False
    msg.branches = []
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
        if ready[-1].status >= 200 and all(client.status >= 200 for client in ready):
            replies.complete(engine, t, run.record)
        return 1
    return error


def _add(
    engine: Engine,
    run: Run,
    t: Transaction,
    msg: SipMessage,
    target: Target,
    hop: Hop | None,
    proto: str,
    ready: list[Client],
) -> int:
    """A branch for ``target``, its text built when its address is known, into ``ready``. 0, or an error code."""
    proxy = engine.proxy
    branches = t.branches
    index = len(branches)
    source, uri, socket, flags = target
    client = Client(t, index, uri, source.dst_uri, source.path)
    client.branch = f"{t.prefix}.{index:x}"
    client.flags = flags
    client.on_branch_failure = t.on_branch_failure
    client.ruid = source.ruid
    client.instance = source.instance
    client.location_ua = source.location_ua
    client.reg_id = source.reg_id
    client.otcpid = source.otcpid
    client.q = source.q
    client.socket = socket
    branches.append(client)
    lumps = msg.lumps
    error = 0
    try:
        if t.on_branch and proxy.script is not None and proxy.script.has(t.on_branch):
            changed = _branch_route(engine, run, t, msg, client, source is msg)
            if changed is None:
                error = E_CFG
            else:
                lumps = changed
        if not error:
            if hop is None:
                hop = next_hop(client.dst_uri or (path_uri(client.path) if client.path else client.uri))
            if hop.ip:
                build(engine, msg, client, lumps, proto or hop.proto, hop.ip, hop.port)
                ready.append(client)
                return 0
            if proxy.resolve is None:
                log.error("%s: cannot send to %s: this proxy resolves no names", t, hop.host)
                error = E_BAD_ADDRESS
    except SipError as problem:
        log.error("%s: bad destination: %s", t, problem)
        error = E_BAD_ADDRESS
    except NoSocket as problem:
        log.error("%s: %s", t, problem)
        error = E_NO_CONNECTION if isinstance(problem, NoConnection) else E_NO_SOCKET
    if error or hop is None or proxy.resolve is None:
        branches.pop()
        client.t = None
        return error
    client.state = RESOLVING
    client.lumps = lumps.copy()
    client.fr_at = min(proxy.now + t.fr, t.expires)
    record = run.record
    ready.append(client)

    proxy.resolve(hop.host, hop.port, proto or hop.proto, lambda found: resolved(engine, client, record, found))
    return 0


def _branch_route(
    engine: Engine, run: Run, t: Transaction, msg: SipMessage, client: Client, main: bool
) -> Lumps | None:
    """Run the branch route on ``msg`` made to look like this branch. The edits to send it with, None: dropped.

    ``main``: the branch is that of the message's own URI, so that it looks like it already.
    """
    proxy = engine.proxy
    before = _swapped(msg)
    lumps = msg.lumps
    if not main:
        if client.uri != msg.ruri or msg.new_uri:
            msg.new_uri = client.uri
        msg.dst_uri = client.dst_uri
        msg.path = client.path
        msg.bflags = client.flags
        msg.force_socket = client.socket
        msg.ruid = client.ruid
        msg.instance = client.instance
        msg.location_ua = client.location_ua
    msg.lumps = lumps.copy()
    inner = Run(proxy, msg, BRANCH_ROUTE, run.record, t.avps, t, client.index)
    inner.t_lookup = True
    # What one branch sets with t_on_reply() counts for those behind it too, as in Kamailio.
    client.on_reply = client.on_reply or run.local.get("on_reply", "")
    name, t.on_branch = t.on_branch, ""
    proxy.script.call(inner, name)  # type: ignore[union-attr]
    t.on_branch = t.on_branch or name
    if client.on_reply:
        run.local["on_reply"] = client.on_reply
    changed = msg.lumps
    msg.lumps = lumps
    if _swapped(msg) != before:
        client.uri = msg.uri
        client.dst_uri = msg.dst_uri
        client.path = msg.path
        client.flags = msg.bflags
        client.socket = msg.force_socket
        for attribute, value in zip(_SWAPPED, before, strict=True):
            setattr(msg, attribute, value)
    else:
        # The very objects: a failure route knows by them whether it set another URI.
        msg.new_uri, msg.dst_uri = before[:2]
    return None if inner.dropped else changed


def build(engine: Engine, msg: SipMessage, client: Client, lumps: Lumps, proto: str, ip: str, port: int) -> None:
    """The branch's destination and text. Raises NoSocket, NoConnection."""
    conid = client.otcpid if proto != "udp" else 0
    client.dest = dest = connect(engine.proxy, msg, proto, ip, port, client.socket, conid)
    check_linked(engine.proxy, dest)
    conid = via_conid(msg)
    via = via_line(dest.listen, client.branch, conid, msg.advertise, msg.add_local_rport)  # type: ignore[arg-type]
    t = client.t
    if t is not None and t.local and t.extra is not None and "local" in t.extra:
        first, rest = t.extra["local"]
        client.text = first + via + rest
        return
    client.text = build_request(msg, client.uri, via, dest, client.path, lumps)


def resolved(engine: Engine, client: Client, record: Record, found: list[tuple[str, str, int]]) -> None:
    """The addresses of a branch's host name have come, best first."""
    t = client.t
    if t is None or t.engine is None or client.state != RESOLVING:
        return  # timed out or cancelled meanwhile
    debugger = engine.proxy.debugger
    if debugger is not None and debugger.enter(t, lambda: resolved(engine, client, record, found), "address"):
        return
    msg = t.msg
    run = Run(engine.proxy, msg, BRANCH_ROUTE, record, t.avps, t, client.index)
    run.t_lookup = True
    lumps = client.lumps if client.lumps is not None else msg.lumps
    for at, (proto, ip, port) in enumerate(found):
        try:
            build(engine, msg, client, lumps, proto, ip, port)
        except NoSocket as error:
            log.error("%s: %s", t, error)
            continue
        client.targets = found[at + 1 :]
        client.lumps = None
        client.state = CALLING
        send(engine, client, run, failed=True)
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
    after = t.fr
    client.fr_at = fr_at = now + after
    if fr_at > t.expires:
        client.fr_at = fr_at = t.expires
        after = fr_at - now
    if dest.proto == "udp":
        client.interval = interval = t.t1
        client.retr_at = retr_at = now + interval
        if retr_at < fr_at:
            after = interval
    engine.timers.set(client, now, after)
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
    debugger = engine.proxy.debugger
    if debugger is None or not debugger.enter(t, lambda: _failed(engine, client), "send error"):
        _failed(engine, client)
    return True


def _failed(engine: Engine, client: Client) -> None:
    t = client.t
    if t is not None and t.engine is not None and client.state == CALLING:
        _not_sent(engine, client, t.record, True)


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
        conid = via_conid(msg)
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
    elif actions & _TIMING:
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
            _timed_out(engine, t, client)
            if ringing and t.is_invite:
                cancel.send_cancel(engine, t, client, "")
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
