"""CANCEL: of a call by its caller, of branches that lost, and what follows (RFC 3261 9, 16.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.build import build_cancel
from . import replies
from .hooks import CANCEL_IN
from .states import CALLING, COMPLETED, PROCEEDING, RESOLVING, TERMINATED
from .timers import NEVER
from .transaction import T_CANCELED, T_NO_E2E_CANCEL_REASON, T_SUSPENDED, CancelRequest

if TYPE_CHECKING:
    from ..run import Run
    from .engine import Engine
    from .transaction import Client, Transaction

__all__ = ["cancel_all", "cancel_branch", "cancel_invite", "local_reason", "send_cancel"]

_ELSEWHERE = ';text="Call completed elsewhere"'


def local_reason(engine: Engine, code: int) -> str:
    """The Reason field of CANCELs that a final reply causes (RFC 3326), '' when switched off."""
    if not engine.cfg.local_cancel_reason:
        return ""
    text = _ELSEWHERE if code == 200 else ""
    return f"Reason: SIP;cause={code}{text}\r\n"


def cancel_invite(engine: Engine, run: Run, t: Transaction) -> None:
    """The caller gave up: cancel what still rings."""
    t.flags |= T_CANCELED
    if (engine.hooks.events | t.armed) & CANCEL_IN:
        engine.hooks.call(CANCEL_IN, t, run, None, 0)
    if t.status >= 200 or t.engine is None:
        return
    reasons = ""
    if engine.cfg.e2e_cancel_reason and not t.flags & T_NO_E2E_CANCEL_REASON:
        reasons = "".join(h.raw for h in run.msg.headers if h.key == "reason")
    pending = False
    for client in list(t.branches):
        if client.status < 200 and not client.blind:
            pending = True
            cancel_branch(engine, t, client, reasons)
    if not pending and t.status < 200 and (t.flags & T_SUSPENDED or not t.branches):
        # Nothing was sent that could bring the 487 back.
        for client in t.branches:
            client.fr_at = client.due = NEVER
        engine.reply(t, 487, "Request canceled", run.record)


def cancel_all(engine: Engine, t: Transaction, reasons: str) -> None:
    """A final reply has gone upstream: end the branches that have none yet."""
    for client in t.branches:
        if client.state in (COMPLETED, TERMINATED) or client.status >= 200:
            continue
        if not t.is_invite:
            client.state = COMPLETED
            client.fr_at = client.retr_at = client.due = NEVER
        elif client.state == PROCEEDING:
            cancel_branch(engine, t, client, reasons)
        elif client.state in (CALLING, RESOLVING):
            # It stays quiet; should it ring after all, it is cancelled then.
            client.fr_at = client.retr_at = client.due = NEVER
            if client.state == RESOLVING or client.blind:
                client.state = TERMINATED
            client.cancel = 1
            t.cancel_reasons = reasons.replace(_ELSEWHERE, "")  # Kamailio has no text for it then


def cancel_branch(engine: Engine, t: Transaction, client: Client, reasons: str) -> None:
    """Cancel one branch. An INVITE that nobody has answered yet waits for its first reply (``cancel_b_method``)."""
    if client.cancel == 2 or client.status >= 200 or not t.is_invite or client.blind:
        return
    state = client.state
    if state == PROCEEDING:
        send_cancel(engine, t, client, reasons)
        return
    method = engine.cfg.cancel_b_method
    if state == RESOLVING or (state == CALLING and method == 0):
        client.state = TERMINATED
        client.fr_at = client.retr_at = client.due = NEVER
        if state == CALLING:  # a late 1xx would show that somebody rings after all
            client.cancel = 1
        else:
            client.cancel = 2
        client.reason = "Request Terminated"
        replies.settle(engine, t, client, 487, None, t.record)
    elif state == CALLING:
        if method == 2:
            client.retr_at = NEVER
            send_cancel(engine, t, client, reasons)
        else:
            client.cancel = 1
            t.cancel_reasons = reasons


def send_cancel(engine: Engine, t: Transaction, client: Client, reasons: str) -> None:
    """Send a CANCEL for a branch, retransmitted until it is answered."""
    dest = client.dest
    if dest is None or client.cancel == 2:
        return
    client.cancel = 2
    proxy = engine.proxy
    text = build_cancel(client.text, reasons, engine.cfg.ac_extra_hdrs.lower())
    now = proxy.now
    proxy.send(text, dest, t.record)
    if dest.proto == "udp":
        request = CancelRequest(engine, text, dest, t.t1, t.t2, now + t.fr)
        client.cancel_request = request
        engine.timers.set(request, now, t.t1)


def answered(client: Client) -> None:
    """A reply to our CANCEL has come."""
    request = client.cancel_request
    if request is not None:
        request.due = NEVER
        client.cancel_request = None
