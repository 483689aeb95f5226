"""A recording: every line and KSR call that a run came to, what was to be seen there, and moving about in it.

It knows nothing of proxies or threads: the one who runs the script appends :class:`Point` s, the one who looks asks for
:meth:`Recording.state`, :meth:`Recording.move` and :meth:`Recording.when`. The same class is filled by a sandbox in the
proxy and from a file in the shell.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .errors import DebugError
from .source import check_line, source_window

#: (function, file, line) of a frame.
Spot = tuple[str, str, int]

#: Orders that go on, and those that only move inside what is recorded.
FORWARD = ("next", "into", "out", "next_call", "to", "finish", "forward")
BACKWARD = ("back", "back_over", "back_out", "back_call", "first")
MOVES = (*FORWARD, *BACKWARD, "goto", "last")

#: Pseudo-variables that a trace has from each step, beside those that are watched.
STANDARD = (
    "$rm", "$ru", "$du", "$rs", "$rr", "$fu", "$tu", "$ci", "$si", "$sp", "$proto", "$mf", "$bf", "$branch(count)",
    "$T_branch_idx", "$T_reply_code",
)  # fmt: skip

#: An object's address in a repr: another one when the run is repeated.
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


class Point:
    """What was to be seen at one step. What did not change since the step before is the very same object.

    ``stack``: the script's frames, outermost first; ``activation`` tells calls of one function apart; ``locals``: reprs
    by name. ``calls``, ``sent`` and ``writes`` say how many of the recording's there were, ``text`` and ``routing``
    which of its texts and routing states applied.
    """

    __slots__ = ("event", "stack", "activation", "locals", "calls", "sent", "writes", "text", "routing", "call")

    def __init__(
        self,
        event: str,
        stack: tuple[Spot, ...],
        activation: int,
        locals: dict[str, str],
        calls: int,
        sent: int,
        writes: int,
        text: int,
        routing: int,
        call: str = "",
    ) -> None:
        self.event = event
        self.stack = stack
        self.activation = activation
        self.locals = locals
        self.calls = calls
        self.sent = sent
        self.writes = writes
        self.text = text
        self.routing = routing
        self.call = call

    def values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in Point.__slots__)

    @property
    def depth(self) -> int:
        return len(self.stack)


class Recording:
    """The points of a run and what they refer to.

    ``meta``: ``callback``, ``message`` (its id), ``script`` and so on. ``original``: the message as it came. ``texts``:
    the versions of the message as it would leave; ``routings``: of its routing state. ``end``: what the last point says
    beside, when the run has ended: result, exited, dropped, exception. ``watches``: values by pseudo-variable, one for
    each point.
    """

    def __init__(self, meta: dict[str, Any], original: str) -> None:
        self.meta = meta
        self.original = original
        self.points: list[Point] = []
        self.calls: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.texts: list[str] = []
        self.routings: list[dict[str, Any]] = []
        self.sources: dict[str, list[str]] = {}
        self.watches: dict[str, list[Any]] = {}
        self.end: dict[str, Any] | None = None
        self._diffs: dict[int, str] = {}
        self._headers: dict[int, dict[str, list[str]]] = {}

    def __len__(self) -> int:
        return len(self.points)

    @property
    def ended(self) -> bool:
        return self.end is not None

    # -- filling it -----------------------------------------------------------------------------------------------

    def text(self, text: str) -> int:
        """The number of that version of the message; equal to the latest or new."""
        if not self.texts or self.texts[-1] != text:
            self.texts.append(text)
        return len(self.texts) - 1

    def routing(self, state: dict[str, Any]) -> int:
        if not self.routings or self.routings[-1] != state:
            self.routings.append(state)
        return len(self.routings) - 1

    def add(self, point: Point, watched: dict[str, Any]) -> int:
        """Its position. ``watched``: the values of the pseudo-variables that are watched."""
        before = self.points[-1] if self.points else None
        if before is not None and before.locals == point.locals:
            point.locals = before.locals
        if before is not None and before.stack[:-1] == point.stack[:-1] and before.stack and point.stack:
            point.stack = (*before.stack[:-1], point.stack[-1])
        self.points.append(point)
        for name, values in self.watches.items():
            values.append(watched.get(name))
        return len(self.points) - 1

    # -- looking --------------------------------------------------------------------------------------------------

    def state(self, position: int, watches: Sequence[str] | None = None) -> dict[str, Any]:
        """What is to be seen at a position: see "State" in docs/control-channel.md."""
        point = self.points[position]
        last = position == len(self.points) - 1
        done = point.event == "end"
        state: dict[str, Any] = {
            "done": done,
            "live": False,
            "event": point.event,
            "callback": self.meta["callback"],
            "message": self.meta["message"],
            "calls": self.calls[: point.calls],
            "effects": {
                "sent": self.sent[: point.sent],
                "diff": self.diff(point.text),
                "state": self.routings[point.routing],
                "writes": self.writes[: point.writes],
            },
            "watches": {name: self.watches[name][position] for name in (self.watches if watches is None else watches)},
            "position": position,
            "length": len(self.points),
            "at_end": last,
        }
        if point.call:
            state["call"] = point.call
        if point.stack:
            function, file, line = point.stack[-1]
            stack = [{"function": f, "file": name, "line": n} for f, name, n in point.stack]
            state |= {
                "function": function,
                "file": file,
                "line": line,
                **source_window(self.sources.get(file, []), line),
                "locals": point.locals,
                "changed": self.changed(position),
                "stack": stack,
            }
        if done and self.end is not None:
            state |= self.end
        return state

    def diff(self, text: int) -> str:
        """The message as it came against that version of it, unified."""
        found = self._diffs.get(text)
        if found is None:
            found = self._diffs[text] = diff(self.original, self.texts[text])
        return found

    def changed(self, position: int) -> list[str]:
        """The locals that are new or different since the step before in the same call of the function."""
        point = self.points[position]
        for before in range(position - 1, -1, -1):
            other = self.points[before]
            if other.activation == point.activation:
                if other.locals is point.locals:
                    return []
                return [name for name, text in point.locals.items() if other.locals.get(name) != text]
        return []

    def differs(self, position: int, other: Recording) -> str:
        """How the point of another recording at that position differs, '' when it does not (but for durations)."""
        mine, theirs = self.points[position], other.points[position]
        if mine.stack != theirs.stack or mine.event != theirs.event:
            return f"it was at {_spot(mine)} and is now at {_spot(theirs)}"
        for name in {*mine.locals, *theirs.locals}:
            before, now = mine.locals.get(name, "nothing"), theirs.locals.get(name, "nothing")
            if before != now and _ADDRESS.sub("0x", before) != _ADDRESS.sub("0x", now):
                return f"{name} was {before} and is now {now}"
        for made, again in zip(self.calls[: mine.calls], other.calls[: theirs.calls], strict=False):
            for what in ("name", "args", "result", "error"):
                if made[what] != again[what]:
                    return f"{made['name']}: its {what} was {made[what]!r} and is now {again[what]!r}"
        if self.texts[mine.text] != other.texts[theirs.text]:
            return "the message would leave another way"
        return ""

    # -- moving ---------------------------------------------------------------------------------------------------

    def found(self, op: str, origin: Point, line: int) -> Callable[[Point], bool]:
        """Whether going on from ``origin`` ends at a point. Raises :class:`DebugError`."""
        depth = origin.depth
        if op == "into":
            return lambda p: p.event == "line"
        if op == "forward":
            return lambda p: True
        if op == "next":
            return lambda p: p.event == "line" and p.depth <= depth
        if op == "out":
            return lambda p: p.event == "line" and p.depth < depth
        if op == "next_call":
            return lambda p: p.event == "call"
        if op == "to":
            file = origin.stack[-1][1] if origin.stack else ""
            check_line(self.sources.get(file, []), file, line)
            return lambda p: p.event == "line" and p.stack[-1][1:] == (file, line)
        if op == "finish":
            return lambda p: False
        raise DebugError(f"cannot step {op!r}; known: {', '.join(MOVES)}")

    def move(self, position: int, op: str, line: int = 0) -> int | None:
        """Where that order leads inside the recording; None: the run must go on for it. Raises :class:`DebugError`.

        ``line``: of ``to``; the position of ``goto``; how many steps for ``back`` and ``forward`` (0: one).
        """
        points = self.points
        if op == "goto":
            if not 0 <= line < len(points):
                raise DebugError(f"there is no step {line}: 0 to {len(points) - 1} are recorded")
            return line
        if op == "first":
            return 0
        if op == "last":
            return len(points) - 1
        if op in BACKWARD:
            return self._back(position, op, max(1, line))
        origin = points[position]
        if origin.event == "end":
            raise DebugError("the callback has ended: back() goes back in it, step(m) starts it again")
        found = self.found(op, origin, line)
        wanted = max(1, line) if op == "forward" else 1
        for at in range(position + 1, len(points)):
            if points[at].event == "end" or found(points[at]):
                wanted -= 1
                if not wanted or points[at].event == "end":
                    return at
        return None

    def _back(self, position: int, op: str, count: int) -> int:
        points = self.points
        origin = points[position]
        depth = origin.depth or 1
        tests: dict[str, Callable[[Point], bool]] = {
            "back": lambda p: p.event == "line",
            "back_over": lambda p: p.event == "line" and p.depth <= depth,
            "back_out": lambda p: p.event == "line" and p.depth < depth,
            "back_call": lambda p: p.event == "call",
        }
        test = tests[op]
        at = position
        for each in range(position - 1, -1, -1):
            if test(points[each]):
                at = each
                count -= 1
                if not count:
                    break
        if at == position:
            what = {"back_call": "no KSR call comes before this", "back_out": "no function of the script called this"}
            raise DebugError(what.get(op, "this is the first step"))
        return at

    # -- when -----------------------------------------------------------------------------------------------------

    def when_local(self, name: str) -> list[dict[str, Any]]:
        """Where the variable got another value, in any function that has it."""
        if not any(name in point.locals for point in self.points):
            names = sorted({n for point in self.points for n in point.locals})
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DebugError(f"no function has a variable {name!r} here{hint} (pseudo-variables begin with $)")
        found: list[dict[str, Any]] = []
        last: dict[int, str] = {}
        at_last: dict[int, int] = {}
        for at, point in enumerate(self.points):
            if name in point.locals:
                value = point.locals[name]
                before = last.get(point.activation)
                if value != before:
                    # The line before in the same function: one that it called may have run in between.
                    found.append(self._change(at, before, value, at_last.get(point.activation, at)))
                last[point.activation] = value
            at_last[point.activation] = at
        return found

    def when_watch(self, spec: str) -> list[dict[str, Any]]:
        """Where a pseudo-variable that was watched changed."""
        return self._changes(self.watches[spec])

    def when_header(self, name: str) -> list[dict[str, Any]]:
        """Where the header fields of that name changed in the message as it would leave."""
        wanted = name.lower()
        return self._changes([self._fields(point.text).get(wanted) for point in self.points])

    def _fields(self, text: int) -> dict[str, list[str]]:
        found = self._headers.get(text)
        if found is None:
            found = self._headers[text] = {}
            for line in self.texts[text].partition("\r\n\r\n")[0].split("\r\n")[1:]:
                key, _, body = line.partition(":")
                found.setdefault(_LONG.get(key.strip().lower(), key.strip().lower()), []).append(body.strip())
        return found

    def _changes(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            self._change(at, values[at - 1], value, at - 1)
            for at, value in enumerate(values)
            if at and value != values[at - 1]
        ]

    def _change(self, at: int, before: Any, after: Any, maker: int) -> dict[str, Any]:
        """The change is seen at ``position``; ``line`` is that of the step ``maker``, which made it."""
        while maker and not self.points[maker].stack:
            maker -= 1
        point = self.points[maker]
        function, file, line = point.stack[-1] if point.stack else ("", "", 0)
        return {
            "position": at, "function": function, "file": file, "line": line, "before": before, "after": after,
            "call": point.call,
        }  # fmt: skip

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.state(at) for at in range(len(self.points)))


def diff(before: str, after: str, first: str = "as it came", second: str = "as it would leave") -> str:
    """Unified diff of two versions of a message."""
    lines = difflib.unified_diff(
        before.replace("\r\n", "\n").splitlines(),
        after.replace("\r\n", "\n").splitlines(),
        first,
        second,
        lineterm="",
        n=1,
    )
    return "\n".join(lines)


def _spot(point: Point) -> str:
    return f"{point.stack[-1][0]}:{point.stack[-1][2]}" if point.stack else "the end"


#: Compact forms of header field names (RFC 3261 7.3.3 and the extensions that have one).
_LONG = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "e": "content-encoding", "k": "supported", "s": "subject", "o": "event", "u": "allow-events", "r": "refer-to",
    "b": "referred-by", "x": "session-expires",
}  # fmt: skip
