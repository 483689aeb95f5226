"""Suspending a transaction and going on with it later: ``t_suspend()`` and ``t_continue()``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..run import FAILURE_ROUTE, ONREPLY_ROUTE, REQUEST_ROUTE, TM_ONREPLY_ROUTE, Run
from . import replies
from .errors import error_reply
from .states import CALLING, TERMINATED
from .timers import NEVER
from .transaction import T_CANCELED, T_IN_FAILURE, T_NO_AUTO_100, T_SUSPENDED, T_SUSPENDED_REPLY, Client, Saved
from .uas import auto_100, newtran

if TYPE_CHECKING:
    from .engine import Engine
    from .transaction import Transaction

log = logging.getLogger("ksrcore.tm")

__all__ = ["resume", "suspend"]


def suspend(engine: Engine, run: Run) -> int:
    """Suspend the run's request, or the reply in an onreply route. 1, or -1 when it cannot be."""
    run.handled = True
    if run.route & ONREPLY_ROUTE:
        return _suspend_reply(run)
    msg = run.msg
    if not msg.is_request:
        return -1
    t = run.t
    if t is None or t.engine is None:
        if newtran(engine, run) <= 0:
            return -1
        t = run.t
    if t is None or t.status >= 200 or t.flags & T_CANCELED:
        return -1
    if run.route == REQUEST_ROUTE:
        t.saved = Saved(msg)
    if t.is_invite and t.status < 100 and not t.flags & T_NO_AUTO_100 and auto_100(engine, run):
        engine.reply(t, 100, engine.cfg.auto_inv_100_reason, run.record)
    t.flags |= T_SUSPENDED
    # A branch that was never sent: its timeout is the transaction's, its place is taken when the script goes on.
    blind = Client(t, len(t.branches), msg.uri, "", "")
    blind.blind = True
    blind.state = CALLING
    t.branches.append(blind)
    now = engine.proxy.now
    blind.fr_at = min(now + t.fr, t.expires)
    engine.timers.set(blind, now, blind.fr_at - now)
    engine.labels[(t.id_index, t.id_label)] = t
    return 1


def _suspend_reply(run: Run) -> int:
    t: Transaction | None = run.t
    if t is None or t.engine is None or run.route != TM_ONREPLY_ROUTE or t.flags & T_SUSPENDED_REPLY:
        return -1
    t.flags |= T_SUSPENDED_REPLY
    if t.extra is None:
        t.extra = {}
    t.extra["reply"] = (run.msg, run.branch, run.record)
    t.engine.labels[(t.id_index, t.id_label)] = t
    return 1


def resume(engine: Engine, id_index: int, id_label: int, name: str, *args: str) -> int:
    """Run the callback ``name`` for a suspended transaction, with ``args``. 1, or -1 when there is no such, or it
    ended."""
    t = engine.find(id_index, id_label)
    script = engine.proxy.script
    if t is None or t.engine is None or not t.flags & (T_SUSPENDED | T_SUSPENDED_REPLY):
        log.warning("t_continue: no transaction %d:%d is suspended", id_index, id_label)
        return -1
    if script is None or not script.has(name):
        log.error("t_continue(%r): the script has no callback of that name", name)
        return -1
    if t.flags & T_SUSPENDED_REPLY:
        return _resume_reply(engine, t, name, *args)
    t.flags &= ~T_SUSPENDED
    for client in t.branches:
        if client.blind:
            client.state = TERMINATED
            client.fr_at = client.due = NEVER
    if t.status >= 200 or t.flags & T_CANCELED:
        return 1
    msg = replies.faked_request(t)
    run = Run(engine.proxy, msg, FAILURE_ROUTE, t.record, t.avps, t, -1)
    run.t_lookup = True
    run.local.update(main=True, uri=msg.new_uri, dst_uri=msg.dst_uri)
    t.flags |= T_IN_FAILURE
    try:
        script.call(run, name, *args)
    finally:
        t.flags &= ~T_IN_FAILURE
    t.msg.flags = msg.flags
    if t.engine is None or t.status >= 200 or t.flags & T_SUSPENDED:
        return 1
    if any(not client.blind and client.status < 200 for client in t.branches):
        return 1
    if any(not client.blind for client in t.branches):
        replies.complete(engine, t, t.record)
        return 1
    # The callback neither relayed nor replied.
    code, reason = error_reply(1, "TM")
    engine.reply(t, code, reason, t.record)
    return 1


def _resume_reply(engine: Engine, t: Transaction, name: str, *args: str) -> int:
    t.flags &= ~T_SUSPENDED_REPLY
    held = t.extra.pop("reply", None) if t.extra is not None else None
    script = engine.proxy.script
    if held is None or script is None:
        return -1
    msg, index, record = held
    client = t.branches[index]
    run = Run(engine.proxy, msg, TM_ONREPLY_ROUTE, record, t.avps, t, index)
    run.t_lookup = True
    script.call(run, name, *args)
    if t.engine is not None and not (run.dropped and msg.status < 200):
        replies.settle(engine, t, client, msg.status, msg, record)
    return 1
