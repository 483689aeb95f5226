"""The flight recorder: every message in and out, and what the script did with it, bounded by count and bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..net.address import Dest, Rcv
from ..sip.errors import ParseError, SipError
from ..sip.http import read_any

if TYPE_CHECKING:
    from ..kemi.declare import Decl
    from ..net.address import Listen
    from ..run import Run
    from ..sip.message import SipMessage

_new = object.__new__

#: What a record and one KSR call cost in memory beside the text, for the bound in bytes (measured, rounded up).
_RECORD_COST = 600
_CALL_COST = 10
#: What is kept of a transaction for one callback, see tm/kept.py.
_KEPT_COST = 1500


class Ran(NamedTuple):
    """What is kept of a callback that ran: never the message or the transaction, whose memory the recorder must not
    hold. ``duration`` in seconds; ``version`` is the script's generation."""

    callback: str
    route: int
    branch: int
    result: Any
    exited: bool
    dropped: bool
    exception: BaseException | None
    traceback: str
    duration: float
    version: int
    calls: list[Any]
    #: What the callback began with, see tm/kept.py; None in routes that need nothing of it.
    kept: Any = None

    def iter_calls(self) -> Iterator[tuple[Decl, tuple[Any, ...], Any]]:
        """The KSR calls made: declaration, arguments, result (an exception object when it raised).

        They are stored flat (declaration, arguments ..., result): no tuple per call, so that keeping them costs one
        ``extend`` and gives the garbage collector nothing to trace.
        """
        calls = self.calls
        at = 0
        while at < len(calls):
            decl = calls[at]
            count = decl.arity
            if count < 0:  # a call with wrong arguments: one tuple of what came
                yield decl.decl, calls[at + 1], calls[at + 2]
                at += 3
                continue
            yield decl, tuple(calls[at + 1 : at + 1 + count]), calls[at + 1 + count]
            at += count + 2


#: The fields of a :class:`Ran`, in order.
_Fields = tuple[str, int, int, Any, bool, bool, BaseException | None, str, float, int, list[Any], Any]


class Record:
    """One message on the wire. ``data`` is latin-1 text; ``time`` is unix time in seconds; ``out``: it left us.

    ``where`` is the Rcv it came with or the Dest it went to. ``cause`` is the id of the record that made the proxy
    send it (0: a timer or the proxy itself), ``sent`` the ids of what was sent because of it, ``error`` why it could
    not be used. ``ran`` has a plain tuple for each callback that ran for it, which :attr:`runs` gives names.
    """

    __slots__ = ("id", "time", "out", "where", "data", "cause", "ran", "sent", "error", "size")

    #: Where a message is from that never was on our wire, '' for those that were: see :class:`Inserted`.
    origin = ""

    def __init__(self, id: int, time: float, where: Rcv | Dest, data: str, out: bool = False, cause: int = 0) -> None:
        self.id = id
        self.time = time
        self.out = out
        self.where = where
        self.data = data
        self.cause = cause
        self.ran: tuple[_Fields, ...] = ()
        self.sent: tuple[int, ...] = ()
        self.error = ""
        #: What it takes in memory, in bytes, roughly.
        self.size = _RECORD_COST + len(data)

    @property
    def runs(self) -> tuple[Ran, ...]:
        """The callbacks that ran for it, in the order they ended."""
        return tuple(map(Ran._make, self.ran))

    @property
    def proto(self) -> str:
        return self.where.proto

    @property
    def conid(self) -> int:
        return self.where.conid

    @property
    def src(self) -> tuple[str, int]:
        """(ip, port) of the sender; ('', 0) when we did not say from where."""
        where = self.where
        if isinstance(where, Rcv):
            return where.src_ip, where.src_port
        return (where.listen.host, where.listen.port) if where.listen is not None else ("", 0)

    @property
    def dst(self) -> tuple[str, int]:
        """(ip, port) of the receiver."""
        where = self.where
        return (where.dst_ip, where.dst_port) if isinstance(where, Rcv) else (where.ip, where.port)

    @property
    def msg(self) -> SipMessage | None:
        """The message as it came, parsed each time it is asked for; None when its first line cannot be read."""
        try:
            return read_any(self.data)
        except SipError:
            return None

    def fresh(self, listens: list[Listen]) -> SipMessage:
        """The message parsed anew, without what the script did to it. Raises :class:`SipError`.

        A message we sent gets the receive information its receiver would have, so that it can be routed as well.
        """
        rcv: Rcv | None = None
        if isinstance(self.where, Rcv):
            rcv = self.where
        elif listens:
            listen = next((x for x in listens if (x.host, x.port) == self.dst), listens[0])
            rcv = Rcv(self.proto, *self.src, *self.dst, listen, self.conid)
        msg = read_any(self.data, rcv)
        if msg.http and not msg.is_request:
            raise ParseError("a message of SIP or a request of HTTP", self.data)
        msg.id = self.id
        return msg


class Inserted(Record):
    """A record that was put in, not received or sent: ``origin`` says where it is from, such as ``made by hand``.

    A class of its own, so that records of the wire carry no field for it.
    """

    __slots__ = ("origin",)


class Recorder:
    """A ring of records. ``gone`` counts those dropped because the ring was full; ids start at 1 and never repeat."""

    def __init__(self, max_count: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.records: deque[Record] = deque()
        self.bytes = 0
        self.gone = 0
        self.last_id = 0
        self._on_record: Callable[[Record], None] | None = None
        self._taps: tuple[Callable[[Record], None], ...] = ()
        # What on_record and the taps come to: one look for each message.
        self._told: Callable[[Record], None] | None = None
        self.resize(max_count, max_bytes)

    @property
    def on_record(self) -> Callable[[Record], None] | None:
        """Who is told of each new record, None: nobody."""
        return self._on_record

    @on_record.setter
    def on_record(self, told: Callable[[Record], None] | None) -> None:
        self._on_record = told
        self._combine()

    def tap(self, told: Callable[[Record], None]) -> None:
        """Tell ``told`` too of each new record, before ``on_record``. It must not raise."""
        self._taps += (told,)
        self._combine()

    def untap(self, told: Callable[[Record], None]) -> None:
        """Tell it no more."""
        self._taps = tuple(tap for tap in self._taps if tap != told)
        self._combine()

    def _combine(self) -> None:
        every = (*self._taps, *((self._on_record,) if self._on_record is not None else ()))
        if len(every) < 2:
            self._told = every[0] if every else None
            return

        def tell(record: Record) -> None:
            for told in every:
                told(record)

        self._told = tell

    def resize(self, max_count: int, max_bytes: int) -> None:
        """Keep so many messages of so many bytes from now on."""
        if max_count < 1 or max_bytes < 1:
            raise ValueError(f"the recorder needs room for at least one message, got {max_count} and {max_bytes} bytes")
        self.max_count = max_count
        self.max_bytes = max_bytes
        # A few more than that may be there for a moment: they go together, which costs less than one by one.
        self._most = max_count + max_count // 128
        self._trim()

    def add(self, time: float, where: Rcv | Dest, data: str, out: bool = False, cause: int = 0) -> Record:
        """Keep a message that came in or goes out. What its callbacks cost is added when they have run."""
        self.last_id = id = self.last_id + 1
        # Filled in here: the call of an __init__ would cost as much again.
        record = _new(Record)
        record.id = id
        record.time = time
        record.out = out
        record.where = where
        record.data = data
        record.cause = cause
        record.ran = record.sent = ()
        record.error = ""
        record.size = size = _RECORD_COST + len(data)
        self.records.append(record)
        self.bytes = size = self.bytes + size
        if size > self.max_bytes or id - self.gone > self._most:
            self._trim()
        if self._told is not None:
            self._told(record)
        return record

    def insert(
        self,
        time: float,
        where: Rcv | Dest,
        data: str,
        origin: str,
        out: bool = False,
        cause: int = 0,
        told: bool = True,
    ) -> Inserted:
        """Keep a message that was not on our wire; nothing is routed. ``origin``: where it is from. ``told``: whoever
        wants to know of new messages hears of it."""
        self.last_id += 1
        record = Inserted(self.last_id, time, where, data, out, cause)
        record.origin = origin
        self.records.append(record)
        self.bytes += record.size
        self._trim()
        if told and self._told is not None:
            self._told(record)
        return record

    def ran(self, record: Record, run: Run) -> None:
        """A callback of that message has ended."""
        calls = run.calls
        kept = run.kept
        record.ran += (
            (
                run.callback,
                run.route,
                run.branch,
                run.result,
                run.exited,
                run.dropped,
                run.exception,
                run.traceback,
                run.duration,
                run.version,
                calls,
                kept,
            ),
        )
        cost = _CALL_COST * len(calls) + (_KEPT_COST if kept is not None else 0)
        record.size += cost
        # A transaction's callbacks may run when its request's record is gone already.
        if record.id > self.gone:
            self.bytes += cost

    def _trim(self) -> None:
        records = self.records
        while len(records) > 1 and (len(records) > self.max_count or self.bytes > self.max_bytes):
            self.bytes -= records.popleft().size
            self.gone += 1

    def get(self, id: int) -> Record | None:
        """The record of that id, None when it is gone or not yet there."""
        records = self.records
        if not records or not records[0].id <= id <= records[-1].id:
            return None
        return records[id - records[0].id]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)
