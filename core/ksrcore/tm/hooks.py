"""What other modules (acc, dialog) can learn of transactions, as Kamailio's TMCB callbacks.

A module registers in its ``start()``::

    tm.engine.hooks.add(REQUEST_IN, self.on_request)       # for every transaction
    tm.engine.hooks.arm(t, REPLY_OUT | FAILURE, self.on_event)   # for one, usually from REQUEST_IN

A callback gets (event, t, run or None, reply or None, code). It must not raise; if it does it is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage
    from .transaction import Transaction

__all__ = [
    "ACK_IN", "CANCEL_IN", "COMPLETED", "DESTROYED", "FAILURE", "REPLY_IN", "REPLY_OUT", "REQUEST_FORWARDED",
    "REQUEST_IN", "Hooks",
]  # fmt: skip

#: A transaction was created (TMCB_REQUEST_IN). run: the request's.
REQUEST_IN: Final = 1
#: A branch was sent (TMCB_REQUEST_FWDED).
REQUEST_FORWARDED: Final = 2
#: A reply came on a branch (TMCB_RESPONSE_IN). reply: the message.
REPLY_IN: Final = 4
#: A reply was sent upstream (TMCB_RESPONSE_OUT). reply: what was forwarded, None for our own; code as sent.
REPLY_OUT: Final = 8
#: A final reply was sent upstream, once a transaction (TMCB_LOCAL_COMPLETED, TMCB_RESPONSE_READY).
COMPLETED: Final = 16
#: A negative final reply was chosen, before the failure route (TMCB_ON_FAILURE). code: the best.
FAILURE: Final = 32
#: An ACK for a 2xx of this transaction passes (TMCB_E2EACK_IN). run: the ACK's.
ACK_IN: Final = 64
#: A CANCEL for this INVITE came (TMCB_E2ECANCEL_IN). run: the CANCEL's.
CANCEL_IN: Final = 128
#: The transaction is about to be freed (TMCB_DESTROY).
DESTROYED: Final = 256

Callback = Callable[[int, "Transaction", "Run | None", "SipMessage | None", int], Any]

log = logging.getLogger("ksrcore.tm")


class Hooks:
    """The callbacks. ``events``: those wanted of every transaction; a transaction's own are in ``t.armed``."""

    def __init__(self) -> None:
        self.events = 0
        self._all: list[tuple[int, Callback]] = []

    def add(self, events: int, callback: Callback) -> None:
        """Call for these events (a sum) of every transaction."""
        self.events |= events
        self._all.append((events, callback))

    def arm(self, t: Transaction, events: int, callback: Callback) -> None:
        """Call for these events of one transaction."""
        t.armed |= events
        extra = t.extra
        if extra is None:
            extra = t.extra = {}
        extra.setdefault("hooks", []).append((events, callback))

    def after_replies(self, t: Transaction, callback: Callback) -> None:
        """Arm ``callback`` for the replies of one transaction (REPLY_OUT), unless it is armed already."""
        if t.extra is None or all(known is not callback for _, known in t.extra.get("hooks", ())):
            self.arm(t, REPLY_OUT, callback)

    def call(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        """Call who wants the event; ask ``(hooks.events | t.armed) & event`` first."""
        callbacks = [c for events, c in self._all if events & event]
        if t.armed & event and t.extra is not None:
            callbacks += [c for events, c in t.extra.get("hooks", ()) if events & event]
        for callback in callbacks:
            try:
                callback(event, t, run, reply, code)
            except Exception:
                log.exception("hook %r failed", callback)
