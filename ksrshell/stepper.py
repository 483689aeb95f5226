"""Stepping through a callback of the script: with a captured message in a sandbox, with a held one, in a recording."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, cast

from .changes import Changes, Where, shown
from .effects import Diff, Effects
from .errors import KsrShellError, UsageError
from .messages import Calls
from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .messages import Message
    from .session import Session
    from .trace import Trace

#: Moves that look at what was seen before.
_LOOKS = ("back", "back_over", "back_out", "back_call", "first", "last", "goto", "forward")

#: Seconds for one step: it may run all of the script, with its waits.
STEP_TIMEOUT = 60.0


class Source(View):
    """The source around the current line: ``lines``, the number of the ``first``, the current ``line``."""

    def __init__(self, lines: list[str], first: int, line: int) -> None:
        self.lines = lines
        self.first = first
        self.line = line

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.source import window

        if not self.lines:
            return Text("no source: the run has ended")
        return window(self.lines, self.first, self.line)

    def to_json(self) -> Any:
        return {"lines": self.lines, "first": self.first, "line": self.line}


class State(View):
    """What is to be seen at one step of a run.

    ``done``, ``event`` (line, call, return, exception, end), ``where``, ``source``, ``locals`` (texts by name) and
    which of them ``changed``, ``stack``, ``calls``, ``effects``, ``diff``, ``watches``, ``result``, ``exception``;
    ``position`` of ``length`` steps that are recorded.
    """

    #: When a held message goes on by itself, on this machine's monotonic clock.
    until: float | None = None

    def __init__(self, message: Message, state: Mapping[str, Any]) -> None:
        self.message = message
        self._state = state

    @property
    def done(self) -> bool:
        return bool(self._state.get("done"))

    @property
    def live(self) -> bool:
        """Whether it is a message of the traffic, not a copy in a sandbox."""
        return bool(self._state.get("live"))

    @property
    def left(self) -> float | None:
        """Seconds until a held message goes on by itself, 0 when it has; None for what does not wait."""
        return None if self.until is None or self.done else max(0.0, self.until - time.monotonic())

    @property
    def event(self) -> str:
        return str(self._state.get("event") or "")

    @property
    def where(self) -> Where:
        state = self._state
        return Where(
            str(state.get("function") or state.get("callback") or ""),
            str(state.get("file") or ""),
            int(state.get("line") or 0),
        )

    @property
    def source(self) -> Source:
        state = self._state
        lines = [str(line) for line in state.get("source") or []]
        return Source(lines, int(state.get("first_line") or 1), int(state.get("line") or 0))

    @property
    def locals(self) -> dict[str, str]:
        """The local variables here, by name, as ``repr`` shows them."""
        return dict(self._state.get("locals") or {})

    @property
    def changed(self) -> list[str]:
        """The names of the locals that are new or different since the step before in this function."""
        return list(self._state.get("changed") or ())

    @property
    def frames(self) -> list[tuple[str, str, int]]:
        """The script's functions that are active, innermost first, each with its file and line."""
        frames = self._state.get("stack") or []
        return [(str(f["function"]), str(f.get("file") or ""), int(f["line"])) for f in reversed(frames)]

    @property
    def stack(self) -> list[tuple[str, int]]:
        """The script's functions that are active, innermost first, each with its line."""
        return [(function, line) for function, _, line in self.frames]

    @property
    def calls(self) -> Calls:
        """The KSR calls until here."""
        return Calls(self._state.get("calls") or [])

    @property
    def effects(self) -> Effects:
        """What the run would have sent and changed until here."""
        return Effects(self._state.get("effects") or {})

    @property
    def diff(self) -> Diff:
        """The message as it came against as it would leave now."""
        return self.effects.diff

    @property
    def watches(self) -> dict[str, Any]:
        """The pseudo-variables that are watched and their values here."""
        return {name: shown(value) for name, value in (self._state.get("watches") or {}).items()}

    @property
    def coming(self) -> str:
        """The KSR call that is about to be made, after ``next_call()``; else empty."""
        return str(self._state.get("call") or "")

    @property
    def result(self) -> str | None:
        """What the function (at a return) or the run (at the end) gave, as ``repr`` shows it."""
        result = self._state.get("result")
        return None if result is None else str(result)

    @property
    def exception(self) -> str | None:
        return self._state.get("exception") or None

    @property
    def note(self) -> str:
        """What is to be known about this state: that a run that was made again went another way, for one."""
        return str(self._state.get("note") or "")

    @property
    def position(self) -> int:
        """The number of this step, from 0."""
        return int(self._state.get("position") or 0)

    @property
    def length(self) -> int:
        """How many steps are recorded."""
        return int(self._state.get("length") or 1)

    @property
    def at_end(self) -> bool:
        """Whether this is the last recorded step: going on from here runs the script."""
        return bool(self._state.get("at_end", True))

    def __rich__(self) -> RenderableType:
        from .render.step import step_view

        return step_view(self)

    def to_json(self) -> Any:
        return dict(self._state)


class Moves(State):
    """A state that moves. Each move returns the object itself, which shows where it stands now.

    Forwards: ``next()`` over a line, ``into()`` and ``out()`` of script functions, ``next_call()`` to the next KSR
    call, ``to(line)``, ``forward()`` by the smallest step, ``finish()``. Backwards: ``back()`` line by line,
    ``back_over()`` functions, ``back_out()`` to the caller, ``back_call()`` to the KSR call before, ``first()``;
    ``goto(position)``, ``last()``. ``when("$du")``, ``when("a_local")`` and ``when(header="Route")`` say where it
    changed.
    """

    @abstractmethod
    def _move(self, op: str, line: int = 0) -> Mapping[str, Any]:
        """The state that the order leads to. Raises :class:`KsrShellError`."""

    @abstractmethod
    def _when(self, spec: str, header: str) -> Sequence[Mapping[str, Any]]:
        """Where that changed."""

    @abstractmethod
    def _ended(self) -> str:
        """What to do when the run has ended."""

    @property
    @abstractmethod
    def lines(self) -> list[str]:
        """All lines of the file it stands in."""

    @property
    def code_lines(self) -> list[int]:
        """The lines of that file on which a run can stop."""
        from ksrcore.debug.source import code_lines

        return code_lines(self.lines)

    def _do(self, op: str, line: int = 0) -> Self:
        self._state = self._move(op, line)
        return self

    def _go(self, op: str, line: int = 0) -> Self:
        if self.done:
            raise UsageError(f"the run has ended: {self._ended()}")
        return self._do(op, line)

    def next(self) -> Self:
        """To the next line of this function (or back in its caller, at its end)."""
        return self._go("next")

    def into(self) -> Self:
        """To the next line, also when it is in a function of the script that this line calls."""
        return self._go("into")

    def out(self) -> Self:
        """To the end of this function, back in its caller."""
        return self._go("out")

    def next_call(self) -> Self:
        """To the line that makes the next KSR call."""
        return self._go("next_call")

    def to(self, line: int) -> Self:
        """On to that line of the script's file."""
        return self._go("to", _number(line, "to() expects a line number of the script"))

    def forward(self, n: int = 1) -> Self:
        """One step on, or n: to the next line or KSR call, wherever it is."""
        return self._go("forward", _number(n, "forward() expects how many steps"))

    def finish(self) -> Self:
        """To the end of the run."""
        return self._go("finish")

    def back(self, n: int = 1) -> Self:
        """One line back, or n lines: also into functions that were called."""
        return self._do("back", _number(n, "back() expects how many lines"))

    def back_over(self, n: int = 1) -> Self:
        """One line back in this function, over what it called."""
        return self._do("back_over", _number(n, "back_over() expects how many lines"))

    def back_out(self) -> Self:
        """Back to the line that called this function."""
        return self._do("back_out")

    def back_call(self) -> Self:
        """Back to the KSR call before."""
        return self._do("back_call")

    def first(self) -> Self:
        """To the first step."""
        return self._do("first")

    def last(self) -> Self:
        """To the last step that is recorded."""
        return self._do("last")

    def goto(self, position: int) -> Self:
        """To the recorded step of that number, from 0; -1 is the last."""
        position = _number(position, "goto() expects the number of a step")
        if position < -self.length:
            raise UsageError(f"there is no step {position}: 0 to {self.length - 1} are recorded")
        return self._do("goto", position + self.length if position < 0 else position)

    def view(self) -> Self:
        """The debugger on the full screen, until ``q``: source, message, KSR calls, variables; ``?`` shows its keys."""
        from .debugger import view

        view(cast("Step", self))
        return self

    def when(self, what: str = "", *, header: str = "") -> Changes:
        """Where a pseudo-variable ("$du"), a local variable ("target") or a header (header="Route") changed."""
        if bool(what) == bool(header):
            raise UsageError('when() expects "$du", "a_local" or header="Route"')
        return Changes(what or header, self._when(what, header))


def _number(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what}, got {value!r}")
    return value


class Step(Moves):
    """A run that goes on, and back, when told to: ``next()`` over a line, ``into()`` and ``out()`` of script functions,
    ``next_call()`` to the next KSR call, ``to(line)``, ``finish()``; ``back()``, ``back_call()``, ``goto(position)``.
    Each returns the step itself, which shows where it stands.

    ``done``, ``event``, ``where``, ``source``, ``locals``, ``changed``, ``stack``, ``calls``, ``effects``, ``diff``,
    ``result``, ``exception``; ``pv("$ru")``, ``eval("expression")``, ``set("name", "expression")``, ``watch("$du")``,
    ``when("$du")``, ``trace()``.
    """

    def __init__(self, session: Session, message: Message, state: Mapping[str, Any]) -> None:
        super().__init__(message, state)
        self._session = session
        self._process = session.client.process
        self._id = int(state["step"])
        self._note = ""
        self._files: dict[str, list[str]] = {}
        #: A live run cannot be made again: the states it has shown are kept here, to look back on.
        self._seen: list[Mapping[str, Any]] = [state]

    def _call(self, method: str, **params: Any) -> Any:
        if self.live and not self.at_end and method != "ksr.step.do":
            raise UsageError("the live message has gone on from here: last() goes to where it stands")
        if self._session.client.process != self._process:
            raise UsageError(f"this step ended with the proxy's process: {self._again()}")
        return self._session.call(method, {"step": self._id, **params}, timeout=STEP_TIMEOUT)

    def _again(self) -> str:
        return f"step(msgs[{self.message.id}]) starts anew"

    def _ended(self) -> str:
        return self._again() if self.live else f"back() goes back in it, {self._again()}"

    def _move(self, op: str, line: int = 0) -> Mapping[str, Any]:
        self._note = ""
        if self.live and (op in _LOOKS or op in ("next", "into") and not self.at_end):
            return self._look(op, line)
        state: dict[str, Any] = self._call("ksr.step.do", op=op, **({"line": line} if line else {}))
        if self.live:
            self._seen.append(state)
            return self._look("last", 0)
        return state

    def _look(self, op: str, line: int) -> Mapping[str, Any]:
        """Another of the states that a live run has shown; what it did is done."""
        last = len(self._seen) - 1
        at = {"first": 0, "last": last, "goto": line, "back": self.position - max(1, line), "back_call": None}.get(
            op, self.position + max(1, line if op == "forward" else 1)
        )
        if at is None or op in ("back_over", "back_out"):
            raise UsageError("of a live message only the stops are kept: back() goes to the stop before")
        if not 0 <= at <= last:
            where = "the first stop" if at < 0 else "where it stands: next() goes on"
            raise UsageError(f"this is {where}" if op != "goto" else f"there are stops 0 to {last}, no {at}")
        return {**self._seen[at], "position": at, "length": last + 1, "at_end": at == last}

    def _when(self, spec: str, header: str) -> Sequence[Mapping[str, Any]]:
        answer = self._call("ksr.step.when", **({"spec": spec} if spec else {"header": header}))
        self._note = str(answer.get("note") or "")
        changes: list[dict[str, Any]] = answer["changes"]
        return changes

    @property
    def note(self) -> str:
        return self._note or super().note

    @property
    def lines(self) -> list[str]:
        file = self.where.file
        if not file:
            return []
        if file not in self._files:
            self._files[file] = list(self._session.call("ksr.source", {"file": file})["lines"])
        return self._files[file]

    def close(self) -> None:
        """Give the run up. What it did stays in its sandbox and goes with it."""
        with suppress(KsrShellError):
            self._call("ksr.step.close")
        self._state = {**self._state, "done": True}

    def pv(self, name: str) -> str | int | None:
        """The value of a pseudo-variable here."""
        answer = self._call("ksr.step.pv", name=name)
        self._note = str(answer.get("note") or "")
        value: str | int | None = answer["value"]
        return unwire(value) if isinstance(value, str) else value

    def eval(self, expression: str) -> str:
        """An expression with the local variables here, as ``repr`` shows its value."""
        answer = self._call("ksr.step.eval", expr=expression)
        self._note = str(answer.get("note") or "")
        return str(answer["repr"])

    def set(self, name: str, expression: str) -> str:
        """Give a local variable or a pseudo-variable the value of a Python expression; ``repr`` of that value.

        In the past that is the beginning of another future: what was recorded after this step is gone.
        """
        if not isinstance(expression, str):
            raise UsageError(f'set() expects an expression as text, such as set("{name}", "{expression!r}")')
        answer = self._call("ksr.step.set", name=name, expr=expression)
        self._note = str(answer.get("note") or "")
        if "state" in answer:
            self._state = answer["state"]
        return str(answer["repr"])

    def watch(self, name: str) -> Self:
        """Show a pseudo-variable at every step: ``watch("$du")``."""
        self._state = self._call("ksr.step.watch", spec=name)
        return self

    def unwatch(self, name: str) -> Self:
        """Do not show it any more."""
        self._state = self._call("ksr.step.watch", spec=name, on=False)
        return self

    def trace(self) -> Trace:
        """What is recorded so far, to look at as a whole or to save."""
        from .trace import fetch

        return fetch(self._session, self.message, self._id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
