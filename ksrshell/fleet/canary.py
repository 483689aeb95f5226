"""A swap on several nodes: on all or none, with one of them tried first when that is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AttachError, Disconnected, KsrShellError, RemoteError, UsageError
from ..progress import progress
from ..routes import Swapped, source_of
from ..view import View
from .bynode import on_each
from .condition import Condition

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..session import Session
    from .fleet import Fleet

#: Seconds between two looks at the nodes that are watched.
LOOK = 0.5
#: Seconds that all are watched after the canary, unless the user says otherwise.
ALL_FOR = 10.0


@dataclass
class Counts:
    """A node's counters at a moment: exceptions of its callbacks, requests answered, those answered with 5xx or 6xx;
    the ``versions`` of its functions, and which ``process`` it is."""

    exceptions: int
    requests: int
    failed: int
    versions: dict[str, int] = field(default_factory=dict)
    process: int = 0

    @classmethod
    def of(cls, session: Session) -> Counts:
        routes = session.call("ksr.routes")
        tm, sl = _replies(session, "tm.stats"), _replies(session, "sl.stats")
        failed = sum(int(counts.get(key) or 0) for counts in (tm, sl) for key in ("5xx", "6xx"))
        failed += int(sl.get("500") or 0)
        return cls(
            sum(int(route.get("exceptions") or 0) for route in routes if route.get("callback")),
            int(tm.get("total") or 0) + sum(int(count) for key, count in sl.items() if not key.startswith("1")),
            failed,
            _versions(routes),
            session.client.process,
        )

    def since(self, before: Counts) -> dict[str, float]:
        """The figures of a condition."""
        requests = self.requests - before.requests
        return {
            "exceptions": self.exceptions - before.exceptions,
            "requests": requests,
            "failed": (self.failed - before.failed) / requests if requests else 0.0,
        }


def _replies(session: Session, command: str) -> dict[str, Any]:
    """The counters of a module; empty where the server has not loaded it."""
    try:
        found: dict[str, Any] = session.call(command, [])
    except RemoteError as error:
        if error.code != -32601 and error.message != "Method Not Found":
            raise
        return {}
    return found


def _versions(routes: list[dict[str, Any]]) -> dict[str, int]:
    return {str(route["name"]): int(route.get("version") or 1) for route in routes}


@dataclass(repr=False, eq=False)
class FleetSwap(View):
    """What became of a swap on several nodes. ``taken``: whether every node has it now; ``why`` not, ``figures`` of the
    canary since the swap, ``watched``: the figures of each node that was watched, ``nodes``: what each answered,
    ``back``: those that were rolled back."""

    taken: bool
    canary: str = ""
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    watched: dict[str, dict[str, float]] = field(default_factory=dict)
    nodes: dict[str, Swapped] = field(default_factory=dict)
    back: list[str] = field(default_factory=list)

    def __rich__(self) -> RenderableType:
        from ..render.fleet import fleet_swap

        return fleet_swap(self)

    def to_json(self) -> Any:
        return {
            "taken": self.taken,
            "canary": self.canary,
            "why": self.why,
            "figures": self.figures,
            "watched": self.watched,
            "nodes": {name: swapped.to_json() for name, swapped in self.nodes.items()},
            "back": self.back,
        }


def swap(
    fleet: Fleet,
    new: str | Path | Callable[..., Any],
    options: dict[str, Any],
    *,
    canary: str,
    for_: float,
    all_for: float | None,
    abort_if: str,
) -> FleetSwap:
    """See :meth:`Fleet.swap`."""
    if not isinstance(for_, int | float) or isinstance(for_, bool) or for_ <= 0:
        raise UsageError(f"for_ is a number of seconds, got {for_!r}")
    if all_for is None:
        all_for = min(ALL_FOR, for_) if canary else 0.0
    if not isinstance(all_for, int | float) or isinstance(all_for, bool) or all_for < 0:
        raise UsageError(f"all_for is a number of seconds, 0: not at all; got {all_for!r}")
    condition = Condition(abort_if)
    nothing = isinstance(new, str) and not new.strip() and options["remove"]
    work = _Work(fleet, "" if nothing else source_of(new), options, condition, FleetSwap(False, canary))
    if canary and canary not in fleet:
        raise UsageError(f"no node {canary!r}; there are: {', '.join(fleet)}")
    return work.run(float(for_), float(all_for))


class _Work:
    """One swap on the nodes of a fleet. ``before``: the counts of those that have it; ``after``: their functions."""

    def __init__(
        self, fleet: Fleet, source: str, options: dict[str, Any], condition: Condition, result: FleetSwap
    ) -> None:
        self.fleet = fleet
        self.source = source
        self.options = options
        self.condition = condition
        self.result = result
        self.before: dict[str, Counts] = {}
        self.after: dict[str, list[dict[str, Any]]] = {}

    def run(self, for_: float, all_for: float) -> FleetSwap:
        """Raises what a node that refuses raises; nothing has changed anywhere then."""
        result, canary = self.result, self.result.canary
        for name, found in self._counts(list(self.fleet)).items():
            if isinstance(found, KsrShellError):  # all or none: it is known now that it cannot be all
                raise KsrShellError(f"not swapped: {name} {self._cannot(name, found)}")
        try:
            if canary:
                self._swap(canary)
                result.why = self._watch([canary], for_)
                if not result.why and not result.figures.get("requests"):
                    result.why = f"{canary} saw no request in {for_:g} s: it proves nothing"
            if not result.why:
                for name in self.fleet:
                    if name != canary:
                        self._swap(name)
                if all_for and any(each.swapped for each in result.nodes.values()):
                    result.why = self._watch(list(self.fleet), all_for)
        except KeyboardInterrupt:
            result.why = "interrupted"
        except _Refused as refused:
            # As with one proxy: a swap that is refused raises, and nothing has changed.
            error = refused.error
            text = f"{refused.name}: {error}{self._take_back()}"
            if isinstance(error, RemoteError):
                raise RemoteError(error.code, text, error.data) from None
            raise KsrShellError(text) from None
        if result.why:
            result.why += self._take_back()
        result.taken = not result.why
        return result

    def _swap(self, name: str) -> None:
        """Raises :class:`_Refused`."""
        session = self.fleet[name]
        try:
            self.before[name] = before = Counts.of(session)
        except KsrShellError as error:
            raise _Refused(name, error) from None
        with ThreadPoolExecutor(1, "ksrshell-swap") as pool:
            asked = pool.submit(session.swap, self.source, **self.options)
            try:
                try:
                    self.result.nodes[name] = asked.result()
                except KeyboardInterrupt:
                    # It is under way: what came of it must be known to take it back.
                    with suppress(KsrShellError):
                        self.result.nodes[name] = asked.result()
                    raise
            except (RemoteError, UsageError) as error:
                raise _Refused(name, error) from None
            except KsrShellError as error:
                self._suspect(name, before)
                raise _Refused(name, error) from None
            finally:
                self.after[name] = self._now(session)

    @staticmethod
    def _now(session: Session) -> list[dict[str, Any]]:
        try:
            routes: list[dict[str, Any]] = session.call("ksr.routes")
        except KsrShellError:
            return []
        return routes

    def _suspect(self, name: str, before: Counts) -> None:
        """There was no answer: whether it was done is seen by what runs."""
        now = _versions(self._now(self.fleet[name])) or before.versions
        changed = {what: now.get(what, 0) for what in {**before.versions, **now}}
        entries = [{"name": what, "version": v} for what, v in changed.items() if v != before.versions.get(what, 0)]
        self.result.nodes[name] = Swapped({"swapped": entries})

    # -- watching -------------------------------------------------------------------------------------------------

    def _watch(self, names: list[str], seconds: float) -> str:
        """Why the nodes must go back; '' when they may keep it."""
        end = time.monotonic() + seconds
        with progress(f"{', '.join(names)}: seconds", max(1, int(seconds))) as shown:
            told = 0
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(LOOK, left))
                why = self._look(names)
                if why:
                    return why
                gone = int(seconds - max(0.0, end - time.monotonic()))
                shown.what = f"{_told(self.result.watched, names)}; seconds"
                shown.step(gone - told)
                told = gone
        return ""

    def _look(self, names: list[str]) -> str:
        for name, found in self._counts(names).items():
            if isinstance(found, KsrShellError):
                return f"{name} {self._cannot(name, found)}"
            before = self.before[name]
            if found.process != before.process:
                # Also when it was only the node of a Kamailio: it counts from its own start.
                return f"{name} was started anew meanwhile"
            self.result.watched[name] = figures = found.since(before)
            if name == self.result.canary:
                self.result.figures = figures
            if self.condition(figures):
                return self.condition.text if len(names) == 1 else f"{name}: {self.condition.text}"
        return ""

    def _cannot(self, name: str, error: KsrShellError) -> str:
        return "has ended" if ended(self.fleet[name]) else f"cannot be watched: {error}"

    def _counts(self, names: list[str]) -> dict[str, Counts | KsrShellError]:
        def one(name: str) -> list[Counts | KsrShellError]:
            try:
                return [Counts.of(self.fleet[name])]
            except KsrShellError as error:
                return [error]

        found = on_each(names, one)
        return {} if found is None else {name: value[0] for name, value in found.values_by_node().items()}

    # -- going back -----------------------------------------------------------------------------------------------

    def _take_back(self) -> str:
        """Bring the nodes that have it back to what they ran; a text on those where that failed."""
        names = [name for name, swapped in self.result.nodes.items() if swapped.swapped]
        if not names:
            return ""

        def one(name: str) -> tuple[bool, str]:
            try:
                if ended(self.fleet[name]):
                    return False, f"when {name} is started again it runs the script's file"
                return self._back(name)
            except (Disconnected, AttachError) as error:
                return False, f"{name} is not there to go back: {error}; started anew, it runs the script's file"
            except KsrShellError as error:
                return False, f"{name} could not go back: {error}"

        found = on_each(names, one)
        done: dict[str, tuple[bool, str]] = found.values_by_node() if found is not None else {}
        self.result.back = [name for name, (back, _) in done.items() if back]
        return "".join(f"; {note}" for _, note in done.values() if note)

    def _back(self, name: str) -> tuple[bool, str]:
        """Whether it is back, and what must be known of it."""
        session, before = self.fleet[name], self.before[name]
        routes = session.call("ksr.routes")
        now, mine = _versions(routes), dict(self.result.nodes[name].swapped)
        anew = session.client.process != before.process
        if anew and all(now.get(what, 0) == 1 for what in before.versions):
            return True, ""  # it runs the script's file
        after = self.after.get(name) or routes
        changed = _changed(after, routes, "source" if anew else "version")
        # Somebody else's later swap stays: only what this one brought is taken back.
        later = [what for what, own in mine.items() if what in changed or not anew and now.get(what, own) != own]
        if not changed and not later:
            return True, _warnings(name, session.rollback())
        notes = [f"{name} keeps {', '.join(later)}: swapped again meanwhile"] if later else []
        for what in reversed([what for what in mine if what not in later]):
            if what in before.versions:
                number = None if anew else before.versions[what]  # another node may count otherwise
                notes.append(_warnings(name, session.rollback(what, number)))
            else:
                notes.append(f"{name} keeps {what}, which was added: somebody else has swapped since")
        return len(later) < len(mine), "; ".join(note for note in notes if note)


class _Refused(Exception):
    """A node does not take the swap."""

    def __init__(self, name: str, error: KsrShellError) -> None:
        super().__init__(name)
        self.name = name
        self.error = error


def ended(session: Session) -> bool:
    """Whether it is the node of a Kamailio that has ended: the node itself lives on a moment longer."""
    from ksrcore.kamailio.agents import look

    folder = session.hello.get("folder")
    return bool(folder) and not look(Path(str(folder))).alive


def _changed(before: list[dict[str, Any]], after: list[dict[str, Any]], by: str) -> set[str]:
    """The functions that are others now; constants are not listed, and count as unchanged."""
    old, new = ({str(route["name"]): route.get(by) for route in routes} for routes in (before, after))
    return {what for what in {**old, **new} if what not in old or what not in new or old[what] != new[what]}


def _warnings(name: str, rolled_back: Swapped) -> str:
    """What a rollback has to say that must not be missed: workers that have not answered."""
    return "; ".join(f"{name}: {warning}" for warning in rolled_back.warnings)


def _told(watched: dict[str, dict[str, float]], names: list[str]) -> str:
    """The figures while they are watched, on one line: the sums, and the worst share of failures."""
    figures = [watched[name] for name in names if name in watched]
    requests, exceptions = (int(sum(each[key] for each in figures)) for key in ("requests", "exceptions"))
    worst = max((each["failed"] for each in figures), default=0.0)
    who = names[0] if len(names) == 1 else f"{len(names)} nodes"
    return f"{who}: {requests} requests, {worst:.1%} failed, {exceptions} raised"
