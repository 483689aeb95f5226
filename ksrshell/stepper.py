"""Stepping through a callback of the script with a captured message, in a sandbox of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from .effects import Diff, Effects
from .errors import KsrShellError, UsageError
from .messages import Calls
from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .messages import Message
    from .session import Session

#: Seconds for one step: it may run all of the script, with its waits.
STEP_TIMEOUT = 60.0


class Where(View):
    """Where a step stands: ``function``, ``file``, ``line`` (0 after the end of the run)."""

    def __init__(self, function: str, file: str, line: int) -> None:
        self.function = function
        self.file = file
        self.line = line

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        if not self.line:
            return Text(f"{self.function}: the run has ended")
        return Text(f"{self.function}, line {self.line} of {self.file}")

    def to_json(self) -> Any:
        return {"function": self.function, "file": self.file, "line": self.line}


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


class Step(View):
    """A run that goes on when told to: ``next()`` over a line, ``into()`` and ``out()`` of script functions,
    ``next_call()`` to the next KSR call, ``to(line)``, ``finish()``. Each returns the step itself, which shows where
    it stands.

    ``done``, ``event`` (line, call, return, exception, end), ``where``, ``source``, ``locals`` (texts by name),
    ``stack``, ``calls``, ``effects``, ``diff``, ``result``, ``exception``; ``pv("$ru")``, ``eval("expression")``.
    """

    def __init__(self, session: Session, message: Message, state: Mapping[str, Any]) -> None:
        self._session = session
        self._process = session.client.process
        self.message = message
        self._state = state
        self._id = int(state["step"])

    def _call(self, method: str, **params: Any) -> Any:
        if self._session.client.process != self._process:
            raise UsageError(f"this step ended with the proxy's process: step(msgs[{self.message.id}]) starts anew")
        return self._session.call(method, {"step": self._id, **params}, timeout=STEP_TIMEOUT)

    def _do(self, op: str, **params: Any) -> Self:
        if self.done:
            raise UsageError(f"the run has ended: step(msgs[{self.message.id}]) starts anew")
        self._state = self._call("ksr.step.do", op=op, **params)
        return self

    def next(self) -> Self:
        """To the next line of this function (or back in its caller, at its end)."""
        return self._do("next")

    def into(self) -> Self:
        """To the next line, also when it is in a function of the script that this line calls."""
        return self._do("into")

    def out(self) -> Self:
        """To the end of this function, back in its caller."""
        return self._do("out")

    def next_call(self) -> Self:
        """To the line that makes the next KSR call."""
        return self._do("next_call")

    def to(self, line: int) -> Self:
        """On to that line of the script's file."""
        if not isinstance(line, int) or isinstance(line, bool):
            raise UsageError(f"to() expects a line number of the script, got {line!r}")
        return self._do("to", line=line)

    def finish(self) -> Self:
        """To the end of the run."""
        return self._do("finish")

    def close(self) -> None:
        """Give the run up. What it did stays in its sandbox and goes with it."""
        with suppress(KsrShellError):
            self._call("ksr.step.close")
        self._state = {**self._state, "done": True}

    @property
    def done(self) -> bool:
        return bool(self._state.get("done"))

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
    def stack(self) -> list[tuple[str, int]]:
        """The script's functions that are active, innermost first, each with its line."""
        frames = self._state.get("stack") or []
        return [(str(frame["function"]), int(frame["line"])) for frame in reversed(frames)]

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

    def pv(self, name: str) -> str | int | None:
        """The value of a pseudo-variable here."""
        value: str | int | None = self._call("ksr.step.pv", name=name)["value"]
        return unwire(value) if isinstance(value, str) else value

    def eval(self, expression: str) -> str:
        """An expression with the local variables here, as ``repr`` shows its value."""
        return str(self._call("ksr.step.eval", expr=expression)["repr"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __rich__(self) -> RenderableType:
        from .render.step import step_view

        return step_view(self)

    def to_json(self) -> Any:
        return dict(self._state)
