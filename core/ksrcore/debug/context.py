"""What a callback begins with: the run of a callback on a captured message, as it was when the message was routed.

A callback that ran for the message (or because of it) begins with what the recorder kept of its transaction. A request
or reply in a core route begins with what can be told from the records: the transaction it belongs to, its branches,
what had been sent and had come back until then.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Ran, Record, Recorder
from ..kemi.xhttp import EVENT
from ..run import (
    BRANCH_FAILURE_ROUTE,
    EVENT_ROUTE,
    FAILURE_ROUTE,
    ONSEND_ROUTE,
    TM_ONREPLY_ROUTE,
    Run,
    route_for,
)
from ..sip.errors import SipError
from ..tm.kept import Kept, restore
from .history import transaction_of

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..proxy import Proxy
    from ..sip.message import SipMessage

CORE_CALLBACKS = ("ksr_request_route", "ksr_reply_route")

#: Records looked through for a callback that ran because of a message.
_LOOK = 2000


def find_ran(recorder: Recorder, record: Record, callback: str, nth: int = 0) -> tuple[Record, Ran] | None:
    """The ``nth`` run (from 0) of that callback for the message, else for its transaction; None when it did not run.

    Failure routes run when a reply comes, and are kept with it: they are found by their request as well.
    """
    found = [(record, ran) for ran in record.runs if ran.callback == callback]
    if len(found) <= nth and callback not in CORE_CALLBACKS and recorder.records:
        records = recorder.records
        start = max(0, record.id - records[0].id + 1)
        for later in list(islice(records, start, start + _LOOK)):
            for ran in later.runs if later.ran else ():
                kept = ran.kept
                if ran.callback == callback and kept is not None and Kept._make(kept).of == record.id:
                    found.append((later, ran))
    return found[nth] if nth < len(found) else None


def prepare(
    proxy: Proxy, recorder: Recorder, record: Record, ran: Ran | None, listens: list[Listen]
) -> tuple[Run, tuple[Any, ...]]:
    """The run in a sandbox's ``proxy`` and the callback's arguments after ``msg``. Raises :class:`SipError`."""
    if ran is not None and ran.kept is not None:
        return _again(proxy, recorder, record, ran, listens)
    msg = record.fresh(listens)
    run = Run(proxy, msg, route_for(msg), _own(proxy, record))
    if msg.http:
        return run, (EVENT,)
    transaction_of(proxy, recorder, record, msg, listens)
    return run, ()


def _own(proxy: Proxy, record: Record) -> Record:
    """The record of the message in the sandbox's recorder."""
    return proxy.recorder.add(record.time, record.where, record.data)


def _again(
    proxy: Proxy, recorder: Recorder, record: Record, ran: Ran, listens: list[Listen]
) -> tuple[Run, tuple[Any, ...]]:
    kept = Kept._make(ran.kept)
    source = (kept.source if kept.is_request else None) or record
    msg = source.fresh(listens)
    route = ran.route
    replies: dict[int, SipMessage] = {}
    for _, _, reply in kept.branches:
        found = recorder.get(reply) if reply else None
        if found is not None:
            try:
                replies[reply] = found.fresh(listens)
            except SipError:
                continue
    engine = proxy.modules.tm.engine
    t, avps, local = restore(engine, kept, msg, route, listens, replies)
    run = Run(proxy, msg, route, _own(proxy, record), avps, t, ran.branch)
    run.t_lookup = True
    run.local.update(local)
    if t is not None and 0 <= ran.branch < len(t.branches):
        branch = t.branches[ran.branch]
        if route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE):
            run.reply = branch.reply
            if not branch.faked and branch.reply is None and not record.out:
                run.reply = branch.reply = _reply(record, listens)
        elif route == TM_ONREPLY_ROUTE:
            msg.bflags = branch.flags
    if route == ONSEND_ROUTE:
        run.dest = local.get("dest")
    if route == EVENT_ROUTE:
        run.handled = True
    return run, kept.args


def _reply(record: Record, listens: list[Listen]) -> SipMessage | None:
    try:
        msg = record.fresh(listens)
    except SipError:
        return None
    return None if msg.is_request else msg
