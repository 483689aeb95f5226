"""What the node hears of each callback while it is attached: the message, the KSR calls, the result, how long it took.

Nothing here may fail or wait: what goes wrong costs a record, never the call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .link import LinkLost
from .recording import MOST, latin, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from .agent import Agent, Run

#: Bytes of a message; SIP over UDP has no more.
MOST_BYTES = 65535
#: Characters of a traceback, its end.
MOST_TRACEBACK = 32768
#: What says what a message is.
_ABOUT = ("top", "data", "src", "dst", "proto")


class Capture:
    """Sends the records of one process. A message's own data goes once, with the first record that is about it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.stats: dict[str, list[Any]] = {}
        self._id = -1
        self._first = ""
        self.failed = ""

    def clear(self) -> None:
        """A new node: it has heard nothing."""
        self.stats = {}
        self._id = -1
        self._first = ""

    def begin(self, run: Run) -> dict[str, Any] | None:
        """What the callback ``run`` begins with; None when it cannot be read."""
        seen: dict[str, Any]
        try:
            get = self.agent.ksr.pv.get
            run.mi = get("$mi") or 0
            outer = run.outer
            if outer is not None and outer.mi == run.mi and outer.seen is not None:
                # Of the same message, as it came: process_maxfwd() and others write into its buffer.
                seen = outer.seen
                if run.callback == "ksr_onsend_route":
                    self._sent(get, run, seen)
                return seen
            seen = {"mi": run.mi}
            data = raw(get, "$mb")
            # The request of a failure route may have the number of the reply before: it is another process's.
            if run.mi != self._id or data.partition("\r\n")[0] != self._first:
                seen["top"] = run.callback
                seen["data"] = data
                seen["src"] = [text(get, "$si"), get("$sp") or 0]
                seen["dst"] = [text(get, "$Ri"), get("$Rp") or 0]
                seen["proto"] = text(get, "$proto").lower()
            if run.callback == "ksr_onsend_route":
                self._sent(get, run, seen)
            return seen
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
            return None

    def _sent(self, get: Callable[[str], Any], run: Run, seen: dict[str, Any]) -> None:
        """What leaves, before it does: requests, and replies that are passed on."""
        out = raw(get, "$snd(buf)")
        if out:
            where = [text(get, "$snd(sproto)").lower(), text(get, "$snd(ip)"), get("$snd(port)") or 0]
            self._send({"event": "sent", "t": run.wall, "out": out, "to": where, **seen}, seen)

    def dumped(self, run: Run | None) -> None:
        """What sipdump has seen leave, because of the message of ``run`` (None: by a timer)."""
        try:
            get = self.agent.ksr.pv.get
            out = raw(get, "$sipdump(buf)")
            if not out:
                return
            proto = text(get, "$sipdump(proto)").lower()
            seen = run.seen if run is not None and run.seen is not None else {"mi": 0}
            record = {
                "event": "dumped",
                "t": time.time(),
                "out": out,
                "to": [proto, text(get, "$sipdump(dst_ip)"), int(get("$sipdump(dst_port)") or 0)],
                "from": [proto, text(get, "$sipdump(src_ip)"), int(get("$sipdump(src_port)") or 0)],
                **seen,
            }
            self._send(record, seen)
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"

    def tell(self, seen: dict[str, Any], run: Run) -> None:
        """The message itself, now: it is going to be held."""
        if "data" in seen:
            self._send({"event": "message", "t": run.wall, "cb": run.callback, **seen}, seen)

    def end(
        self, run: Run, seen: dict[str, Any] | None, result: Any, error: BaseException | None, seconds: float
    ) -> None:
        """The callback has ended."""
        try:
            stats = self.stats.get(run.callback)
            if stats is None:
                stats = self.stats[run.callback] = [0, 0.0, 0.0, 0]
            stats[0] += 1
            stats[1] += seconds
            if seconds > stats[2]:
                stats[2] = seconds
            stats[3] += error is not None
            if seen is None:
                return
            record: dict[str, Any] = {
                "event": "ran",
                "t": run.wall,
                "cb": run.callback,
                "d": seconds,
                "r": plain(result),
                "n": stats,
                "calls": [_call(*call) for call in run.calls],
                **seen,
            }
            if run.exited:
                record["exited"] = True
            if run.dropped:
                record["dropped"] = True
            if error is not None:
                record["error"] = [type(error).__name__, str(error)[:MOST]]
                record["traceback"] = traceback_of(error)
            self._send(record, seen)
        except Exception as failed:
            self.failed = f"{type(failed).__name__}: {failed}"

    def _send(self, record: dict[str, Any], seen: dict[str, Any]) -> None:
        link = self.agent.link
        if link is None:
            return
        if link.lost:
            record["lost"] = link.lost
        try:
            sent = link.send(record, may_lose=True)
        except LinkLost:
            self.agent.lost()
            return
        if sent and "data" in seen:
            self._id, self._first = seen["mi"], seen["data"].partition("\r\n")[0]
            for name in _ABOUT:
                del seen[name]


def raw(get: Callable[[str], Any], name: str) -> str:
    """A pseudo-variable's text, a character a byte, also when it is not UTF-8."""
    try:
        value = get(name)
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("latin-1")[:MOST_BYTES]
    if value is None:
        return ""
    return latin(str(value))[:MOST_BYTES]


def text(get: Callable[[str], Any], name: str) -> str:
    value = get(name)
    return "" if value is None else str(value)


def _call(path: str, args: tuple[Any, ...], result: Any) -> list[Any]:
    given = [plain(arg) for arg in args]
    if isinstance(result, BaseException):
        return [path, given, None, type(result).__name__, str(result)[:MOST]]
    return [path, given, plain(result)]


def traceback_of(error: BaseException) -> str:
    """The traceback with the script's own frames only."""
    import traceback

    found = traceback.TracebackException.from_exception(error)
    own = __file__.rpartition("/")[0] + "/"
    kept = [frame for frame in found.stack if not frame.filename.startswith(own)]
    found.stack = traceback.StackSummary.from_list(kept)
    found.__context__ = found.__cause__ = None
    return "".join(found.format()).rstrip("\n")[-MOST_TRACEBACK:]
