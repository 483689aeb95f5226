"""The flight recorder: every message in and out, and what the script did with it, bounded by count and bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..net.address import Rcv
from ..sip.errors import SipError
from ..sip.message import SipMessage

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..run import Run

#: What a record and one KSR call cost in memory beside the text, for the bound in bytes (measured, rounded up).
_RECORD_COST = 2000
_CALL_COST = 10


class Record:
    """One message on the wire. Addresses as text; ``data`` is latin-1 text; ``time`` is unix time in seconds.

    ``runs`` are the callbacks that ran for it, ``cause`` the id of the record that made the proxy send it (0: a timer
    or the proxy itself), ``sent`` the ids of what was sent because of it, ``error`` why it could not be used.
    """

    __slots__ = (
        "id",
        "time",
        "out",
        "proto",
        "src_ip",
        "src_port",
        "dst_ip",
        "dst_port",
        "data",
        "_msg",
        "runs",
        "cause",
        "sent",
        "error",
        "conid",
    )

    def __init__(
        self,
        id: int,
        time: float,
        out: bool,
        proto: str,
        src_ip: str,
        src_port: int,
        dst_ip: str,
        dst_port: int,
        data: str,
        conid: int = 0,
        cause: int = 0,
    ) -> None:
        self.id = id
        self.time = time
        self.out = out
        self.proto = proto
        self.src_ip = src_ip
        self.src_port = src_port
        self.dst_ip = dst_ip
        self.dst_port = dst_port
        self.data = data
        self.conid = conid
        self.cause = cause
        self._msg: SipMessage | None = None
        self.runs: list[Run] = []
        self.sent: list[int] = []
        self.error = ""

    @property
    def msg(self) -> SipMessage | None:
        """The parsed message; None when its first line cannot be read. Parsed when first asked for."""
        msg = self._msg
        if msg is None:
            try:
                msg = self._msg = SipMessage(self.data)
            except SipError:
                return None
        return msg

    @msg.setter
    def msg(self, msg: SipMessage) -> None:
        self._msg = msg

    def fresh(self, listens: list[Listen]) -> SipMessage:
        """The message parsed anew, without what the script did to it. Raises :class:`SipError`.

        A message we sent gets the receive information its receiver would have, so that it can be routed as well.
        """
        listen = next((x for x in listens if x.host == self.dst_ip and x.port == self.dst_port), None)
        rcv = self._msg.rcv if self._msg is not None else None
        if rcv is None and (listen is not None or listens):
            rcv = Rcv(
                self.proto, self.src_ip, self.src_port, self.dst_ip, self.dst_port, listen or listens[0], self.conid
            )
        msg = SipMessage(self.data, rcv)
        msg.id = self._msg.id if self._msg is not None else 0
        return msg

    @property
    def size(self) -> int:
        return _RECORD_COST + len(self.data) + sum(_CALL_COST * len(run.calls) for run in self.runs)


class Recorder:
    """A ring of records. ``gone`` counts those dropped because the ring was full; ids start at 1 and never repeat."""

    def __init__(self, max_count: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        if max_count < 1 or max_bytes < 1:
            raise ValueError(f"the recorder needs room for at least one message, got {max_count} and {max_bytes} bytes")
        self.max_count = max_count
        self.max_bytes = max_bytes
        self.records: deque[Record] = deque()
        self.bytes = 0
        self.gone = 0
        self.last_id = 0
        self.on_record: Callable[[Record], None] | None = None

    def add(
        self,
        time: float,
        out: bool,
        proto: str,
        src_ip: str,
        src_port: int,
        dst_ip: str,
        dst_port: int,
        data: str,
        conid: int = 0,
        cause: int = 0,
    ) -> Record:
        self.last_id = id = self.last_id + 1
        record = Record(id, time, out, proto, src_ip, src_port, dst_ip, dst_port, data, conid, cause)
        records = self.records
        records.append(record)
        self.bytes += _RECORD_COST + len(data)
        if len(records) > self.max_count or self.bytes > self.max_bytes:
            self._trim()
        if self.on_record is not None:
            self.on_record(record)
        return record

    def ran(self, record: Record, run: Run) -> None:
        """A callback of that message has ended."""
        record.runs.append(run)
        self.bytes += _CALL_COST * len(run.calls)

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
