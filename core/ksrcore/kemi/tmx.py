"""The tmx module: what tm leaves out. Its variables are in ``tmx_variables``."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, Self

from ..run import BRANCH_FAILURE_ROUTE, BRANCH_ROUTE, FAILURE_ROUTE, ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ..tm import cancel, suspend
from ..tm.timers import NEVER
from ..tm.transaction import T_DROPPED, Transaction
from . import tmx_variables
from .declare import Module, Param, export, rpc

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..proxy import Proxy
    from .tm import Tm

__all__ = ["Tmx", "tmx_variables"]

log = logging.getLogger("ksrcore.tmx")


class Tmx(Module):
    name = "tmx"

    precheck_trans = Param(1, "0: t_precheck_trans() always says no")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        # Requests whose callback is under way: several at a time while some are held for debugging.
        self.running: dict[str, Record] = {}

    def start(self) -> None:
        self.proxy.request_done.append(self.request_done)

    def fork(self, proxy: Proxy) -> Self:
        new = copy.copy(self)
        new.proxy = proxy
        new.running = {}
        new.start()
        return new

    @property
    def tm(self) -> Tm:
        return self.proxy.modules.tm

    def request_done(self, run: Run) -> None:
        if self.running:
            key = self.tm.engine.own_key(run.msg)
            if self.running.get(key) is run.record:
                del self.running[key]

    # -- where the script is ------------------------------------------------------------------------------------------

    @export
    def t_is_request_route(self, run: Run) -> int:
        """1 in a request route."""
        return 1 if run.route == REQUEST_ROUTE else -1

    @export
    def t_is_reply_route(self, run: Run) -> int:
        """1 in a reply route, the core's or a transaction's."""
        return 1 if run.route & ONREPLY_ROUTE else -1

    @export
    def t_is_branch_route(self, run: Run) -> int:
        """1 in a branch route."""
        return 1 if run.route == BRANCH_ROUTE else -1

    @export
    def t_is_failure_route(self, run: Run) -> int:
        """1 in a failure route."""
        return 1 if run.route == FAILURE_ROUTE else -1

    # -- retransmissions ----------------------------------------------------------------------------------------------

    @export
    def t_precheck_trans(self, run: Run) -> int:
        """1 when the callback of this very request is running already for an earlier copy of it; -2 for ACK, CANCEL."""
        msg = run.msg
        if msg.is_request and msg.method in ("ACK", "CANCEL"):
            return -2
        if not self.precheck_trans or not msg.is_request:
            return -1
        key = self.tm.engine.own_key(msg)
        other = self.running.get(key)
        if other is not None and other is not run.record:
            return 1
        self.running[key] = run.record
        return -1

    # -- acting on transactions ---------------------------------------------------------------------------------------

    @export
    def t_cancel_branches(self, run: Run, which: str) -> int:
        """Cancel 'all' branches, the 'others' or 'this' one."""
        t: Transaction | None = run.t
        if t is None or t.engine is None or not t.is_invite:
            log.error("t_cancel_branches needs an INVITE transaction")
            return -1
        if which not in ("all", "others", "this"):
            log.error("t_cancel_branches expects 'all', 'others' or 'this', got %r", which)
            return -1
        for client in list(t.branches):
            if client.status < 200 and (which == "all" or (client.index == run.branch) == (which == "this")):
                cancel.cancel_branch(t.engine, t, client, "")
        return 1

    @export
    def t_cancel_callid(self, run: Run, callid: str, cseq: str, flag: int) -> int:
        """Cancel the INVITE of that Call-ID and CSeq number; a flag above 0 is set for it."""
        return self._cancel(callid, cseq, flag, "")

    @export
    def t_cancel_callid_reason(self, run: Run, callid: str, cseq: str, flag: int, code: int) -> int:
        """``t_cancel_callid`` with that cause in a Reason field."""
        return self._cancel(callid, cseq, flag, f"Reason: SIP;cause={code}\r\n" if code else "")

    def _cancel(self, callid: str, cseq: str, flag: int, reasons: str) -> int:
        engine = self.tm.engine
        t = engine.find_callid(callid, cseq)
        if t is None:
            return -1
        if 0 < flag < 32:
            t.msg.flags |= 1 << flag
        for client in list(t.branches):
            if client.status < 200:
                cancel.cancel_branch(engine, t, client, reasons)
        return 1

    @export
    def t_reply_callid(self, run: Run, callid: str, cseq: str, code: int, reason: str) -> int:
        """Reply to the INVITE of that Call-ID and CSeq number."""
        engine = self.tm.engine
        t = engine.find_callid(callid, cseq)
        if t is None:
            return -1
        return 1 if engine.reply(t, code, reason, run.record) else -1

    @export
    def t_flush_flags(self, run: Run) -> int:
        """The transaction's flags become those of the message."""
        return _flush(run, "flags")

    @export
    def t_flush_xflags(self, run: Run) -> int:
        """The transaction's extended flags become those of the message."""
        return _flush(run, "xflags")

    @export
    def t_drop(self, run: Run) -> int:
        """Let the transaction go without a reply."""
        return self.t_drop_rcode(run, 500)

    @export
    def t_drop_rcode(self, run: Run, code: int) -> int:
        """``t_drop``, its final code being this one."""
        t = run.t
        if t is None or t.engine is None or not 200 <= code <= 699:
            return -1
        t.flags |= T_DROPPED
        t.status = code
        run.handled = True
        for client in t.branches:
            client.fr_at = client.retr_at = client.due = NEVER
        t.fr_at = t.retr_at = t.due = NEVER
        t.engine.release(t)
        return 1

    @export
    def t_reuse_branch(self, run: Run) -> int:
        """In a branch failure route: the request takes the failed branch's destination, to be relayed again."""
        t = run.t
        if run.route != BRANCH_FAILURE_ROUTE or t is None or not 0 <= run.branch < len(t.branches):
            log.error("t_reuse_branch is for branch failure routes")
            return -1
        client = t.branches[run.branch]
        msg = run.msg
        msg.new_uri = f"{client.uri} "[:-1]
        msg.dst_uri = client.dst_uri
        msg.path = client.path
        msg.bflags = client.flags
        msg.ruid = client.ruid
        msg.instance = client.instance
        msg.location_ua = client.location_ua
        msg.force_socket = client.socket
        return 1

    # -- suspending ---------------------------------------------------------------------------------------------------

    @export
    def t_suspend(self, run: Run) -> int:
        """Keep the transaction until t_continue(): ``$T(id_index)`` and ``$T(id_label)`` name it."""
        return suspend.suspend(self.tm.engine, run)

    @export
    def t_continue(self, run: Run, tindex: int, tlabel: int, name: str) -> int:
        """Go on with a suspended transaction in that callback."""
        return suspend.resume(self.tm.engine, tindex, tlabel, name)

    # -- statistics ---------------------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Kamailio's statistics of the group tmx that are not counters of the proxy."""
        engine = self.tm.engine
        return {
            "UAS_transactions": engine.created - engine.created_local,
            "UAC_transactions": engine.created_local,
            "inuse_transactions": len(engine.clients),
            "active_transactions": len(engine.clients) - engine.waiting,
        }

    @rpc("tmx.list")
    def rpc_list(self, params: list[Any]) -> list[dict[str, Any]]:
        """The transactions there are, as tm.list."""
        return self.tm.list_transactions(params)


def _flush(run: Run, name: str) -> int:
    """Make a field of the transaction's request what it is in the message."""
    t = run.t
    if t is None or t.engine is None:
        return -1
    value = getattr(run.msg, name)
    setattr(t.msg, name, value)
    if t.saved is not None:
        t.saved.values[name] = value
    return 1
