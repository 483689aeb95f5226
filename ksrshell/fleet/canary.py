"""A swap on several nodes: on all or none, with one of them tried first when that is asked for."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import KsrShellError, RemoteError, UsageError
from ..progress import progress
from ..routes import Swapped, source_of
from ..view import View
from .bynode import on_each

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..session import Session
    from .fleet import Fleet

#: Seconds between two looks at the canary.
LOOK = 0.5

#: What a condition may name.
FIGURES = ("exceptions", "failed", "requests")

_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


class Condition:
    """``exceptions > 0 or failed > 1%``: when a canary goes back. Raises :class:`UsageError` for what it is not."""

    def __init__(self, text: str) -> None:
        self.text = text.strip() if isinstance(text, str) else ""
        try:
            tree = ast.parse(re.sub(r"(\d+(?:\.\d+)?)\s*%", r"(\1*0.01)", self.text), mode="eval")
        except (SyntaxError, ValueError):
            raise self._error(text) from None
        self._test = self._bool(tree.body, text)

    def __call__(self, figures: dict[str, float]) -> bool:
        return self._test(figures)

    @staticmethod
    def _error(text: object) -> UsageError:
        return UsageError(
            f"abort_if compares {', '.join(FIGURES)} with numbers, such as 'exceptions > 0 or failed > 1%'; "
            f"got {text!r}"
        )

    def _bool(self, node: ast.expr, text: str) -> Callable[[dict[str, float]], bool]:
        if isinstance(node, ast.BoolOp):
            parts = [self._bool(each, text) for each in node.values]
            every = isinstance(node.op, ast.And)
            return lambda figures: (all if every else any)(part(figures) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._bool(node.operand, text)
            return lambda figures: not inner(figures)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            compare = _COMPARE[type(node.ops[0])]
            left, right = self._number(node.left, text), self._number(node.comparators[0], text)
            return lambda figures: compare(left(figures), right(figures))
        raise self._error(text)

    def _number(self, node: ast.expr, text: str) -> Callable[[dict[str, float]], float]:
        if isinstance(node, ast.Name) and node.id in FIGURES:
            name = node.id
            return lambda figures: figures[name]
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):  # what % was made
            share = float(node.left.value) * 0.01  # type: ignore[arg-type]
            return lambda figures: share
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            value = float(node.value)
            return lambda figures: value
        raise self._error(text)


@dataclass
class Counts:
    """A node's counters at a moment: exceptions of its callbacks, requests answered, those answered with 5xx or 6xx."""

    exceptions: int
    requests: int
    failed: int

    @classmethod
    def of(cls, session: Session) -> Counts:
        routes = session.call("ksr.routes")
        tm: dict[str, Any] = session.call("tm.stats", [])
        sl: dict[str, Any] = session.call("sl.stats", [])
        failed = sum(int(counts.get(key) or 0) for counts in (tm, sl) for key in ("5xx", "6xx"))
        failed += int(sl.get("500") or 0)
        return cls(
            sum(int(route.get("exceptions") or 0) for route in routes if route.get("callback")),
            int(tm.get("total") or 0) + sum(int(count) for key, count in sl.items() if not key.startswith("1")),
            failed,
        )

    def since(self, before: Counts) -> dict[str, float]:
        """The figures of a condition."""
        requests = self.requests - before.requests
        return {
            "exceptions": self.exceptions - before.exceptions,
            "requests": requests,
            "failed": (self.failed - before.failed) / requests if requests else 0.0,
        }


@dataclass(repr=False, eq=False)
class FleetSwap(View):
    """What became of a swap on several nodes. ``taken``: whether every node has it now; ``why`` not, ``figures`` of the
    canary since the swap, ``nodes``: what each answered."""

    taken: bool
    canary: str = ""
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    nodes: dict[str, Swapped] = field(default_factory=dict)

    def __rich__(self) -> RenderableType:
        from ..render.fleet import fleet_swap

        return fleet_swap(self)

    def to_json(self) -> Any:
        return {
            "taken": self.taken,
            "canary": self.canary,
            "why": self.why,
            "figures": self.figures,
            "nodes": {name: swapped.to_json() for name, swapped in self.nodes.items()},
        }


def swap(
    fleet: Fleet,
    new: str | Path | Callable[..., Any],
    options: dict[str, Any],
    *,
    canary: str,
    for_: float,
    abort_if: str,
) -> FleetSwap:
    """See :meth:`Fleet.swap`."""
    if not isinstance(for_, int | float) or isinstance(for_, bool) or for_ <= 0:
        raise UsageError(f"for_ is a number of seconds, got {for_!r}")
    condition = Condition(abort_if)
    source = "" if isinstance(new, str) and not new.strip() and options["remove"] else source_of(new)
    result = FleetSwap(False, canary)
    rest = list(fleet)
    if canary:
        session = fleet[canary]
        rest.remove(canary)
        before = Counts.of(session)
        result.nodes[canary] = session.swap(source, **options)
        result.why = _watched(session, result, before, condition, float(for_), abort_if)
        if result.why:
            result.why += _taken_back(fleet, result)
            return result
    for name in rest:
        try:
            result.nodes[name] = fleet[name].swap(source, **options)
        except KsrShellError as error:
            result.why = f"{name}: {error}"
            back = _taken_back(fleet, result)
            # As with one proxy: a swap that is refused raises, and nothing has changed.
            raise RemoteError(1, result.why + back) from None
    result.taken = True
    return result


def _watched(
    session: Session, result: FleetSwap, before: Counts, condition: Condition, seconds: float, abort_if: str
) -> str:
    """Why the canary must go back; '' when it may stay."""
    end = time.monotonic() + seconds
    try:
        with progress(f"seconds {result.canary} is watched", int(seconds)) as shown:
            told = 0
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(LOOK, left))
                result.figures = Counts.of(session).since(before)
                if condition(result.figures):
                    return abort_if
                gone = int(seconds - max(0.0, end - time.monotonic()))
                shown.step(gone - told)
                told = gone
    except KeyboardInterrupt:
        return "interrupted"
    except KsrShellError as error:
        return f"{result.canary} cannot be watched: {error}"
    if not result.figures.get("requests"):
        return f"{result.canary} saw no request in {seconds:g} s: it proves nothing"
    return ""


def _taken_back(fleet: Fleet, result: FleetSwap) -> str:
    """Bring the nodes that have it back to what they ran; a text on those where that failed."""
    names = [name for name, swapped in result.nodes.items() if swapped.swapped]
    if not names:
        return ""

    def back(name: str) -> str:
        session = fleet[name]
        current = {each["name"]: each["version"] for each in session.call("ksr.routes")}
        mine = {what: version for what, version in result.nodes[name].swapped if version}
        # Somebody else's later swap stays: only what this one brought is taken back.
        later = [what for what, version in mine.items() if current.get(what, version) != version]
        if later:
            return f"{name} keeps {', '.join(later)}: swapped again meanwhile"
        session.rollback()
        return ""

    try:
        found = on_each(names, back)
    except KsrShellError as error:
        return f"; it could not be taken back on {', '.join(names)}: {error}"
    if found is None:
        return ""
    notes = [text for text in found.values_by_node().values() if text]
    notes += [f"{name} could not go back: {error}" for name, error in found.errors.items()]
    return "".join(f"; {note}" for note in notes)
