"""Trying a swap: captured messages through the script with and without the new code, in sandboxes, and what differs."""

from __future__ import annotations

import asyncio
import difflib
import random
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Ran, Record
from ..run import BRANCH_FAILURE_ROUTE, FAILURE_ROUTE, TM_ONREPLY_ROUTE
from .errors import DebugError
from .sandbox import Sandbox, Sandboxes

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..script.python import PythonScript

#: Seconds that a message may take in a trial before it counts as one that never ends.
PATIENCE = 1.0
#: Seconds of replaying before the loop gets its turn: one message takes a few milliseconds.
SLICE = 0.002


#: Routes that run when something becomes of a transaction.
_LATER = (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE, TM_ONREPLY_ROUTE)


class _TooLong(BaseException):
    """Ends a callback that does not end by itself; no Exception, so that scripts do not catch it."""


@dataclass
class Outcome:
    """What became of one message. ``sent``: (first line, destination, header fields, body) of each message."""

    raised: str
    ended: str
    sent: list[tuple[str, str, str, str]]
    callbacks: str
    calls: str


@dataclass
class Difference:
    """A message whose outcomes differ: (what, before, after); ``raises``: the new code raises where the old did not."""

    record: Record
    parts: list[tuple[str, str, str]]
    raises: bool


@dataclass
class Trial:
    """``tried`` messages; ``skipped``: id and why those could not be; ``differ``; where it raises now."""

    tried: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    differ: list[Difference] = field(default_factory=list)

    @property
    def raises(self) -> list[Difference]:
        return [each for each in self.differ if each.raises]


async def compare(
    sandboxes: Sandboxes, records: Iterable[Record], old: PythonScript, new: PythonScript, patience: float = PATIENCE
) -> Trial:
    """Each message through both scripts. The loop's traffic goes on in between."""
    trial = Trial()
    turn = perf_counter()
    for record in records:
        if perf_counter() - turn > SLICE:
            await asyncio.sleep(0)
            turn = perf_counter()
        try:
            parts, raises = _tried(sandboxes, record, old, new, patience)
        except DebugError as error:
            trial.skipped.append((record.id, str(error)))
            continue
        trial.tried += 1
        if parts:
            trial.differ.append(Difference(record, parts, raises))
    return trial


def _tried(
    sandboxes: Sandboxes, record: Record, old: PythonScript, new: PythonScript, patience: float
) -> tuple[list[tuple[str, str, str]], bool]:
    """What differs for one message, in each of its callbacks, and whether one raises only now."""
    parts: list[tuple[str, str, str]] = []
    raises = False
    for callback, ran in callbacks_of(sandboxes.live, record):
        before = replay(sandboxes, record, old, callback, ran, patience)
        after = replay(sandboxes, record, new, callback, ran, patience)
        raises |= bool(after.raised and not before.raised)
        label = "" if ran is None else f" in {callback}"
        parts += [(f"{what}{label}", was, now) for what, was, now in differences(before, after)]
    return parts, raises


def callbacks_of(live: Proxy, record: Record) -> list[tuple[str, Ran | None]]:
    """The callbacks to try for a message: the one that gets it first, then those that ran for its transaction, with
    what they began with. Branch and onsend routes run inside of these."""
    found: list[tuple[str, Ran | None]] = []
    msg = record.msg
    if msg is not None and msg.http:
        found.append((live.module("xhttp").event_callback, None))
    else:
        found.append(("ksr_request_route" if msg is not None and msg.is_request else "ksr_reply_route", None))
    return found + [(ran.callback, ran) for ran in record.runs if ran.route in _LATER and ran.kept is not None]


def replay(
    sandboxes: Sandboxes,
    record: Record,
    script: PythonScript,
    callback: str,
    ran: Ran | None = None,
    patience: float = PATIENCE,
) -> Outcome:
    """One callback for one message through ``script`` in a sandbox, and what the proxy does behind it, timers aside.

    Raises :class:`DebugError` for a message that cannot be routed.
    """
    live = sandboxes.live
    with live.lock:
        box = Sandbox(live, record, ran=ran)
    box.proxy.script = script
    run = box.run
    state = random.getstate()
    random.seed(record.id)  # the same for both
    late = False
    try:
        with sandboxes.working_in(box), _patience(patience):
            if script.has(callback):
                script.call(run, callback, *box.args)
    except _TooLong:
        late = True
    finally:
        random.setstate(state)
    if not late and callback == "ksr_request_route":
        with live.lock:
            if run.exception is not None and not run.handled and run.msg.method != "ACK":
                box.proxy.module("sl").exception_reply(run)
            for done in box.proxy.request_done:
                done(run)
    return _outcome(box, late, patience)


def _outcome(box: Sandbox, late: bool, patience: float) -> Outcome:
    runs = box.record.runs
    raised = f"does not end within {patience:g} s" if late else ""
    for ran in runs:
        if ran.exception is not None and not raised:
            raised = f"{ran.callback}: {type(ran.exception).__name__}: {ran.exception}"
    sent = []
    for dest, text in box.sent:
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        first, _, headers = head.partition("\n")
        sent.append((first, dest.text, headers, body))
    calls = [
        f"{decl.path}({', '.join(map(repr, args))}) -> "
        f"{f'{type(result).__name__}: {result}' if isinstance(result, BaseException) else repr(result)}"
        for ran in runs
        for decl, args, result in ran.iter_calls()
    ]
    run = box.run
    ended = "exit" if run.exited else "drop" if run.dropped else f"returns {run.result!r}"
    return Outcome(raised, ended, sent, ", ".join(ran.callback for ran in runs), "\n".join(calls))


def differences(before: Outcome, after: Outcome) -> list[tuple[str, str, str]]:
    """(what, before, after) of all that differs, the weightiest first."""
    parts = [("raises", before.raised, after.raised)]
    if not (before.raised or after.raised):
        parts.append(("ends", before.ended, after.ended))
    parts.append(("sends", _leaves(before), _leaves(after)))
    old, new = _by_kind(before), _by_kind(after)
    for kind in old:
        if kind in new:
            parts.append((f"headers of {kind}", old[kind][2], new[kind][2]))
            parts.append((f"body of {kind}", old[kind][3], new[kind][3]))
    parts.append(("callbacks", before.callbacks, after.callbacks))
    parts.append(("calls", before.calls, after.calls))
    return [part for part in parts if part[1] != part[2]]


def _leaves(outcome: Outcome) -> str:
    return "\n".join(f"{first.removesuffix(' SIP/2.0')} to {dest}" for first, dest, _, _ in outcome.sent)


def _by_kind(outcome: Outcome) -> dict[str, tuple[str, str, str, str]]:
    """What is sent by its method or code: what of the one outcome is to be held against what of the other."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for each in outcome.sent:
        words = each[0].split(" ")
        kind = name = words[1] if words[0] == "SIP/2.0" and len(words) > 1 else words[0]
        count = 1
        while kind in found:
            count += 1
            kind = f"{name} {count}"
        found[kind] = each
    return found


def shown(before: str, after: str) -> tuple[str, str]:
    """Two texts of several lines cut to the lines that differ."""
    if "\n" not in before and "\n" not in after:
        return before, after
    lines = list(difflib.ndiff(before.split("\n") if before else [], after.split("\n") if after else []))
    return (
        "\n".join(line[2:] for line in lines if line.startswith("- ")),
        "\n".join(line[2:] for line in lines if line.startswith("+ ")),
    )


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Raise :class:`_TooLong` in the block after so many seconds: an endless loop would end all traffic.

    By the timer signal, which only a program's main thread can use; the loop runs there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    running = True

    def ring(number: int, frame: FrameType | None) -> None:
        if running:
            raise _TooLong

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGALRM, ring)
    # Again and again: a bare `except:` of the script may have caught the first.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
