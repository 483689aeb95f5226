"""The proxy core, without sockets or clocks: datagrams and time go in, datagrams come out through ``transmit``.

``net`` hands messages to :meth:`Proxy.receive`; it parses, runs the script's callback, and what the script asks for
(``tm``, ``sl``, ...) sends through :meth:`Proxy.send`. Timers run in :meth:`Proxy.advance`. The same class routes live
traffic, replays captured messages in a sandbox (``transmit`` collects) and runs in tests.
"""

from __future__ import annotations

import logging
import traceback
from collections import defaultdict
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import __version__
from .capture.recorder import Record, Recorder
from .counting import count_reply, count_request
from .kemi.declare import ParamError
from .kemi.facade import Env
from .modules import Modules
from .myself import Myself
from .net.address import CARRIERS, Dest, Listen, Rcv, ip_family
from .run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run
from .sip.errors import SipError
from .sip.message import SipMessage, VersionError, parse_message
from .tasks import Tasks

if TYPE_CHECKING:
    from .net.network import Network
    from .outside import Outside
    from .script.engine import Script
    from .store.database import Database
    from .tm.timers import Timed
    from .tm.transaction import Client, Transaction

log = logging.getLogger("ksrcore")

T = TypeVar("T")


#: What a resolver calls when it knows: (proto, ip, port) of each target in order.
Resolved = Callable[[list[tuple[str, str, int]]], None]


#: What a debugger is told of a timer that comes again by itself.
REPEATED = "repeated timer"


class TimerSource(Protocol):
    """A timer queue of a module's own. ``next``: when it has work (monotonic seconds), inf when it has none."""

    next: float

    def advance(self, now: float) -> None:
        """Run what is due; never raises."""


class Debugger(Protocol):
    """What may keep a message or a timer waiting: see debug/holds.py. Never raises."""

    def takes(self, msg: SipMessage, record: Record, fn: Callable[[], None] | None = None) -> bool:
        """A message has come; True: it is processed there, now or later. ``fn`` does it if it is no message of SIP."""

    def enter(self, t: Transaction | None, fn: Callable[[], None], what: str = "timer") -> bool:
        """Something goes on with a transaction (None: with none) but no message; True: ``fn`` is called there."""

    def timer(self, client: Client, now: float, fn: Callable[[], None]) -> bool:
        """The timer of a branch has fired; True: ``fn`` is called there, or the timer fires again later."""

    def stands_still(self, item: Timed, t: Transaction | None, now: float) -> bool:
        """The timer of a transaction has fired; True: it fires again later."""

    def stop(self) -> None:
        """The proxy ends: nothing waits any more."""


class Timer:
    """A call to come: ``cancel()`` takes it back. ``every`` > 0 repeats it."""

    __slots__ = ("at", "fn", "every")

    def __init__(self, at: float, fn: Callable[[], None], every: float) -> None:
        self.at = at
        self.fn: Callable[[], None] | None = fn
        self.every = every

    def cancel(self) -> None:
        self.fn = None


#: Fields that a message has once, or it is not routed (Kamailio's sip_parser_mode 1).
_ONCE = frozenset(("from", "to", "call-id", "cseq"))


#: What counts a message with a broken Via or field, one that lacks a field, and one whose To or CSeq is broken.
_UNREADABLE: tuple[str, ...] = ("core:bad_msg_hdr",)
_INCOMPLETE: tuple[str, ...] = ("core:err_requests",)
_REJECTED: tuple[str, ...] = ("core:bad_msg_hdr", "core:err_requests")
_OF_REPLIES = {"core:err_requests": "core:err_replies"}


def _not_once(msg: SipMessage) -> SipError | None:
    keys = [header.key for header in msg.headers]
    wrong = [f"{key} {keys.count(key)} times" for key in sorted(_ONCE) if keys.count(key) != 1]
    return SipError(f"expected once: {', '.join(wrong)}") if wrong else None


class Proxy:
    """One proxy: its listen sockets, aliases, modules, script, recorder.

    ``transmit(data, dest) -> bool`` sends bytes (False: could not be handed over). ``now`` is monotonic seconds, set
    by whoever calls :meth:`receive` and :meth:`advance`; :meth:`wall` is unix time.
    """

    def __init__(
        self,
        *,
        transmit: Callable[[bytes, Dest], bool],
        listens: list[Listen] | None = None,
        aliases: list[str] | None = None,
        now: float = 0.0,
        wall: float = 0.0,
        recorder: Recorder | None = None,
        name: str = "ksrshell",
    ) -> None:
        self.name = name
        self.transmit = transmit
        self.listens: list[Listen] = listens if listens is not None else []
        #: In their order, which RPC commands show.
        self.aliases: dict[str, None] = dict.fromkeys(alias.lower() for alias in aliases or ())
        #: What the configuration defines (#!define, -A), by name.
        self.defines: dict[str, str] = {}
        #: The configuration's own parameters (``group.name = value``), by group and name.
        self.custom: dict[tuple[str, str], int | str] = {}
        #: Which hosts, ports and transports are this proxy's own.
        self.myself = Myself(self)
        #: Whether our replies carry a Warning field (the core's ``sip_warning``).
        self.sip_warning = False
        #: What the configuration sets in every message.
        self.marks: dict[str, bool] = {}
        self.now = now
        self.wall_offset = wall - now
        self.started = wall
        self.recorder = recorder if recorder is not None else Recorder()
        self.env = Env()
        self.script: Script | None = None
        self.modules: Modules = Modules()
        #: Whole header fields without line end, '' for none: of replies and of requests we make.
        self.server_header = f"Server: ksrshell ({__version__})"
        self.user_agent_header = f"User-Agent: ksrshell ({__version__})"
        #: Asked in turn before a request's callback; one that returns True has taken the request.
        self.request_filters: list[Callable[[Run], bool]] = []
        #: Called with a request's run when its callback has ended: tm settles transactions nobody relayed.
        self.request_done: list[Callable[[Run], None]] = []
        #: Asked in turn for a reply that the script let pass; one that returns True has taken it.
        self.reply_handlers: list[Callable[[Run], bool]] = []
        #: Statistics, named as Kamailio groups them: ``core:rcv_requests``, ``sl:sent_replies`` ...
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.sandbox = False
        #: Asked about each message and timer while something is armed or held; None, the usual, while nothing is.
        self.debugger: Debugger | None = None
        #: What processes messages of a script that may have to wait; None while there is no such script.
        self.outside: Outside | None = None
        #: Where what is left to chance comes from: a sandbox that repeats a run has the same numbers again.
        self.random = Random()
        #: Opened by whoever assembles the proxy; None: nothing is kept.
        self.db: Database | None = None
        #: The sockets, given by the server; None in sandboxes and in tests without sockets.
        self.network: Network | None = None
        #: Held by whoever works in the core while other threads may: see debug/sandbox.py.
        self.lock = RLock()
        #: Messages that may have to wait, each in a thread of its own.
        self.tasks = Tasks(self)
        #: The socket to send from, by proto and destination address; the network puts its own choice here.
        self.pick_listen: Callable[[str, str], Listen | None] = self._first_listen
        #: Finds out where a host name leads, without blocking: ``resolve(host, port, proto, done)``; port 0 and proto
        #: '' when the URI has none. ``done`` gets a list of (proto, ip, port), best first, empty when there is none.
        self.resolve: Callable[[str, int, str, Resolved], None] | None = None
        #: Timer queues of modules that have too many timers for :meth:`after`.
        self.timer_sources: list[TimerSource] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_ids = count()

    def wall(self) -> float:
        """Unix time in seconds."""
        return self.now + self.wall_offset

    def count(self, name: str, by: int = 1) -> None:
        """Add to a statistic, named as Kamailio groups them: ``core:rcv_requests``, ``sl:sent_replies`` ..."""
        self.counters[name] += by

    def is_myself(self, host: str, port: int = 0, proto: str = "") -> bool:
        """Whether a host, port (0 any) and transport ('' any) are one of our listen sockets or aliases."""
        return self.myself.check(host, port, proto)

    def wait(self, fn: Callable[[], T]) -> T:
        """Call ``fn``, which waits for somebody outside and touches nothing of the core. Returns what it returns,
        raises what it raises. Always bounded: ``fn`` has a timeout.

        Other messages flow meanwhile, when this one is processed as a task (see outside.py): the core may have changed
        when it returns. ``fn`` may run in another thread than the last time.
        """
        return fn() if self.sandbox else self.tasks.wait(fn)

    def event(self, fn: Callable[[], None], what: str = "event") -> None:
        """Call ``fn``, which runs a callback of the script for something that is neither a message nor a timer."""
        with self.lock:
            if self.debugger is None or not self.debugger.enter(None, fn, what):
                fn()

    def module(self, name: str) -> Any:
        """The module of that Kamailio name. Raises :class:`ParamError` when there is none."""
        try:
            return self.modules[name]
        except KeyError:
            known = ", ".join(sorted(filter(None, self.modules)))
            raise ParamError(f"no module {name!r}; known: {known}") from None

    def _first_listen(self, proto: str, ip: str) -> Listen | None:
        family = ip_family(ip)
        carrier = CARRIERS.get(proto, proto)
        for listen in self.listens:
            if listen.proto == carrier and listen.family == family:
                return listen.over(proto)
        return None

    # -- timers ---------------------------------------------------------------------------------------------------

    def after(self, delay: float, fn: Callable[[], None], *, every: float = 0.0) -> Timer:
        """Call ``fn`` in ``delay`` seconds, then every ``every`` seconds when that is given."""
        timer = Timer(self.now + delay, fn, every)
        heappush(self._timers, (timer.at, next(self._timer_ids), timer))
        return timer

    def next_timer(self) -> float | None:
        """When :meth:`advance` has work (monotonic seconds), None when no timer is set."""
        at = self._timers[0][0] if self._timers else inf
        for source in self.timer_sources:
            if source.next < at:
                at = source.next
        return at if at < inf else None

    def advance(self, now: float) -> None:
        """Time has come to ``now``: run the timers that are due."""
        if self.env.hook is not None:
            with self.lock:
                self._advance(now)
        else:
            self._advance(now)

    def _advance(self, now: float) -> None:
        self.now = now
        for source in self.timer_sources:
            if source.next <= now:
                source.advance(now)
        timers = self._timers
        if not timers or timers[0][0] > now:
            return
        # First all that are due, then their calls: what a call sets to come at once comes with the next advance.
        due = []
        while timers and timers[0][0] <= now:
            due.append(heappop(timers)[2])
        for timer in due:
            fn = timer.fn
            if fn is None:
                continue
            if timer.every:
                timer.at = now + timer.every
                heappush(timers, (timer.at, next(self._timer_ids), timer))
            try:
                if self.debugger is None or not self.debugger.enter(None, fn, REPEATED if timer.every else "timer"):
                    fn()
            except Exception:
                log.exception("timer %r failed", fn)

    # -- messages in ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, rcv: Rcv, now: float) -> bool:
        """A datagram or a framed message has come. Never raises: a defect ends with this message.

        False: what it needs to be routed cannot be read.
        """
        # The lock is needed only while a debugged route runs in a thread of its own, and then the hook is set.
        if self.env.hook is not None:
            with self.lock:
                return self._receive(data, rcv, now)
        return self._receive(data, rcv, now)

    def _receive(self, data: bytes, rcv: Rcv, now: float) -> bool:
        self.now = now
        if len(data) < 16 and not data.strip(b"\r\n\0 "):
            return True  # a keepalive: RFC 5626 CRLF, or the few zero bytes of some clients
        record = self.recorder.add(now + self.wall_offset, rcv, data.decode("latin-1"))
        try:
            try:
                msg = SipMessage(record.data, rcv)
            except VersionError as error:
                modules = self.modules
                if "xhttp" in modules and modules.xhttp.receive(record, rcv):
                    return True
                if "xmlrpc" in modules and modules.xmlrpc.receive(record, rcv):
                    return True
                self._refuse(record, rcv, error, 505, "Version Not Supported")
                return True
            except SipError as error:
                self._refuse(record, rcv, error, 400, "Bad Request")
                return False
            msg.id = record.id
            if self.marks:
                msg.__dict__.update(self.marks)
            defect = msg.error
            counters: tuple[str, ...] = _UNREADABLE
            try:
                if msg.via is None:
                    defect = defect or SipError("no Via")
                elif len([True for header in msg.headers if header.key in _ONCE]) != len(_ONCE):
                    defect, counters = defect or _not_once(msg), _REJECTED if defect else _INCOMPLETE
                else:
                    # Kamailio reads these of every message; they raise.
                    _ = msg.to, msg.cseq
            except SipError as broken:
                # It takes any word for the number of a CSeq.
                if defect is None and not ("to" in msg.__dict__ and len(msg.index["cseq"].body.split()) == 2):
                    defect, counters = broken, _REJECTED if "via" in msg.__dict__ else _UNREADABLE
            if defect is not None:
                self._broken(msg, record, defect, counters)
                return False
            if self.debugger is not None and self.debugger.takes(msg, record):
                pass
            elif msg.is_request:
                self._request(msg, record)
            else:
                self._reply(msg, record)
        except Exception as error:
            record.error = f"{type(error).__name__}: {error}"
            log.error("message %d from %s:%d: %s", record.id, rcv.src_ip, rcv.src_port, traceback.format_exc())
        return True

    def route(self, msg: SipMessage, record: Record) -> None:
        """Route a message that the debugger took, as :meth:`receive` does with others. Never raises."""
        try:
            if msg.is_request:
                self._request(msg, record)
            else:
                self._reply(msg, record)
        except Exception as error:
            record.error = f"{type(error).__name__}: {error}"
            log.error("message %d: %s", record.id, traceback.format_exc())

    def _request(self, msg: SipMessage, record: Record) -> None:
        count_request(self.counters, msg.method)
        run = Run(self, msg, REQUEST_ROUTE, record)
        for taken in self.request_filters:
            if taken(run):
                return
        script = self.script
        if script is not None:
            script.call(run, "ksr_request_route")
        if run.exception is not None and not run.handled and msg.method != "ACK":
            self.modules.sl.exception_reply(run)
        for done in self.request_done:
            done(run)

    def _reply(self, msg: SipMessage, record: Record) -> None:
        count_reply(self.counters, msg.status, msg.method)
        run = Run(self, msg, CORE_ONREPLY_ROUTE, record)
        script = self.script
        if script is not None and script.has("ksr_reply_route"):
            script.call(run, "ksr_reply_route")
            if run.dropped:
                self.counters["core:drop_replies"] += 1
                return
        for handler in self.reply_handlers:
            if handler(run):
                return
        self.modules.sl.forward_reply(run)

    # A message with a broken header field, and one without a usable first line.

    def _broken(self, msg: SipMessage, record: Record, error: SipError, counters: tuple[str, ...]) -> None:
        for name in counters:
            self.count(name if msg.is_request else _OF_REPLIES.get(name, name))
        if msg.error is not None and msg.is_request and counters is _UNREADABLE:
            # Kamailio stumbles over it later, when the message is counted.
            count_request(self.counters, msg.method)
        if msg.is_request:
            self._bad_request(msg, record, error)
        else:
            record.error = str(error)

    def _refuse(self, record: Record, rcv: Rcv, error: SipError, code: int, reason: str) -> None:
        """Answer what looks like a request as far as its header fields allow."""
        record.error = str(error)
        first, _, rest = record.data.lstrip("\r\n").partition("\n")
        if first[:4].upper() == "SIP/" or not rest:
            return
        method = first.split(" ", 1)[0]
        try:
            msg = SipMessage(f"{method} sip:invalid SIP/2.0\r\n{rest}", rcv)
        except SipError:
            return
        self._bad_request(msg, record, error, code, reason)

    def _bad_request(
        self, msg: SipMessage, record: Record, error: SipError, code: int = 400, reason: str = "Bad Request"
    ) -> None:
        record.error = str(error)
        if msg.method == "ACK":
            return
        try:
            answerable = None not in (msg.via, msg.from_, msg.to, msg.cseq) and msg.callid
        except SipError:
            return
        if answerable:
            run = Run(self, msg, REQUEST_ROUTE, record)
            self.modules.sl.reply(run, code, reason)

    # -- messages out ---------------------------------------------------------------------------------------------

    def send(self, data: str, dest: Dest, record: Record | None = None) -> bool:
        """Send ``data`` (latin-1 text) to ``dest``; ``record`` is the message that caused it."""
        out = self.recorder.add(self.now + self.wall_offset, dest, data, True, record.id if record is not None else 0)
        if record is not None:
            record.sent += (out.id,)
        if self.transmit(data.encode("latin-1"), dest):
            return True
        out.error = "not sent"
        return False

    def fake_run(self) -> Run:
        """The run that KSR functions see outside a message, as in Kamailio: a made-up OPTIONS request."""
        listen = self.listens[0] if self.listens else None
        rcv = Rcv("udp", "1.0.0.127", 5060, "1.0.0.127", 5060, listen, 0) if listen is not None else None
        msg = parse_message(_FAKE, rcv)
        where = rcv if rcv is not None else Dest("udp", "1.0.0.127", 5060)
        return Run(self, msg, REQUEST_ROUTE, Record(0, self.wall(), where, msg.buf))


_FAKE = (
    b"OPTIONS sip:you@kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <sip:you@kamailio.org>;tag=123\r\n"
    b"To: <sip:you@kamailio.org>\r\nCall-ID: 123\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
