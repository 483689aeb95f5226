"""Messages whose script asks somebody outside (HTTP, Redis, an RTP relay): they wait, all others flow.

Where the script uses functions that wait, its messages and timers are processed as tasks (:mod:`ksrcore.tasks`), each
as if a worker process of Kamailio had it: another message, a retransmission of the same too, is processed meanwhile.
Replies and timers of a transaction that has a callback waiting come after it, in order; Kamailio locks them out for
failure routes. As many wait at once as Kamailio would have workers for; further ones queue until one has ended.

Scripts without such functions have none of this. Which callbacks need it is looked up when the script changes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from .proxy import REPEATED
from .run import REQUEST_ROUTE
from .sip.errors import SipError
from .tasks import Task
from .tm import replies

if TYPE_CHECKING:
    from .capture.recorder import Record
    from .proxy import Proxy
    from .script.engine import Script
    from .sip.message import SipMessage
    from .tm.timers import Timed
    from .tm.transaction import Client, Transaction

__all__ = ["Outside", "look_at"]

log = logging.getLogger("ksrcore.outside")

#: How many messages may wait at once.
LIMIT = 64
#: What may queue for one of them to end; more is thrown away, as by a socket whose buffer is full.
BACKLOG = 10_000
#: How long until a timer of a transaction asks again whose callback waits (seconds).
_ASK_AGAIN = 0.2

_REQUEST = "ksr_request_route"


class _Flow:
    """One piece of work. ``behind``: what must come after it."""

    __slots__ = ("task", "transaction", "key", "behind")

    def __init__(self, transaction: Transaction | None, key: object) -> None:
        self.task: Task | None = None
        self.transaction = transaction
        self.key = key
        self.behind: deque[Callable[[], None]] = deque()


class Outside:
    """It stands where a debugger stands (``proxy.debugger``): asked about each message and timer.

    ``requests``, ``others``: whether the request route, and whether any other callback, may have to wait.
    """

    def __init__(self, proxy: Proxy, limit: int = LIMIT) -> None:
        self.proxy = proxy
        self.limit = limit
        self.requests = False
        self.others = False
        #: The most that waited at once, and what was thrown away.
        self.most = 0
        self.lost = 0
        self._flows = 0
        self._transactions: dict[Transaction, _Flow] = {}
        self._keys: dict[object, _Flow] = {}
        self._backlog: deque[tuple[Callable[[], None], Transaction | None, object]] = deque()

    @property
    def wanted(self) -> bool:
        return self.requests or self.others or self._flows > 0

    def busy(self) -> bool:
        """Whether something waits now."""
        return self._flows > 0

    # -- what the proxy asks --------------------------------------------------------------------------------------

    def takes(self, msg: SipMessage, record: Record, fn: Callable[[], None] | None = None) -> bool:
        """See :class:`~ksrcore.proxy.Debugger`."""
        if self.proxy.tasks.current is not None or msg.error is not None:
            return False
        work = fn or partial(self.proxy.route, msg, record)
        if msg.is_request:
            if not (self.others if msg.http else self.requests):
                return False
            self._do(work, None, None)
            return True
        t = self._transaction(msg)
        flow = self._transactions.get(t) if t is not None else None
        if flow is not None:
            flow.behind.append(partial(self._again, msg, record, work))
            return True
        if not self.others:
            return False
        self._do(work, t, None)
        return True

    def _again(self, msg: SipMessage, record: Record, work: Callable[[], None]) -> None:
        if not self.takes(msg, record, work):
            work()

    def enter(self, t: Transaction | None, fn: Callable[[], None], what: str = "timer") -> bool:
        """See :class:`~ksrcore.proxy.Debugger`."""
        if self.proxy.tasks.current is not None:
            return False
        flow = self._transactions.get(t) if t is not None else self._keys.get(fn)
        if flow is not None:
            # A timer that repeats comes again anyway.
            if t is not None:
                flow.behind.append(partial(self._enter_again, t, fn, what))
            elif what != REPEATED:
                flow.behind.append(fn)
            return True
        if not self.others:
            return False
        self._do(fn, t, fn if t is None else None)
        return True

    def _enter_again(self, t: Transaction, fn: Callable[[], None], what: str) -> None:
        if not self.enter(t, fn, what):
            fn()

    def stands_still(self, item: Timed, t: Transaction | None, now: float) -> bool:
        """See :class:`~ksrcore.proxy.Debugger`."""
        if t is None or t not in self._transactions or t.engine is None:
            return False
        t.engine.timers.set(item, now, _ASK_AGAIN)
        return True

    def timer(self, client: Client, now: float, fn: Callable[[], None]) -> bool:
        """See :class:`~ksrcore.proxy.Debugger`."""
        t = client.t
        if self.stands_still(client, t, now):
            return True
        # A retransmission runs nothing of the script.
        return t is not None and client.fr_at <= now and self.enter(t, fn)

    def stop(self) -> None:
        """The proxy ends: what queues is forgotten."""
        self._backlog.clear()

    # -- processing -----------------------------------------------------------------------------------------------

    def _transaction(self, msg: SipMessage) -> Transaction | None:
        tm: Any = self.proxy.modules.get("tm")
        if tm is None:
            return None
        try:
            found = replies.match(tm.engine, msg)
        except SipError:
            return None
        return found[0] if found is not None else None

    def _do(self, fn: Callable[[], None], t: Transaction | None, key: object) -> None:
        if self._flows >= self.limit:
            if not self._backlog:
                log.warning("%d messages wait for somebody outside: further ones queue", self._flows)
            if len(self._backlog) < BACKLOG:
                self._backlog.append((fn, t, key))
            else:
                self.lost += 1
            return
        flow = _Flow(t, key)
        self._after(flow, self.proxy.tasks.start(fn, ready=partial(self._ready, flow)))

    def _ready(self, flow: _Flow, task: Task) -> None:
        """What it waited for is done: its next turn."""
        self.proxy.tasks.go_on(task)
        self._after(flow, task)

    def _after(self, flow: _Flow, task: Task) -> None:
        """The core is back: the flow waits, or has ended."""
        if not task.done:
            if flow.task is None:
                flow.task = task
                self._flows += 1
                if self._flows > self.most:
                    self.most = self._flows
                if flow.key is not None:
                    self._keys[flow.key] = flow
                if flow.transaction is not None:
                    self._transactions[flow.transaction] = flow
            run = task.run
            if flow.transaction is None and run is not None and run.route != REQUEST_ROUTE:
                # A branch route, or another callback in the middle of the transaction.
                if run.t is not None and run.t not in self._transactions:
                    self._transactions[run.t] = flow
                    flow.transaction = run.t
            return
        if flow.task is None:
            return
        self._flows -= 1
        if flow.transaction is not None:
            del self._transactions[flow.transaction]
        if flow.key is not None:
            del self._keys[flow.key]
        while flow.behind:
            fn = flow.behind.popleft()
            later = self._transactions.get(flow.transaction) if flow.transaction is not None else None
            if later is not None:
                later.behind.append(fn)
                later.behind.extend(flow.behind)
                break
            try:
                fn()
            except Exception:
                log.exception("what came after a callback that waited failed")
        while self._backlog and self._flows < self.limit:
            fn, t, key = self._backlog.popleft()
            later = self._transactions.get(t) if t is not None else self._keys.get(key)
            if later is not None:
                later.behind.append(fn)
            else:
                self._do(fn, t, key)


def look_at(proxy: Proxy, script: Script) -> None:
    """The script is loaded or has changed: whether its messages may have to wait."""
    functions: dict[str, Collection[str]] = {}
    for module in proxy.modules.values():
        names = module.waits()
        if names:
            functions[module.name] = module.exports if names is True else names
    waiting = script.waiting(functions) if functions else frozenset()
    requests, others = _REQUEST in waiting, bool(waiting - {_REQUEST})
    outside = proxy.outside
    if outside is None:
        if not waiting:
            return
        outside = proxy.outside = Outside(proxy)
    outside.requests, outside.others = requests, others
    if proxy.debugger is None and outside.wanted:
        proxy.debugger = outside
    elif proxy.debugger is outside and not outside.wanted:
        proxy.debugger = None
