"""What the workers report, put into the recorder of the proxy beside the server."""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..capture.recorder import Record
from ..kemi import known
from ..kemi.declare import Decl
from ..net.address import PROTOS, Dest, Listen, Rcv, canonical_ip
from ..proxy import Proxy
from ..run import (
    BRANCH_ROUTE,
    CORE_ONREPLY_ROUTE,
    EVENT_ROUTE,
    FAILURE_ROUTE,
    ONSEND_ROUTE,
    REQUEST_ROUTE,
    TM_ONREPLY_ROUTE,
)
from ..script.inspect import armed_callbacks
from .workers import Worker, Workers

#: Messages whose ids are remembered for what comes later of them (a failure route runs minutes later).
_REMEMBERED = 20_000

_ROUTES = {
    "ksr_request_route": REQUEST_ROUTE,
    "ksr_reply_route": CORE_ONREPLY_ROUTE,
    "ksr_onsend_route": ONSEND_ROUTE,
}
#: The functions that arm a callback, and the kind of route it then is.
_ARMING = {
    "KSR.tm.t_on_branch": BRANCH_ROUTE,
    "KSR.tm.t_on_failure": FAILURE_ROUTE,
    "KSR.tm.t_on_reply": TM_ONREPLY_ROUTE,
}


class Raised(Exception):
    """An exception of the script in a worker: its class is known by name only."""


class _Run:
    """What the recorder keeps of a callback."""

    callback: str
    route: int
    branch: int
    result: Any
    exited: bool
    dropped: bool
    exception: Exception | None
    traceback: str
    duration: float
    version: int
    calls: list[Any]
    kept: None


class Stats:
    """Of a callback in one worker since it connected: calls, seconds in all and at most, exceptions."""

    __slots__ = ("calls", "total", "longest", "exceptions")

    def __init__(self, calls: int, total: float, longest: float, exceptions: int) -> None:
        self.calls, self.total, self.longest, self.exceptions = calls, total, longest, exceptions


class Intake:
    """``on_message(record, raised)``: a message's own callback has run, or one of it has raised."""

    def __init__(self, proxy: Proxy, workers: Workers) -> None:
        self.proxy = proxy
        self.recorder = proxy.recorder
        self.on_message: Callable[[Record, bool], None] = lambda record, raised: None
        #: By worker and callback.
        self.stats: dict[tuple[int, str], Stats] = {}
        self.lost: dict[int, int] = {}
        self._by_id: OrderedDict[tuple[int, int], int] = OrderedDict()
        #: By worker: the newest that came to it.
        self._latest: dict[int, int] = {}
        self._by_key: OrderedDict[str, int] = OrderedDict()
        self._listens: dict[tuple[str, str, int], Listen] = {}
        self._rcvs: OrderedDict[tuple[Any, ...], Rcv] = OrderedDict()
        self._decls: dict[str, Decl] = {}
        self._errors: dict[str, type[Exception]] = {}
        self._armed: dict[str, int] = {}
        #: By worker: what its onsend route has told last, until sipdump tells of the same message.
        self._leaving: dict[int, Record] = {}
        #: How many messages have left, as far as that is told.
        self.left = 0
        workers.on_event("ran", self.ran)
        workers.on_event("sent", self.sent)
        workers.on_event("dumped", self.dumped)
        workers.on_event("message", self._told)

    def learn(self, source: str) -> None:
        """What kinds of route the callbacks are that this text of a script arms."""
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return
        for name, call in armed_callbacks(tree):
            if isinstance(call.func, ast.Attribute) and (route := _ARMING.get(f"KSR.tm.{call.func.attr}")):
                self._armed[name] = route

    # -- events of the workers ------------------------------------------------------------------------------------

    def _told(self, worker: Worker, event: dict[str, Any]) -> None:
        self.message(worker, event)

    def message(self, worker: Worker, event: dict[str, Any]) -> Record | None:
        """A message has come. The record it belongs to; None when its own is gone."""
        if event.get("lost"):
            self.lost[worker.pid] = int(event["lost"])
        key = (worker.pid, int(event["mi"]))
        data = event.get("data")
        if data is None:
            return self._record(self._by_id.get(key))
        known = self._record(self._latest.get(worker.pid))
        begins = event.get("top") in ("ksr_request_route", "ksr_reply_route")
        if known is not None and known.data == data and not begins:
            # A failure route was between, with its request, which may have the same number.
            _remember(self._by_id, key, known.id)
            return known
        own = _key(data)
        if not begins:
            # Of a transaction: the request that it is about came earlier, maybe to another worker.
            found = self._record(self._by_key.get(own))
            if found is not None:
                _remember(self._by_id, key, found.id)
                return found
        record = self.recorder.add(float(event["t"]), self._rcv(event), data)
        _remember(self._by_id, key, record.id)
        self._latest[worker.pid] = record.id
        if own and self._record(self._by_key.get(own)) is None:
            # Of the same texts the first had the transaction; others repeat it.
            _remember(self._by_key, own, record.id)
        return record

    def sent(self, worker: Worker, event: dict[str, Any]) -> None:
        """A message leaves."""
        cause = self.message(worker, event)
        proto, host, port = event["to"]
        listen = cause.where.listen if cause is not None else None
        where = Dest(_proto(proto), canonical_ip(host) or host, int(port), listen)
        record = self.recorder.add(float(event["t"]), where, event["out"], True, cause.id if cause is not None else 0)
        if cause is not None:
            cause.sent += (record.id,)
        self._leaving[worker.pid] = record
        self.left += 1
        self.on_message(record, False)

    def dumped(self, worker: Worker, event: dict[str, Any]) -> None:
        """A message has left, as sipdump saw it: the one that the onsend route has just told, or one that had none."""
        out = str(event["out"])
        proto, host, port = event["to"]
        told = self._leaving.pop(worker.pid, None)
        if told is not None and told.dst == (canonical_ip(host) or host, int(port)):
            if told.data.split(" ", 2)[:2] == out.split(" ", 2)[:2]:
                told.data = out  # byte for byte, whatever a module has made of it since
                return
        self.left += 1
        cause = self.message(worker, event) if event["mi"] else None
        where = Dest(_proto(proto), canonical_ip(host) or host, int(port), self._listen(*event["from"]))
        record = self.recorder.add(float(event["t"]), where, out, True, cause.id if cause is not None else 0)
        if cause is not None:
            cause.sent += (record.id,)
        self.on_message(record, False)

    def ran(self, worker: Worker, event: dict[str, Any]) -> None:
        """A callback has ended."""
        record = self.message(worker, event)
        callback = str(event["cb"])
        self.stats[worker.pid, callback] = Stats(*event["n"])
        raised = "error" in event
        if record is None or (callback == "ksr_onsend_route" and not event["calls"] and not raised):
            return  # the agent's own: the script has none
        run = _Run()
        run.callback = callback
        run.route = _ROUTES.get(callback) or self._armed.get(callback, EVENT_ROUTE)
        run.branch = -1
        run.result = event.get("r")
        run.exited = bool(event.get("exited"))
        run.dropped = bool(event.get("dropped"))
        run.exception = self._error(*event["error"]) if raised else None
        run.traceback = str(event.get("traceback", ""))
        run.duration = float(event["d"])
        run.version = worker.generation
        run.calls = self._calls(event["calls"])
        run.kept = None
        self.recorder.ran(record, run)  # type: ignore[arg-type]
        if callback in ("ksr_request_route", "ksr_reply_route") or raised:
            self.on_message(record, raised)

    def of(self, worker: Worker, mi: int) -> Record | None:
        """The record of the message that has the id ``mi`` in that worker."""
        return self._record(self._by_id.get((worker.pid, mi)))

    # -- sums -----------------------------------------------------------------------------------------------------

    def totals(self) -> dict[str, Stats]:
        """The statistics of all workers together, by callback."""
        found: dict[str, Stats] = {}
        for (_, callback), each in self.stats.items():
            total = found.get(callback)
            if total is None:
                found[callback] = Stats(each.calls, each.total, each.longest, each.exceptions)
                continue
            total.calls += each.calls
            total.total += each.total
            total.longest = max(total.longest, each.longest)
            total.exceptions += each.exceptions
        return found

    # -- parts ----------------------------------------------------------------------------------------------------

    def _record(self, id: int | None) -> Record | None:
        return self.recorder.get(id) if id is not None else None

    def _rcv(self, event: dict[str, Any]) -> Rcv:
        proto = _proto(event.get("proto", ""))
        src, dst = event["src"], event["dst"]
        key = (proto, *src, *dst)
        rcv = self._rcvs.get(key)
        if rcv is None:
            listen = self._listen(proto, *dst)
            own = canonical_ip(dst[0]) or dst[0], int(dst[1])
            rcv = Rcv(proto, canonical_ip(src[0]) or src[0], int(src[1]), *own, listen)
            _remember(self._rcvs, key, rcv, 4096)
        return rcv

    def _listen(self, proto: str, host: str, port: int) -> Listen:
        """The server's own socket."""
        own = (_proto(proto), canonical_ip(host) or host, int(port))
        listen = self._listens.get(own)
        if listen is None:
            if len(self._listens) > 4096:
                self._listens.clear()
            listen = next((each for each in self.proxy.listens if (each.proto, each.host, each.port) == own), None)
            listen = self._listens[own] = listen or Listen(*own)
        return listen

    def _calls(self, calls: list[list[Any]]) -> list[Any]:
        """Flat, as a run of the embedded core has them."""
        flat: list[Any] = []
        for path, args, result, *error in calls:
            arming = _ARMING.get(path)
            if arming is not None and args and isinstance(args[0], str):
                self._armed[args[0]] = arming
            flat += (self._decl(path), tuple(args), self._error(*error) if error else result)
        return flat

    def _decl(self, path: str) -> Decl:
        """The declaration in the form that takes any arguments: what was called was Kamailio's own."""
        decl = self._decls.get(path)
        if decl is None:
            module, _, name = path.removeprefix("KSR.").rpartition(".")
            real = next((d for d in known() if (d.module, d.name) == (module, name)), None)
            decl = self._decls[path] = Decl(
                module, name, (), real.ret if real is not None else "xval", doc=real.doc if real else "", variadic=True
            )
        return decl

    def _error(self, name: str, text: str) -> Exception:
        kind = self._errors.get(name)
        if kind is None:
            if len(self._errors) > 256:
                self._errors.clear()
            kind = self._errors[name] = type(name, (Raised,), {})
        return kind(text)


_PARTS = re.compile(r"^(?:(?:via|v|call-id|i|cseq)[ \t]*:)(.*)$", re.IGNORECASE | re.MULTILINE)


def _key(data: str) -> str:
    """What a request and its copy in a transaction have in common; '' for a reply, which has no copies."""
    if data.startswith("SIP/"):
        return ""
    head = data.partition("\r\n\r\n")[0]
    # The topmost Via, Call-ID and CSeq; of further Vias there is no need.
    return head.partition("\r\n")[0] + "".join(match[0] for match in islice(_PARTS.finditer(head), 4))


def _proto(text: str) -> str:
    return text if text in PROTOS else "udp"


def _remember(table: OrderedDict[Any, Any], key: Any, value: Any, most: int = _REMEMBERED) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
