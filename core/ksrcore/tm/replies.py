"""Replies come back: matched to their branch, routed by the script, the best one sent upstream (RFC 3261 16.7)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..forward import reply_dest
from ..run import BRANCH_FAILURE_ROUTE, CORE_ONREPLY_ROUTE, FAILURE_ROUTE, TM_ONREPLY_ROUTE, Run
from ..sip.build import build_ack, build_reply
from . import cancel, uac
from . import client as clients
from .hooks import FAILURE, REPLY_IN
from .select import pick
from .states import R1XX, R2XX, RFINAL, SEND, SEND_ACK
from .timers import NEVER
from .transaction import REPLIED, T_6XX, T_CANCELED, T_DISABLE_6XX, T_DROPPED, T_IN_FAILURE, T_SUSPENDED_REPLY

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..sip.message import SipMessage
    from .engine import Engine
    from .transaction import Client, Transaction

log = logging.getLogger("ksrcore.tm")

REASONS = {
    401: "Unauthorized",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    487: "Request Terminated",
    503: "Service Unavailable",
}


def match(engine: Engine, msg: SipMessage) -> tuple[Transaction, Client] | None:
    """The transaction and branch of a reply, by the branch parameter of its topmost Via and its CSeq method."""
    via = msg.via
    if via is None:
        return None
    prefix, _, index = via.branch.rpartition(".")
    t = engine.clients.get(prefix)
    if t is None:
        return None
    try:
        client = t.branches[int(index, 16)]
    except (ValueError, IndexError):
        return None
    method = msg.method
    if method != t.method and not (method == "CANCEL" and t.is_invite):
        return None
    if engine.cfg.callid_matching and msg.callid != t.msg.callid:
        return None
    return t, client


def reply_in(engine: Engine, run: Run) -> bool:
    """Take a reply that the core's reply route let pass. False: it belongs to no transaction."""
    msg = run.msg
    found = match(engine, msg)
    if found is None:
        return _stray(engine, run)
    t, client = found
    counters = engine.proxy.counters
    counters["tmx:rpl_received"] += 1
    code = msg.status
    if msg.method != t.method:
        # Of a CANCEL that we sent.
        cancel.answered(client)
        counters["tmx:rpl_absorbed"] += 1
        return True
    if not client.text:
        # A branch that was never sent cannot have an answer.
        return True
    if code >= 200:
        actions = clients.step(engine, client, R2XX if code < 300 else RFINAL)
        if actions & SEND_ACK and code >= 300:
            _acknowledge(engine, client, msg, run.record)
    elif client.replied and not engine.cfg.restart_fr_on_each_reply:
        actions = _provisional(engine, client, code)
    else:
        actions = clients.step(engine, client, R1XX)
    if not actions & SEND:
        counters["tmx:rpl_absorbed"] += 1
        if code < 200 and client.cancel == 1:
            cancel.send_cancel(engine, t, client, cancel.local_reason(engine, t.status))
        return True
    if (engine.hooks.events | t.armed) & REPLY_IN:
        engine.hooks.call(REPLY_IN, t, run, msg, code)
    name = client.on_reply or t.on_reply
    if client.cancel == 1 and code < 200:
        # A CANCEL waited for this: nothing else comes of it.
        cancel.cancel_branch(engine, t, client, t.cancel_reasons)
        name = ""
    if name and not _onreply(engine, run, t, client, name) and code < 200:
        client.status = code
        client.replied = True
        counters["tmx:rpl_absorbed"] += 1
        return True
    if t.engine is None:
        return True
    if t.flags & T_SUSPENDED_REPLY:
        # The script will go on with it later; other replies wait for that too, as in Kamailio.
        client.replied = True
        return True
    if t.local and t.is_invite and 200 <= code < 300 and t.extra is not None and "local" in t.extra:
        uac.acknowledge(engine, t, client, msg, run.record)
    settle(engine, t, client, code, msg, run.record)
    client.replied = True
    return True


def _provisional(engine: Engine, client: Client, code: int) -> int:
    """A further 1xx without ``restart_fr_on_each_reply``: only a higher one from 180 on gives the callee more time."""
    fr_at = client.fr_at
    actions = clients.step(engine, client, R1XX)
    if fr_at < NEVER and not (code >= 180 and code > client.status):
        client.fr_at = fr_at
        now = engine.proxy.now
        engine.timers.set(client, now, min(fr_at, client.retr_at) - now)
    return actions


def _acknowledge(engine: Engine, client: Client, reply: SipMessage, record: Record) -> None:
    """The hop-by-hop ACK of a negative reply to an INVITE."""
    if client.dest is not None:
        to = reply.get("to")
        ack = build_ack(client.text, to.body if to is not None else "", engine.cfg.ac_extra_hdrs.lower())
        engine.proxy.send(ack, client.dest, record)


def _stray(engine: Engine, run: Run) -> bool:
    name = engine.cfg.on_sl_reply
    proxy = engine.proxy
    if name and proxy.script is not None and proxy.script.has(name):
        inner = Run(proxy, run.msg, CORE_ONREPLY_ROUTE, run.record, run.avps)
        inner.t_lookup = True
        if proxy.script.call(inner, name, "tm:on-sl-reply") == 0 or inner.dropped:
            return True
    return False


def _onreply(engine: Engine, run: Run, t: Transaction, client: Client, name: str) -> bool:
    """Run the onreply route. False: it dropped the reply."""
    script = engine.proxy.script
    if script is None or not script.has(name):
        return True
    msg = run.msg
    msg.flags = t.msg.flags
    msg.bflags = client.flags
    inner = Run(engine.proxy, msg, TM_ONREPLY_ROUTE, run.record, t.avps, t, client.index)
    inner.t_lookup = True
    script.call(inner, name)
    t.msg.flags = msg.flags
    client.flags = msg.bflags
    return not inner.dropped


def settle(engine: Engine, t: Transaction, client: Client, code: int, reply: SipMessage | None, record: Record) -> None:
    """Decide what a branch's reply means for the transaction. ``reply`` None: one of our own making (timeout)."""
    if t.engine is None:
        return
    if t.status >= 200:
        # RFC 3261 16.7 step 5: 2xx to an INVITE go through always; nothing else does any more.
        if reply is not None and t.is_invite and 200 <= code < 300 and not (t.relayed == -2 and t.status < 300):
            client.status = code
            relay(engine, t, client, code, reply, record)
        else:
            client.status = max(client.status, code)
            engine.proxy.counters["tmx:rpl_absorbed"] += 1
        return
    client.status = code
    if code < 300 and reply is not None:
        if code >= 200:
            relay(engine, t, client, code, reply, record)
            if len(t.branches) > 1:
                cancel.cancel_all(engine, t, cancel.local_reason(engine, code))
        elif (code > 100 or engine.cfg.relay_100) and not t.flags & T_CANCELED:
            relay(engine, t, client, code, reply, record)
        return
    if code < 200:
        return
    client.faked = reply is None
    client.reply = reply
    if client.on_branch_failure:
        _branch_failure(engine, t, client, reply, record)
        if t.engine is None or t.status >= 200:
            return
    if code == 503 and reply is not None:
        if clients.failover(engine, client, record):
            return
    if code >= 600 and not t.flags & T_DISABLE_6XX:
        t.flags |= T_6XX
        reason = cancel.local_reason(engine, code)
        for other in t.branches:
            if other.status < 200:
                cancel.cancel_branch(engine, t, other, reason)
    complete(engine, t, record)


def complete(engine: Engine, t: Transaction, record: Record) -> None:
    """When every branch has its final reply: run the failure route, send the best one upstream."""
    if t.flags & T_IN_FAILURE or t.forwarding or t.status >= 200 or t.engine is None:
        return
    while True:
        best = pick(t, engine.cfg.faked_reply_prio)
        if best is None:
            return
        if best.status < 300:
            break
        t.winner = best.index
        wanted = (engine.hooks.events | t.armed) & FAILURE
        if not t.on_failure and not wanted:
            break
        name, t.on_failure = t.on_failure, ""
        before = len(t.branches)
        if wanted:
            engine.hooks.call(FAILURE, t, None, best.reply, best.status)
        if name:
            _failure(engine, t, best, name, record)
        if t.engine is None or t.status >= 200 or t.flags & T_DROPPED:
            return
        if len(t.branches) == before:
            again = pick(t, engine.cfg.faked_reply_prio)
            if again is None:
                return
            best = again
            t.winner = best.index
            break
    _send_best(engine, t, best, record)


def faked_request(t: Transaction) -> SipMessage:
    """The request as failure routes get it: as it was saved, without appended branches."""
    msg = t.msg.clone()
    if t.saved is not None:
        t.saved.restore(msg)
    msg.flags = t.msg.flags
    msg.branches = []
    # A text of its own: only a URI that the route sets makes a new branch of it, even the same one.
    if msg.new_uri:
        msg.new_uri = f"{msg.new_uri} "[:-1]
    if msg.dst_uri:
        msg.dst_uri = f"{msg.dst_uri} "[:-1]
    return msg


def _failure(engine: Engine, t: Transaction, best: Client, name: str, record: Record) -> None:
    before = len(t.branches)
    leg = t.leg
    run = _call_failed(engine, t, best, name, FAILURE_ROUTE, best.reply, record)
    if run is None:
        return
    t.msg.flags = run.msg.flags
    if len(t.branches) > before and t.engine is not None:
        mode = run.local.get("drop_replies", engine.cfg.failure_reply_mode)
        if mode in (1, 3):
            t.drop_replies = before
        elif mode == 2:
            for client in t.branches[leg:before]:
                client.status = 999
    elif "drop_replies" in run.local and t.engine is not None and run.local["drop_replies"] == 1:
        t.drop_replies = 0


def _branch_failure(engine: Engine, t: Transaction, client: Client, reply: SipMessage | None, record: Record) -> None:
    name, client.on_branch_failure = client.on_branch_failure, ""
    t.on_branch_failure = ""  # further branches have it when it is set again
    _call_failed(engine, t, client, name, BRANCH_FAILURE_ROUTE, reply, record)


def _call_failed(
    engine: Engine, t: Transaction, client: Client, name: str, route: int, reply: SipMessage | None, record: Record
) -> Run | None:
    """Run the callback about a branch that failed, on the request as it was sent. None: the script has none."""
    proxy = engine.proxy
    script = proxy.script
    if script is None or not script.has(name):
        return None
    msg = faked_request(t)
    msg.bflags = client.flags
    run = Run(proxy, msg, route, record, t.avps, t, client.index)
    run.t_lookup = True
    run.reply = reply
    run.local["uri"] = msg.new_uri
    run.local["dst_uri"] = msg.dst_uri
    t.flags |= T_IN_FAILURE
    try:
        script.call(run, name)
    finally:
        t.flags &= ~T_IN_FAILURE
    return run


# -- upstream ---------------------------------------------------------------------------------------------------------


def relay(engine: Engine, t: Transaction, client: Client, code: int, reply: SipMessage, record: Record | None) -> None:
    """Forward a branch's reply upstream."""
    if code >= 200:
        t.relayed = t.winner = client.index
    engine.send_reply(t, "", code, reply.reason, reply, record)


def _send_best(engine: Engine, t: Transaction, best: Client, record: Record) -> None:
    reply = best.reply
    code = best.status
    if reply is None:
        t.winner = best.index
        reason = best.reason or REASONS.get(code, "Server Internal Error")
        if code == 408 and t.flags & T_CANCELED:
            code, reason = 487, REASONS[487]
        elif code == 478:
            reason = "Unresolvable destination (478/TM)"
        elif code == 503 and engine.cfg.remap_503_500:
            code, reason = 500, "Service Unavailable"
        _own(engine, t, best, code, reason, record)
        return
    if code == 503 and engine.cfg.remap_503_500:
        # RFC 3261 16.7 step 6: a 503 says that we cannot serve any request; that is not known of us.
        _own(engine, t, best, 500, "Service Unavailable", record)
        return
    if code in (401, 407) and engine.cfg.aggregate_challenges:
        challenged = [
            c.reply for c in t.branches if c.reply is not None and c.status in (401, 407) and c.index >= t.drop_replies
        ]
        if len(challenged) > 1:
            # RFC 3261 16.7 step 7. Kamailio makes the reply anew.
            extra = "".join(
                h.raw for r in challenged for h in r.headers if h.key in ("www-authenticate", "proxy-authenticate")
            )
            _own(engine, t, best, code, REASONS[code], record, extra)
            return
    relay(engine, t, best, code, reply, record)


def _own(engine: Engine, t: Transaction, best: Client, code: int, reason: str, record: Record, extra: str = "") -> None:
    """Send a final reply of our own in a branch's place."""
    t.relayed = best.index
    t.kept |= REPLIED
    text = ""
    if not t.local:
        t.reply_dest = t.reply_dest or reply_dest(t.msg)
        noted = engine.proxy.sip_warning
        text = build_reply(t.msg, code, reason, engine.to_tag(t), engine.server_header, extra, None, noted)
    engine.proxy.counters["tmx:rpl_generated"] += 1
    engine.send_reply(t, text, code, reason, None, record)


__all__ = ["complete", "faked_request", "match", "relay", "reply_in", "settle"]
