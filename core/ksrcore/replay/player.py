"""Plays a capture to a proxy: what was sent to the captured one comes to a proxy of our own, at the same times.

It has no sockets; what it sends is collected. Its answers differ from the captured ones in what is left to chance:
branches, tags, nonces. So replies of the capture, which carry what the captured proxy made up, get what ours made up
in its place: the branch of the request that ours sent instead, the tag of its own reply.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from ..assemble import load_script, make_proxy, start_modules
from ..capture.captured import Captured
from ..capture.recorder import Record, Recorder
from ..capture.where import compile_where
from ..debug.trial import _patience, _TooLong
from ..net.address import Dest, Listen, Rcv, bracketed
from ..run import Run
from ..store.database import Database
from .facts import Causes, Facts, read_facts
from .result import Raised, Result, Sent
from .survey import Survey

__all__ = ["Player"]

#: Seconds a message may take before it counts as one that never ends.
PATIENCE = 1.0
#: Timers that run without time passing: a script that sets one from itself would never end.
_MOST_TURNS = 100_000


#: What left, with where to: by call, CSeq and status.
_Unpaired = dict[tuple[str, int, str, int], list[tuple[Facts, str]]]


class _Recorder(Recorder):
    """Tells of each callback that ran."""

    on_ran: Callable[[Record, Run], None]

    def ran(self, record: Record, run: Run) -> None:
        super().ran(record, run)
        self.on_ran(record, run)


class Player:
    """A proxy on ``script`` that gets the messages of a capture. ``db``: read, never written; None: an empty one.

    ``where``: a filter; a call is played from the first of its messages on that matches. :meth:`play` takes all
    messages of the capture in their order, those that the proxy sent too. Raises as ``assemble`` does.
    """

    def __init__(
        self,
        script: str,
        survey: Survey,
        *,
        listens: Iterable[Listen] = (),
        aliases: Iterable[str] = (),
        modparams: Iterable[str] = (),
        db: Database | None = None,
        where: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self.results: list[Result] = []
        self.unrelated = self.left_out = 0
        #: The capture shows messages that the proxy sent.
        self.compared = False
        self.stopped = False
        self.patience = patience
        self._parties = survey.parties
        self._where = compile_where(where) if where else None
        self._calls: set[str] = set()
        self._base = survey.begin - 1000.0
        recorder = _Recorder(2000, 16 * 1024 * 1024)
        recorder.on_ran = self._ran
        self._listens = list(listens) or survey.parties.listens()
        self.proxy, ksr = make_proxy(
            transmit=self._transmit,
            listens=self._listens,
            aliases=aliases,
            modparams=modparams,
            now=1000.0,
            wall=survey.begin,
            name=Path(script).stem,
            recorder=recorder,
            start=False,
        )
        # Nothing reaches the world: no RTP proxy is asked, nobody is pinged, no file is written.
        self.proxy.sandbox = True
        self.proxy.db = self._db = db.fork() if db is not None else Database.open(":memory:")
        self._conids: dict[tuple[str, int, str, int], int] = {}
        self._by_record: dict[int, Result] = {}
        self._causes = Causes()
        # What left and what the capture has left: not paired yet, by call, CSeq and status.
        self._ours: dict[str, _Unpaired] = {}
        self._theirs: dict[str, _Unpaired] = {}
        self._renamed: dict[str, dict[str, str]] = {}
        self._seen: tuple[set[int], set[int]] = (set(), set())
        self._ends: set[str] = set()
        self._current: Result | None = None
        self._random = random.getstate()
        try:
            start_modules(self.proxy)
            self.proxy.random = Random(1)
            random.seed(1)  # the script's own
            self.proxy.resolve = survey.resolver()
            self.proxy.modules.auth.accepted |= survey.nonces()
            load_script(script, self.proxy, ksr)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for module in reversed(list(self.proxy.modules.values())):
            module.stop()
        self._db.close()
        random.setstate(self._random)  # whose process this is goes on with its own

    # -- messages -------------------------------------------------------------------------------------------------

    def play(self, message: Captured) -> None:
        """The next message of the capture."""
        direction = self._parties.direction(message)
        self._ends.add(_text(message.proto, message.src_ip, message.src_port))
        self._ends.add(_text(message.proto, message.dst_ip, message.dst_port))
        if direction is None:
            self.unrelated += 1
        elif direction:
            self._sent_by_theirs(message)
        else:
            self._receive(message)

    def _receive(self, message: Captured) -> None:
        proxy = self.proxy
        self._advance(message.time)
        text = message.data.decode("latin-1")
        facts = read_facts(text)
        rcv = self._rcv(message)
        if not self._wanted(message, text, facts, rcv):
            self.left_out += 1
            return
        branches: tuple[str, ...] = ()
        if facts is not None:
            self._pair(facts)
            changed = self._rename(facts.callid, text)
            if changed != text:
                text = changed
                again = read_facts(text)
                branches = (again.branch,) if again is not None else ()
        result = Result(
            len(self.results) + 1,
            message.time,
            _text(message.proto, message.src_ip, message.src_port),
            facts.first if facts is not None else text.lstrip("\r\n").partition("\n")[0].strip()[:80],
            facts.callid if facts is not None else "",
            not message.data.startswith(b"SIP/2.0"),
        )
        self.results.append(result)
        if facts is not None:
            self._causes.came(facts, result.number, branches)
        self._by_record[proxy.recorder.last_id + 1] = result
        id = proxy.recorder.last_id + 1
        self._current = result
        started = perf_counter()
        try:
            with _patience(self.patience):
                proxy.receive(text.encode("latin-1"), rcv, proxy.now)
        except _TooLong:
            result.raised.append(Raised("the callback", f"does not end within {self.patience:g} s", "", ""))
        result.seconds = perf_counter() - started
        self._current = None
        record = proxy.recorder.get(id)
        if record is not None:
            result.error = record.error

    def _wanted(self, message: Captured, text: str, facts: Facts | None, rcv: Rcv) -> bool:
        if self._where is None:
            return True
        callid = facts.callid if facts is not None else ""
        if callid in self._calls:
            return True
        if not self._where(Record(0, message.time, rcv, text), self.proxy):
            return False
        if callid:
            self._calls.add(callid)
        return True

    def _rcv(self, message: Captured) -> Rcv:
        wanted = message.proto, message.dst_ip, message.dst_port
        listen = (
            next((x for x in self._listens if (x.proto, x.host, x.port) == wanted), None)
            or next((x for x in self._listens if x.proto == message.proto), None)
            or self._listens[0]
        )
        conid = 0
        if message.proto != "udp":
            # Numbered anew: not every capture numbers them.
            key = message.src_ip, message.src_port, message.dst_ip, message.dst_port
            conid = self._conids.setdefault(key, len(self._conids) + 1)
        return Rcv(message.proto, *message[2:6], listen, conid)

    def _advance(self, time: float) -> None:
        """The clock of the capture has come to ``time``: timers run as they are due."""
        proxy = self.proxy
        until = max(proxy.now, time - self._base)
        turns = 0
        while not self.stopped and (at := proxy.next_timer()) is not None and at <= until:
            turns = turns + 1 if at <= proxy.now else 0
            if turns > _MOST_TURNS:
                break
            try:
                with _patience(self.patience):
                    proxy.advance(max(at, proxy.now))
            except _TooLong:
                continue  # the callback of a timer: told with its message, if it has one
        proxy.now = until

    # -- what leaves ----------------------------------------------------------------------------------------------

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        text = data.decode("latin-1")
        facts = read_facts(text)
        out = self.proxy.recorder.records[-1]
        result = self._by_record.get(out.cause, self._current)
        sent = Sent(facts.first if facts is not None else text.partition("\r\n")[0], dest.text)
        again = self._again(text, dest.text, False)
        if result is not None and (not again or result is self._current):
            result.sent.append(sent)
        if facts is not None and not again:
            self._ours.setdefault(facts.callid, {}).setdefault(facts.key, []).append((facts, dest.text))
            self._attribute(facts, sent, False)
        return True

    def _sent_by_theirs(self, message: Captured) -> None:
        self._advance(message.time)
        text = message.data.decode("latin-1")
        facts = read_facts(text)
        dest = _text(message.proto, message.dst_ip, message.dst_port)
        if facts is None or (self._where is not None and facts.callid not in self._calls):
            return
        if self._again(text, dest, True):
            return
        self.compared = True
        self._theirs.setdefault(facts.callid, {}).setdefault(facts.key, []).append((facts, dest))
        self._attribute(facts, Sent(facts.first, dest), True)

    def _again(self, text: str, dest: str, real: bool) -> bool:
        """Whether that was sent before: a repetition."""
        seen, this = self._seen[real], hash((text, dest))
        if this in seen:
            return True
        seen.add(this)
        return False

    def _attribute(self, facts: Facts, sent: Sent, real: bool) -> None:
        number = self._causes.of(facts)
        if number:
            result = self.results[number - 1]
            (result.real if real else result.ours).append(sent)

    # -- names that differ ----------------------------------------------------------------------------------------

    def _pair(self, facts: Facts) -> None:
        """Find what ours sent in place of what theirs did, as far as ``facts`` could refer to it."""
        callid, number, method, status = facts.key
        if status:
            self._match((callid, number, method, 0), "branch")
        else:
            # An ACK or a later request has the tag of the proxy's own reply.
            for key in [key for key in self._theirs.get(callid, ()) if key[3] >= 101]:
                self._match(key, "tag")

    def _match(self, key: tuple[str, int, str, int], name: str) -> None:
        ours, theirs = (each.get(key[0], {}).get(key, []) for each in (self._ours, self._theirs))
        # What went to the same place first, then what is left, in order.
        for same in (True, False):
            for real in theirs[:]:
                mine = next((each for each in ours if not same or each[1] == real[1]), None)
                if mine is None:
                    continue
                ours.remove(mine)
                theirs.remove(real)
                old, new = getattr(real[0], name), getattr(mine[0], name)
                if old and new and old != new:
                    self._renamed.setdefault(key[0], {})[old] = new

    def _rename(self, callid: str, text: str) -> str:
        renamed = self._renamed.get(callid)
        if not renamed:
            return text
        head, blank, body = text.partition("\r\n\r\n")
        for old, new in renamed.items():
            head = head.replace(f"={old}", f"={new}")
        return head + blank + body

    # -- what ran -------------------------------------------------------------------------------------------------

    def _ran(self, record: Record, run: Run) -> None:
        result = self._by_record.get(record.id, self._current)
        if result is None:
            return
        result.callbacks.append(run.callback)
        result.dropped = result.dropped or run.dropped
        if run.exception is not None:
            result.raised.append(
                Raised(
                    run.callback,
                    f"{type(run.exception).__name__}: {run.exception}",
                    _place(run.traceback),
                    run.traceback,
                )
            )

    # -- the end --------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Say of each result how it differs from what the capture shows, if it shows anything."""
        if self.compared:
            for result in self.results:
                result.differences = differences(result.real, result.ours, self._ends)


def differences(real: list[Sent], ours: list[Sent], ends: set[str]) -> list[str]:
    """What was sent only by one of the two. ``ends``: addresses of the capture; what goes elsewhere it cannot show."""
    missing, extra = _without(real, ours), _without(ours, real)
    elsewhere = [each for each in extra if each.dest not in ends]
    if elsewhere and all(each.first[:1].isdigit() for each in missing):
        # That side was not captured: nothing is known of what went there, nor of what was answered and passed on.
        missing = []
        extra = [each for each in extra if not each.first[:1].isdigit() or each.first.startswith("1")]
    if not missing:
        extra = [each for each in extra if each.dest in ends]
    found = [f"was {one.text}, now {other.text}" for one, other in zip(missing, extra, strict=False)]
    found += [f"not sent: {each.text}" for each in missing[len(extra) :]]
    found += [f"sent beside: {each.text}" for each in extra[len(missing) :]]
    return found


def _without(these: list[Sent], those: list[Sent]) -> list[Sent]:
    left = list(those)
    found = []
    for each in these:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


def _text(proto: str, ip: str, port: int) -> str:
    return f"{proto}:{bracketed(ip)}:{port}"


def _place(traceback: str) -> str:
    """The line of the script, from the traceback of its frames: the innermost."""
    lines = [line.strip() for line in traceback.splitlines() if line.strip().startswith('File "')]
    if not lines:
        return ""
    parts: Any = lines[-1].split('"')
    number = lines[-1].partition(", line ")[2].partition(",")[0]
    return f"{Path(parts[1]).name}:{number}"
