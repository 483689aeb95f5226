"""The methods of the control channel that change the script: ``ksr.swap``, ``try``, ``rollback``, ``save``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Record
from ..debug.sandbox import Sandboxes
from ..debug.trial import Difference, Trial, compare, shown
from ..script.engine import ScriptError
from ..script.watch import WHO
from . import errors, views
from .errors import ControlError

if TYPE_CHECKING:
    from ..script.check import Finding
    from ..script.swap import Swapped, Swaps

#: Messages that one trial replays at most.
MOST = 1000


class Swapping:
    """Over one proxy's script. ``record(id)`` finds a captured message, ``publish(event, data)`` tells clients."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        script: Callable[[], Any],
        record: Callable[[int], Record],
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.sandboxes = sandboxes
        self.script = script
        self.record = record
        self.publish = publish

    def table(self) -> dict[str, Callable[..., Any]]:
        return {
            "ksr.swap": self.swap,
            "ksr.try": self.try_swap,
            "ksr.rollback": self.rollback,
            "ksr.save": self.save,
        }

    def swap(
        self, source: str = "", who: str = "", pin: bool = False, try_on: int = 0, remove: list[str] | None = None
    ) -> Any:
        """At once without ``try_on``; else when the messages have been tried."""
        if try_on:
            return self._tried_swap(source, who, pin, try_on, remove or [])
        return self._answer(self.script().swap(source, who, pin=pin, remove=remove or []), who)

    async def _tried_swap(self, source: str, who: str, pin: bool, try_on: int, remove: list[str]) -> dict[str, Any]:
        if not 0 < try_on <= MOST:
            raise ControlError(errors.USER_ERROR, f"try_on is a number of messages, 1 to {MOST}, got {try_on}")
        if remove:
            raise ControlError(errors.USER_ERROR, "try_on tries new code: remove functions in a swap of its own")
        records = self.sandboxes.live.recorder.records
        newest = [r for r in reversed(records) if not r.out and not r.error and not r.data.startswith("SIP/")]
        script = self.script()
        generation = script.generation
        trial = await self._trial(source, list(reversed(newest[:try_on])))
        if trial.raises:
            first = trial.raises[0]
            why = next(after for what, _, after in first.parts if what.startswith("raises") and after)
            more = f" and {len(trial.raises) - 1} more" if len(trial.raises) > 1 else ""
            raise ControlError(
                errors.USER_ERROR,
                f"not swapped: with the new code message {first.record.id}{more} of {trial.tried} raises, "
                f"with the old it did not: {why}",
                {"type": "ScriptError", "ids": [each.record.id for each in trial.raises]},
            )
        if script.generation != generation:
            raise ControlError(errors.USER_ERROR, "not swapped: the script was changed while the new code was tried")
        with self.sandboxes.live.lock:
            done = script.swap(source, who, pin=pin)
        return self._answer(done, who) | {"tried": trial.tried}

    async def _trial(self, source: str, records: list[Record]) -> Trial:
        script, swaps = self._python()
        plan = swaps.plan(source, f"<swap tried on {script.path.rpartition('/')[2]}>")
        old, new = swaps.trial(plan)
        return await compare(self.sandboxes, records, old, new)

    def _python(self) -> tuple[Any, Swaps]:
        script = self.script()
        swaps = getattr(script, "swaps", None)
        if swaps is None:
            raise ScriptError("only scripts in Python can be tried and saved")
        return script, swaps

    def embedded(self, engine: str) -> None:
        """A trial needs sandboxes; ``engine`` says that those of the embedded core are meant. Raises
        :class:`ControlError`."""
        if engine not in ("", "embedded"):
            raise ControlError(errors.USER_ERROR, f'there is one engine, "embedded", got {engine!r}')

    async def try_swap(self, source: str, ids: list[int], engine: str = "") -> dict[str, Any]:
        self.embedded(engine)
        if len(ids) > MOST:
            raise ControlError(errors.USER_ERROR, f"at most {MOST} messages are tried at once, got {len(ids)}")
        records = [self.record(id) for id in ids]
        incoming = [record for record in records if not record.out]
        trial = await self._trial(source, incoming)
        skipped = [(record.id, "it left the proxy: only what came in is routed") for record in records if record.out]
        return {
            "tried": trial.tried,
            "same": trial.tried - len(trial.differ),
            "skipped": [{"id": id, "why": why} for id, why in sorted(skipped + trial.skipped)],
            "differ": [_difference(each) for each in trial.differ],
        }

    def rollback(self, name: str = "", number: int | None = None) -> dict[str, Any]:
        if number is not None and not name:
            raise ControlError(errors.USER_ERROR, "rollback to a version needs a function's name")
        return self._answer(self.script().rollback(name, number), "")

    def save(self, diff: bool = False) -> dict[str, Any]:
        script, swaps = self._python()
        text, names = swaps.save(only_show=diff)
        return {"path": script.path, "saved": names, "diff": text, "written": bool(names) and not diff}

    def reloaded(self, text: str, done: Swapped | None) -> None:
        """The script's file was saved: tell what became of it."""
        if done is not None:
            self._answer(done, WHO)
        self.publish("reload", {"text": text, "taken": done is not None})

    def _answer(self, done: Swapped, who: str) -> dict[str, Any]:
        answer = swapped_view(done)
        if answer["swapped"]:
            self.publish("swap", {"swapped": answer["swapped"], "who": who})
        return answer


def swapped_view(done: Swapped) -> dict[str, Any]:
    return {
        "swapped": [
            {"name": name, "version": number, "new": name in done.new, "removed": not number}
            for name, number in done.numbers.items()
        ],
        "warnings": [_warning(finding) for finding in done.warnings if finding.severity == "warning"],
        "pinned": done.pinned,
        "ended": done.ended,
    }


def _warning(finding: Finding) -> str:
    return f"line {finding.line}: {finding.text} [{finding.code}]"


def _difference(each: Difference) -> dict[str, Any]:
    found = []
    for what, before, after in each.parts:
        old, new = shown(before, after)
        found.append({"what": what, "old": old, "new": new})
    return views.summary(each.record) | {"raises": each.raises, "differences": found}
