"""What the sender of a held message is told: 100 Trying; and how dropping and answering a message end its script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..run import ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ..tm import cancel, replies
from ..tm.timers import NEVER
from ..tm.transaction import T_DISABLE_INTERNAL_REPLY, T_DROPPED, T_SUSPENDED_REPLY, Options
from .errors import DebugError

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..tm.transaction import Transaction
    from .held import Live


def send_100(proxy: Proxy, live: Live) -> None:
    """An INVITE that waits must not be sent again: 100, by its transaction or without one, unless a reply has gone."""
    msg, record, run = live.msg, live.record, live.run
    if msg is None or record is None or run is None or not msg.is_request or msg.method != "INVITE":
        return
    if any((out := proxy.recorder.get(id)) is not None and out.data.startswith("SIP/2.0 ") for id in record.sent):
        return
    t = run.t
    if t is not None and t.engine is not None:
        if t.status < 100 and not t.local:
            t.engine.reply(t, 100, "Trying", record)
        return
    _stateless_100(proxy, live)
    # Its transaction would send another one.
    options = msg.extra.get("tm")
    if options is None:
        options = msg.extra["tm"] = Options()
    if isinstance(options, Options) and options.auto_100 is None:
        options.auto_100 = False


def repeat_100(proxy: Proxy, live: Live) -> None:
    """The INVITE came again: its 100 was lost."""
    for t in live.transactions:
        if t.engine is not None and t.is_invite and not t.local:
            if t.response and t.reply_dest is not None and t.status < 200:
                proxy.send(t.response, t.reply_dest, live.record)
                return
    if live.msg is not None and live.msg.is_request and live.msg.method == "INVITE":
        _stateless_100(proxy, live)


def _stateless_100(proxy: Proxy, live: Live) -> None:
    msg, record = live.msg, live.record
    sl: Any = proxy.modules.get("sl")
    if msg is None or record is None or sl is None:
        return
    # What the script adds to replies is for its own.
    lumps, msg.reply_lumps = msg.reply_lumps, []
    try:
        sl.reply(Run(proxy, msg, REQUEST_ROUTE, record), 100, "Trying")
    finally:
        msg.reply_lumps = lumps


class _Ended:
    """In the script's place while a message ends: every callback of it ends at once, by drop."""

    def __init__(self, script: Any) -> None:
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._script, name)

    def call(self, run: Run, name: str, *args: Any) -> int:
        run.callback = name
        run.exited = run.dropped = run.handled = True
        return 0


@contextmanager
def ended(proxy: Proxy) -> Iterator[None]:
    """No callback runs inside."""
    script = proxy.script
    proxy.script = _Ended(script)  # type: ignore[assignment]
    try:
        yield
    finally:
        proxy.script = script


def transaction(proxy: Proxy, run: Run) -> Transaction | None:
    """The transaction a run is about, also in the core's reply route."""
    t: Transaction | None = run.t
    tm: Any = proxy.modules.get("tm")
    if t is None and not run.msg.is_request and tm is not None:
        found = replies.match(tm.engine, run.msg)
        t = found[0] if found is not None else None
    return t if t is not None and t.engine is not None else None


def drop(proxy: Proxy, run: Run) -> None:
    """See to it that nothing comes of a message when its script ends by drop."""
    run.dropped = run.handled = True
    t = transaction(proxy, run)
    if t is None or t.engine is None:
        return
    t.flags |= T_DISABLE_INTERNAL_REPLY
    if run.route & ONREPLY_ROUTE:
        if run.t is None or run.msg.status < 200:
            return  # as if it had been lost: the transaction goes on
        # A final one has ended its branch already: nobody would ever answer.
        t.flags |= T_SUSPENDED_REPLY
        cancel.cancel_all(t.engine, t, "")
        t.engine.release(t)
        return
    if any(client.sent and client.status < 200 for client in t.branches):
        return  # it was relayed before: what is on its way goes on
    if t.status < 200:
        t.flags |= T_DROPPED
        t.engine.release(t)


def answer(proxy: Proxy, run: Run, code: int, reason: str) -> None:
    """Send the final reply. Raises :class:`DebugError` when there is nothing to answer, or it was."""
    t = transaction(proxy, run)
    if t is not None and t.engine is not None and not t.local:
        if t.status >= 200:
            raise DebugError(f"it was answered already: {t.status} {t.reason}")
        t.flags |= T_DISABLE_INTERNAL_REPLY
        run.handled = True
        t.engine.reply(t, code, reason, run.record, run.msg if run.msg.is_request else None)
        for client in t.branches:
            if not client.sent:
                client.fr_at = client.due = NEVER
        return
    msg = run.msg
    if not msg.is_request or msg.method == "ACK":
        kind = "ACK" if msg.is_request else "reply outside a transaction"
        raise DebugError(f"a {kind} cannot be answered; drop() or resume() end its wait")
    sl: Any = proxy.modules["sl"]
    if sl.stateful_reply(run, code, reason) < 0:
        raise DebugError("the reply could not be sent: see the log")
