"""The pseudo-variables of tmx: ``$T_branch_idx``, ``$T_reply_code``, ``$T_req(...)``, ``$T(...)`` and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv, pv_class
from ..pv.spec import Spec
from ..run import BRANCH_FAILURE_ROUTE, FAILURE_ROUTE, ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ..sip.message import SipMessage

if TYPE_CHECKING:
    from ..tm.transaction import Client, Transaction


def _transaction(run: Run) -> Transaction | None:
    return run.proxy.modules.tm._t(run)


def _failed(run: Run, t: Transaction) -> Client | None:
    if run.route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE) and 0 <= run.branch < len(t.branches):
        return t.branches[run.branch]
    return None


@pv("T_branch_idx")
def branch_index(run: Run) -> Value:
    """The branch in hand; in a failure route, how many branches there are."""
    t = _transaction(run)
    if t is None:
        return 0 if run.msg.is_request else -1
    if run.route == FAILURE_ROUTE:
        return len(t.branches)
    return run.branch if run.branch >= 0 else 0


@pv("T_reply_code")
def reply_code(run: Run) -> Value:
    """The code of the reply in hand, of the winning one in a failure route, else of the last sent upstream."""
    t = _transaction(run)
    if run.route & ONREPLY_ROUTE and not run.msg.is_request:
        return run.msg.status
    if t is None:
        return 0
    failed = _failed(run, t)
    return failed.status if failed is not None else t.status


@pv("T_reply_reason")
def reply_reason(run: Run) -> Value:
    """The reason phrase that belongs to $T_reply_code."""
    t = _transaction(run)
    if t is None:
        return ""
    if run.route & ONREPLY_ROUTE and not run.msg.is_request:
        return run.msg.reason
    failed = _failed(run, t)
    if failed is not None:
        return failed.reply.reason if failed.reply is not None else "Request Timeout"
    return t.reason or None


@pv("T_reply_last")
def reply_last(run: Run) -> Value:
    """The last code that came in on the branch in hand."""
    t = _transaction(run)
    if t is None or not 0 <= run.branch < len(t.branches):
        return None
    if run.route & ONREPLY_ROUTE and not run.msg.is_request:
        return run.msg.status
    return t.branches[run.branch].status


@pv("T_reply_ruid")
def reply_ruid(run: Run) -> Value:
    """The ruid of the contact whose branch is in hand."""
    t = _transaction(run)
    if t is None or not 0 <= run.branch < len(t.branches):
        return ""
    return t.branches[run.branch].ruid


def _of(name: str, message: Callable[[Run], SipMessage | None]) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        inner = (spec.inner or "").strip()
        if not inner.startswith("$"):
            raise PvError(f"expected a pseudo-variable in the parentheses: ${name}($ru)", str(spec))
        accessor = compile_spec(inner)

        def get(run: Run) -> Value:
            msg = message(run)
            if msg is None:
                return None
            route = REQUEST_ROUTE if msg.is_request else ONREPLY_ROUTE
            return accessor.get(Run(run.proxy, msg, route, run.record, run.avps, run.t, run.branch))

        return Accessor(spec, get)


def _request(run: Run) -> SipMessage | None:
    """The request as it was received, for replies only: what a script changed in it is not seen."""
    if run.msg.is_request:
        return None
    t = _transaction(run)
    return SipMessage(t.msg.buf, t.msg.rcv) if t is not None else None


def _reply(run: Run) -> SipMessage | None:
    t = _transaction(run)
    if t is None or not 0 <= run.branch < len(t.branches):
        return None
    return run.reply or t.branches[run.branch].reply


def _invite(run: Run) -> SipMessage | None:
    tm = run.proxy.modules.tm
    if not run.msg.is_request or run.msg.method != "CANCEL":
        return None
    t = tm.engine.lookup_invite(run.msg)
    return t.msg if t is not None else None


_of("T_req", _request)
_of("T_rpl", _reply)
_of("T_inv", _invite)


_T: dict[str, Callable[[Run, Any], Value]] = {
    "id_index": lambda run, t: t.id_index,
    "id_label": lambda run, t: t.id_label,
    "id_index_n": lambda run, t: t.id_index,
    "id_label_n": lambda run, t: t.id_label,
    "reply_code": lambda run, t: reply_code(run),
    "reply_type": lambda run, t: 1 if t.relayed == -2 else 0,
    "branch_index": lambda run, t: branch_index(run),
    "ruid": lambda run, t: reply_ruid(run),
    "reply_reason": lambda run, t: reply_reason(run),
    "reply_last": lambda run, t: reply_last(run),
}


@pv_class("T")
def _t(spec: Spec) -> Accessor:
    """``$T(id_index)``, ``$T(id_label)`` and others."""
    name = (spec.inner or "").strip()
    read = _T.get(name)
    without = name in ("branch_index", "reply_code", "reply_reason")
    if read is None:
        raise PvError(f"expected one of {', '.join(_T)} in the parentheses, got {spec.inner!r}", str(spec))

    def get(run: Run) -> Value:
        t = _transaction(run)
        return read(run, t) if t is not None or without else None

    return Accessor(spec, get)


@pv_class("T_branch")
def _t_branch(spec: Spec) -> Accessor:
    """``$T_branch(flags)``, ``$T_branch(uri)``: of the branch in hand."""
    name = (spec.inner or "").strip()
    if name not in ("flags", "uri"):
        raise PvError(f"expected flags or uri in the parentheses, got {spec.inner!r}", str(spec))

    def get(run: Run) -> Value:
        t = _transaction(run)
        if t is None or not 0 <= run.branch < len(t.branches):
            return None
        return t.branches[run.branch].flags if name == "flags" else t.branches[run.branch].uri

    return Accessor(spec, get)
