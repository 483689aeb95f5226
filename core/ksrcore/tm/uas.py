"""What ``t_relay()``, ``t_newtran()`` and ``t_check_trans()`` decide for a request, before any branch exists."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..forward import Hop, forward_request
from ..run import BRANCH_FAILURE_ROUTE, FAILURE_ROUTE, REQUEST_ROUTE
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from .cancel import cancel_invite
from .client import E_BAD_ADDRESS, E_BAD_URI, E_CANCELED, E_SCRIPT, E_SEND, E_UNSPEC, Target, forward, targets
from .errors import error_reply
from .hooks import ACK_IN
from .states import TERMINATED
from .transaction import FAILED, T_DISABLE_FAILOVER, T_DISABLE_INTERNAL_REPLY, T_NO_AUTO_100, Client, Options

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage
    from .engine import Engine
    from .transaction import Transaction

log = logging.getLogger("ksrcore.tm")


def check(engine: Engine, run: Run) -> int:
    """``t_check_trans()``: 1 a CANCEL or ACK of a known transaction, 0 nothing is left to do, -1 unknown."""
    msg = run.msg
    if not msg.is_request:
        return 1 if run.t is not None else -1
    if msg.method == "CANCEL":
        if engine.lookup_invite(msg) is not None:
            return 1
        if engine.lookup(run) is not None and run.t is not None and run.t.record is not run.record:
            engine.retransmission(run.t, run)
            run.handled = True
            return 0
        return -1
    t = engine.lookup(run)
    if msg.method == "ACK":
        if t is not None and (t.status >= 300 or (t.status >= 200 and t.relayed == -2)):
            engine.ack(t, run)
            run.handled = True
            return 0
        t = t or engine.lookup_ack(msg)
        if t is None:
            return -1
        if t.status >= 200 and t.relayed == -2:
            engine.ack(t, run)
            run.handled = True
            return 0
        _passing_ack(engine, t, run)
        return 1
    if t is None:
        return -1
    # Also when it was this request that made the transaction, as in Kamailio.
    engine.retransmission(t, run)
    run.handled = True
    return 0


def _passing_ack(engine: Engine, t: Transaction, run: Run) -> None:
    if (engine.hooks.events | t.armed) & ACK_IN and not run.local.get("ack_seen"):
        run.local["ack_seen"] = True
        engine.hooks.call(ACK_IN, t, run, None, 0)


def newtran(engine: Engine, run: Run) -> int:
    """``t_newtran()``: 1 created, 0 a retransmission (answered), negative: there is one already or none can be."""
    msg = run.msg
    if not msg.is_request or run.route != REQUEST_ROUTE:
        return E_SCRIPT if run.t is not None else E_UNSPEC
    if msg.method == "ACK":
        return 1 if check(engine, run) != 0 else 0
    looked_up = run.t_lookup
    t = engine.lookup(run)
    if t is not None:
        if t.record is run.record or looked_up:
            return E_SCRIPT
        engine.retransmission(t, run)
        run.handled = True
        return 0
    if not _valid(msg):
        return E_BAD_URI
    engine.create(run)
    run.handled = True
    return 1


def _valid(msg: SipMessage) -> bool:
    try:
        parse_uri(msg.new_uri or msg.ruri)
        if msg.from_ is None or msg.to is None or msg.cseq is None or not msg.callid:
            raise SipError("From, To, Call-ID or CSeq is missing")
    except SipError as error:
        log.error("no transaction for a %s: %s", msg.method, error)
        return False
    return True


def relay(engine: Engine, run: Run, hop: Hop | None = None, proto: str = "", flags: int = 0) -> int:
    """Relay the run's request with its transaction: ``t_relay()`` and its kin. 1, or a negative error.

    ``flags``: 1 send no 100, 2 no reply of our own when it fails, 4 no failover to further addresses of a name.
    """
    run.handled = True
    msg = run.msg
    if run.route != REQUEST_ROUTE or not msg.is_request:
        if run.route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE):
            return _relay_again(engine, run, hop, proto)
        log.error("a message can be relayed in request and failure routes only")
        return E_UNSPEC
    method = msg.method
    if method == "ACK":
        return _relay_ack(engine, run, hop, proto)
    looked_up = run.t_lookup
    t = engine.lookup(run)
    if t is not None and t.record is not run.record and not looked_up:
        engine.retransmission(t, run)
        return 1
    if method == "CANCEL":
        invite = engine.lookup_invite(msg)
        if invite is not None:
            if t is None:
                if not _valid(msg):
                    return E_BAD_URI
                t = engine.create(run)
            pending = any(branch.status < 200 and not branch.blind for branch in invite.branches)
            reason = "canceling" if pending else "ok -- no more pending branches"
            cancel_invite(engine, run, invite)
            engine.reply(t, 200, reason, run.record)
            return 1
        mode = engine.cfg.unmatched_cancel
        if mode == 2:
            return 1
        if mode == 1:
            return _stateless(run, hop, proto)
    if t is None:
        if not _valid(msg):
            return E_BAD_URI
        t = engine.create(run)
    elif t.saved is not None and not t.branches:
        # Edits made since t_newtran() count from here on; the URI stays that of t_newtran(), as in Kamailio.
        t.saved.lumps = len(msg.lumps.items)
        t.saved.values.update(flags=msg.flags, xflags=msg.xflags)
    if t.status >= 200 and t.record is run.record:
        log.warning("%s: was already replied to; the request is not relayed", t)
        return E_UNSPEC
    if flags & 4:
        t.flags |= T_DISABLE_FAILOVER
    if method == "INVITE" and t.status < 100 and not (flags & 1 or t.flags & T_NO_AUTO_100) and auto_100(engine, run):
        engine.reply(t, 100, engine.cfg.auto_inv_100_reason, run.record)
    local = run.local
    # The Request-URI is used up by the first t_relay(), until it is set again.
    main = not t.branches or msg.new_uri is not local.get("uri") or msg.dst_uri is not local.get("dst_uri")
    if not main and not msg.branches:
        log.warning("%s: is relayed already, and there is no new destination", t)
        return E_UNSPEC
    result = forward(engine, run, t, msg, targets(msg, main), hop, proto)
    local["uri"], local["dst_uri"] = msg.new_uri, msg.dst_uri
    if result < 0:
        if engine.cfg.failure_exec_mode and t.on_failure:
            if not t.branches:
                add_failed(t, msg, -result)
            t.kept |= FAILED
            return 1
        if not flags & 2 and not t.flags & T_DISABLE_INTERNAL_REPLY:
            engine.failed[t.id_label] = error_reply(result, "TM")
        if result == E_SEND:
            result = E_UNSPEC
    return result


def add_failed(t: Transaction, msg: SipMessage, error: int) -> None:
    """A branch in place of one that could not be made, for the failure route to see."""
    code, reason = error_reply(error, "TM")
    branch = Client(t, len(t.branches), msg.uri, msg.dst_uri, msg.path)
    branch.state = TERMINATED
    branch.status, branch.reason, branch.faked = code, reason, True
    t.branches.append(branch)


def auto_100(engine: Engine, run: Run) -> bool:
    options = run.msg.extra.get("tm")
    if isinstance(options, Options) and options.auto_100 is not None:
        return options.auto_100
    return engine.auto_100


def _relay_again(engine: Engine, run: Run, hop: Hop | None, proto: str) -> int:
    """From a failure route: to the branches it appended, and to its URI when it set one."""
    t = run.t
    msg = run.msg
    if t is None or t.engine is None or t.status >= 200:
        return E_UNSPEC
    local = run.local
    main = (
        bool(local.pop("main", False)) or msg.new_uri is not local.get("uri") or msg.dst_uri is not local.get("dst_uri")
    )
    wanted: list[Target] = targets(msg, main)
    local["uri"], local["dst_uri"] = msg.new_uri, msg.dst_uri
    result = forward(engine, run, t, msg, wanted, hop, proto)
    return E_UNSPEC if result in (E_SEND, E_CANCELED) else result


def _relay_ack(engine: Engine, run: Run, hop: Hop | None, proto: str) -> int:
    t = engine.lookup(run)
    if t is not None and (t.status >= 300 or (t.status >= 200 and t.relayed == -2)):
        engine.ack(t, run)
        return 1
    t = t or engine.lookup_ack(run.msg)
    if t is not None:
        if t.status >= 200 and t.relayed == -2:
            engine.ack(t, run)
            return 1
        _passing_ack(engine, t, run)
    result = _stateless(run, hop, proto)
    return E_SEND if result == -1 else result


def _stateless(run: Run, hop: Hop | None, proto: str) -> int:
    try:
        if hop is not None:
            port = f":{hop.port}" if hop.port else ""
            return forward_request(run, f"sip:{hop.host}{port}", proto=proto or hop.proto)
        return forward_request(run, proto=proto)
    except SipError as error:
        log.error("cannot forward the %s: %s", run.msg.method, error)
        return E_BAD_ADDRESS


__all__ = ["auto_100", "check", "newtran", "relay"]
