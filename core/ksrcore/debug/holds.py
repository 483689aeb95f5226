"""Live holds: a message of the traffic waits at a place of the script while all others flow.

Whether some hold may stop a message is decided before it is processed, by the parts of the conditions that are about
the message as it came. Only then is it processed in a thread of its own (see ``tasks``), with its script's frames
traced. A message that only logpoints want is traced where it is: it never waits.

While a message waits, what belongs to its transaction waits behind it, in order; its retransmissions are absorbed;
the transaction's timers stand still. Everything here happens under ``proxy.lock``, in one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..proxy import REPEATED
from ..sip.errors import SipError
from ..tasks import Task
from ..tm import replies
from . import ending
from .entries import Entries
from .errors import DebugError
from .filters import LiveNames
from .held import Held, Live
from .hold import SHARE, Hold
from .places import ENTRY
from .releases import Releases
from .sandbox import Sandboxes, is_script_file
from .titles import id_of, reason_of, title_of
from .tracer import Order
from .waiting import Waiting

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..outside import Outside
    from ..sip.message import SipMessage
    from ..tm.timers import Timed
    from ..tm.transaction import Client, Transaction

log = logging.getLogger("ksrcore.hold")

#: Messages held at once; further ones flow and are counted.
MAX_HELD = 32
#: What waits behind one of them at most: someone who sends ever new messages of a transaction fills no memory.
MAX_WAITING = 1000
#: How long until a timer of a held transaction asks again (seconds).
_ASK_AGAIN = 1.0


class Holds(Releases):
    """The holds of one proxy and the messages they hold; it is the proxy's ``debugger`` while there is one of either.

    ``tell(event, params)`` gets the events ``held``, ``released`` and ``log``.
    """

    def __init__(self, sandboxes: Sandboxes, limit: int = MAX_HELD) -> None:
        self.sandboxes = sandboxes
        self.proxy = sandboxes.live
        self.limit = limit
        self.armed: dict[int, Hold] = {}
        self.held: dict[int, Held] = {}
        self.tell: Callable[[str, dict[str, Any]], None] = lambda event, params: None
        #: What was held of a message that is captured: by its id, a line for each time.
        self.notes: dict[int, list[str]] = {}
        self.passed = 0
        self.entries = Entries(self.proxy)
        self.tasks = self.proxy.tasks
        #: Whose turn it is: nothing else is held while a message is processed.
        self._active: Live | None = None
        self.waiting = Waiting()
        self._numbers = 0
        self._holds = 0
        self._generation = -1
        self._outbox: list[tuple[str, dict[str, Any]]] = []

    # -- arming ---------------------------------------------------------------------------------------------------

    def arm(self, where: str = "", **options: Any) -> Hold:
        """Arm a hold (see :class:`Hold`). Raises what its parts raise."""
        with self.proxy.lock:
            hold = Hold(self.proxy, self._holds + 1, where, **options)
            self._holds += 1
            self.armed[hold.id] = hold
            self._attach()
            return hold

    def disarm(self, number: int) -> Hold:
        """Take a hold back; what it holds stays held. Raises :class:`DebugError`."""
        with self.proxy.lock:
            hold = self.armed.pop(number, None)
            if hold is None:
                have = ", ".join(map(str, self.armed)) or "none"
                raise DebugError(f"no hold {number} is armed; armed: {have}")
            hold.armed = False
            self._attach()
            return hold

    def leave(self, owner: object) -> None:
        """A client has gone: its holds are disarmed and what they hold is released, unless they are to be kept."""
        with self.proxy.lock:
            gone = [hold for hold in self.armed.values() if hold.owner is owner and not hold.keep]
            for hold in gone:
                self.disarm(hold.id)
            for held in [h for h in self.held.values() if h.hold.owner is owner and not h.hold.keep]:
                self.release(held, "its client has gone")

    def close(self) -> None:
        """The proxy stops: nothing is held any more and no thread stays behind."""
        self.stop()
        self.tasks.close()

    def stop(self) -> None:
        """Disarm all and release all."""
        with self.proxy.lock:
            for number in list(self.armed):
                self.disarm(number)
            while self.held:
                self.release(next(iter(self.held.values())), "stopped")

    def _attach(self) -> None:
        if self.armed or self._paused():
            self.entries.arm()
            self.proxy.debugger = self
        else:
            self.entries.disarm()
            self.proxy.debugger = self._next()

    def _next(self) -> Outside | None:
        """Who is asked about what is not held: a script may have to wait for others, too."""
        outside = self.proxy.outside
        return outside if outside is not None and outside.wanted else None

    def _paused(self) -> bool:
        return bool(self.waiting or self.held)

    def get(self, number: int) -> Held:
        try:
            return self.held[number]
        except KeyError:
            have = ", ".join(map(str, self.held)) or "none"
            raise DebugError(f"no message is held under {number}; held: {have}") from None

    def is_script(self, filename: str) -> bool:
        script = self.proxy.script
        return script is not None and is_script_file(script, filename)

    # -- what the proxy asks --------------------------------------------------------------------------------------

    def takes(self, msg: SipMessage, record: Record, fn: Callable[[], None] | None = None) -> bool:
        """A message has come: True when it was taken here, to be processed now or later. ``fn`` processes what is not
        to be routed as SIP is."""
        if self._active is not None or msg.error is not None:
            return False
        t = self._transaction(msg)
        if self._paused() and self._waits(msg, record, t):
            return True
        wanted = self._wanted(msg, record, t)
        if not wanted:
            outside = self._next()
            return outside is not None and outside.takes(msg, record, fn)
        self._run(wanted, fn or partial(self.proxy.route, msg, record), msg, record, t)
        return True

    def enter(self, t: Transaction | None, fn: Callable[[], None], what: str = "timer") -> bool:
        """Something other than a message goes on with a transaction (a timer, an address that was found, a connection
        that failed), or with nothing at all: True when it was taken here."""
        if self._active is not None:
            return False
        if t is not None:
            live = self.waiting.transactions.get(t)
            if live is not None:
                live.queue.append((what, partial(self._enter_again, t, fn, what)))
                return True
            wanted = [hold for hold in self._current() if hold.wants_transaction(t, self.proxy)]
            if wanted:
                self._run(wanted, fn, t.msg, t.record, t)
                return True
            outside = self._next()
            return outside is not None and outside.enter(t, fn, what)
        if isinstance(fn, partial) and fn.func == self._expired:
            return False
        live = self.waiting.ticks.get(fn)
        if live is not None:
            # The same is held: it is not done twice at once. One that repeats comes again anyway.
            if what != REPEATED:
                live.queue.append((what, fn))
            return True
        # A hold without a place or with a condition on messages means messages.
        wanted = [
            hold
            for hold in self._current()
            if not hold.condition.decides_early and hold.place.kind != ENTRY and hold.watch is None
        ]
        if wanted:
            self._run(wanted, fn, None, None, None, fn)
            return True
        outside = self._next()
        return outside is not None and outside.enter(t, fn, what)

    def stands_still(self, item: Timed, t: Transaction | None, now: float) -> bool:
        """A timer of a transaction has fired: True while the transaction is held, whose clock stands still."""
        if t is None or t not in self.waiting.transactions or t.engine is None:
            outside = self._next()
            return outside is not None and outside.stands_still(item, t, now)
        t.engine.timers.set(item, now, _ASK_AGAIN)
        return True

    def timer(self, client: Client, now: float, fn: Callable[[], None]) -> bool:
        """A branch's timer has fired: True when it was taken here."""
        t = client.t
        if self.stands_still(client, t, now):
            return True
        # A retransmission runs nothing of the script.
        return t is not None and client.fr_at <= now and self.enter(t, fn)

    # -- whose business it is -------------------------------------------------------------------------------------

    def _current(self) -> list[Hold]:
        """The armed holds whose place is there, as the script is now."""
        script = self.proxy.script
        if script is not None and script.generation != self._generation:
            self._generation = script.generation
            self.entries.arm()  # a reload has made the script's names anew
            for hold in self.armed.values():
                hold.place.refresh(script)
        return [hold for hold in self.armed.values() if not hold.place.lost]

    def _wanted(self, msg: SipMessage, record: Record, t: Transaction | None) -> list[Hold]:
        wanted = []
        names = LiveNames(record, self.proxy, msg)
        for hold in self._current():
            if hold.wants(names) or (t is not None and hold.wants_transaction(t, self.proxy)):
                wanted.append(hold)
        return wanted

    def _transaction(self, msg: SipMessage) -> Transaction | None:
        """The transaction that a reply belongs to."""
        tm: Any = self.proxy.modules.get("tm")
        if msg.is_request or tm is None:
            return None
        try:
            found = replies.match(tm.engine, msg)
        except SipError:
            return None
        return found[0] if found is not None else None

    def _waits(self, msg: SipMessage, record: Record, t: Transaction | None) -> bool:
        """Whether something is held that this message must not overtake: it waits behind it, or is absorbed."""
        live, again = self.waiting.find(msg, record, t)
        if live is None:
            return False
        if not again:
            fn = partial(self._again, msg, record)
            again = any(
                isinstance(other, partial) and other.func == self._again and other.args[1].data == record.data
                for _, other in live.queue
            )
            if not again and len(live.queue) < MAX_WAITING:
                live.queue.append((title_of(msg), fn))
            elif not again:
                record.error = f"{MAX_WAITING} messages wait behind message {id_of(live)}, which is held: ignored"
        if again:
            live.absorbed += 1
            record.error = f"absorbed: it repeats message {id_of(live)}, which is held"
            if msg.is_request and msg.method == "INVITE":
                ending.repeat_100(self.proxy, live)
        return True

    def _again(self, msg: SipMessage, record: Record) -> None:
        """A message that waited behind a held one: its turn, unless another one of its transaction is held by now."""
        if not self.takes(msg, record):
            self.proxy.route(msg, record)

    def _enter_again(self, t: Transaction, fn: Callable[[], None], what: str) -> None:
        """Likewise, what is no message."""
        if not self.enter(t, fn, what):
            fn()

    # -- processing -----------------------------------------------------------------------------------------------

    def _run(
        self,
        wanted: list[Hold],
        fn: Callable[[], None],
        msg: SipMessage | None,
        record: Record | None,
        t: Transaction | None,
        key: object = None,
    ) -> None:
        live = Live(self, wanted, msg, record)
        live.tick = key
        if t is not None:
            live.transactions.add(t)

        with self.proxy.lock:
            self._active = live
            try:
                if not live.task_wanted and self._next() is None:
                    self._begin()
                    try:
                        live.process(fn)
                    finally:
                        self._end()
                else:
                    live.task = self.tasks.start(
                        partial(live.process, fn), self._begin, self._end, partial(self._ready, live)
                    )
            finally:
                self._active = None
            self._after(live)

    def _begin(self) -> None:
        live = self._active
        if live is not None:
            if live.task_wanted or live.at_calls:
                self.sandboxes.enter(live)
            self.entries.tell(live.entered)

    def _end(self) -> None:
        self.entries.hush()
        self.sandboxes.leave()

    def go_on(self, live: Live, order: Order) -> None:
        """A held message goes on; returns when it is held again or its processing has ended."""
        with self.proxy.lock:
            if live.task is None or not live.task.paused or self._active is not None:
                raise DebugError("the message does not wait: it is being processed, or was")
            if live.task.outside:
                raise DebugError("the message waits for somebody outside: it goes on when that is done")
            live.order = order
            self._turn(live, live.task)

    def _turn(self, live: Live, task: Task) -> None:
        self.waiting.remove(live)
        self.waiting.shift(live, self.proxy.now)
        self._active = live
        try:
            if live.ending:
                with ending.ended(self.proxy):
                    self.tasks.go_on(task)
            else:
                self.tasks.go_on(task)
        finally:
            self._active = None
        self._after(live)

    def _ready(self, live: Live, task: Task) -> None:
        """What a message of a hold waited for outside is done."""
        with self.proxy.lock:
            self._turn(live, task)

    def _after(self, live: Live) -> None:
        """The core is back: the message is held, or done with."""
        if live.task is not None and not live.task.done:
            if live.task.outside:
                live.paused_at = self.proxy.now
                run = live.task.run
                if run is not None and run.t is not None and run.t.engine is not None:
                    live.transactions.add(run.t)
            self.waiting.add(live)
        else:
            held, live.held = live.held, None
            if held is not None:
                self._close(held, "resumed")
            live.publish_end(held)
            self._attach()
            while live.queue:
                what, fn = live.queue.popleft()
                try:
                    fn()
                except Exception:
                    log.exception("what waited behind a held message failed: %s", what)
        self._attach()
        outbox, self._outbox = self._outbox, []
        for event, params in outbox:
            self.tell(event, params)

    # -- in the thread of a message -------------------------------------------------------------------------------

    def reached(self, hold: Hold, live: Live, frame: FrameType) -> bool:
        """A message is at the place of a hold: whether it is to wait there."""
        if not hold.armed:
            return False
        run = self.proxy.env.run
        if not hold.condition.late(run):
            return False
        hold.hits += 1
        if hold.hits < hold.wanted:
            return False
        if hold.log is not None:
            self._logged(hold, frame)
            return False
        if live.held is None and len(self.held) >= self.limit:
            hold.missed += 1
            self.passed += 1
            return False
        if hold.once:
            self.disarm(hold.id)
        return True

    def _logged(self, hold: Hold, frame: FrameType) -> None:
        assert hold.log is not None
        run = self.proxy.env.run
        text = hold.log.format(run, frame.f_locals)
        hold.holds += 1
        place = f"{frame.f_code.co_name}:{frame.f_lineno}"
        log.info("message %d at %s: %s", run.record.id, place, text)
        event = {"hold": hold.id, "message": run.record.id, "place": place, "text": text, "time": self.proxy.wall()}
        self._outbox.append(("log", event))
        if hold.once:
            self.disarm(hold.id)

    def stopped(self, live: Live) -> None:
        """A message stops, for a hold or after a step: wait for an order, in the message's thread."""
        cause, live.cause = live.cause, None
        run = live.run
        assert run is not None
        if live.record is None:
            live.record = run.record
        held = live.held
        if held is None and cause is None:
            live.order = ("finish", 0)  # it was released while it waited for somebody outside
            return
        if held is None:
            assert cause is not None
            held = live.held = live.last = self._hold(live, cause)
        held.why = reason_of(live, cause)
        if run.t is not None and run.t.engine is not None:
            live.transactions.add(run.t)
        if not live.answered_100:
            live.answered_100 = True
            ending.send_100(self.proxy, live)
        if held.since < 0:
            held.since = self.proxy.wall()
            view = held.view()
            held.at = view["function"], view["file"], view["line"]
            log.info("%s", self.line(held))
            self._outbox.append(("held", self.view(held)))
        if held.publish is not None:
            held.publish(held.state())
        live.paused_at = self.proxy.now
        self.tasks.pause()

    def _hold(self, live: Live, hold: Hold) -> Held:
        proxy = self.proxy
        timeout = hold.timeout
        for t in live.transactions:
            timeout = min(timeout, SHARE * t.fr) if t.fr < timeout else timeout
        self._numbers += 1
        held = Held(self, self._numbers, live, hold, proxy.now + timeout)
        held.since = -1.0
        held.timer = proxy.after(timeout, partial(self._expired, held))
        self.held[held.id] = held
        hold.holds += 1
        return held
