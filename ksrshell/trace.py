"""Whole runs, recorded: looked at step by step or as a whole, saved to files, opened without a proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from ksrcore.debug.errors import DebugError
from ksrcore.debug.recording import Recording
from ksrcore.debug.tracefile import TraceError, build, load, save

from .changes import Changes
from .effects import Diff, Effects
from .errors import KsrShellError, NotFound, UsageError
from .messages import Calls, Message
from .stepper import STEP_TIMEOUT, Moves, State
from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session


class Replay(Moves):
    """A step through a recording: it moves as a step does, and runs nothing."""

    def __init__(self, message: Message, recording: Recording, position: int = 0) -> None:
        self._recording = recording
        self._position = position
        #: The pseudo-variables that are watched, of those that the recording has.
        self._shown: list[str] = []
        super().__init__(message, recording.state(position, ()))

    def _ended(self) -> str:
        return "back() goes back in it"

    def _move(self, op: str, line: int = 0) -> Mapping[str, Any]:
        recording = self._recording
        try:
            target = recording.move(self._position, op, line)
        except DebugError as error:
            raise UsageError(str(error).replace(", step(m) starts it again", "")) from None
        if target is None:
            raise UsageError("the recording ends before that: last() goes to its last step")
        self._position = target
        return recording.state(target, self._shown)

    def _when(self, spec: str, header: str) -> Sequence[Mapping[str, Any]]:
        return when(self._recording, spec, header)

    @property
    def lines(self) -> list[str]:
        return self._recording.sources.get(self.where.file, [])

    def pv(self, name: str) -> str | int | None:
        """The value of a pseudo-variable here, of those that the recording has."""
        if name not in self._recording.watches:
            raise _needs_proxy(f"{name} is not in the recording, which has {', '.join(self._recording.watches)}")
        value: str | int | None = self._recording.watches[name][self._position]
        return unwire(value) if isinstance(value, str) else value

    def eval(self, expression: str) -> str:
        """The value of a local variable, as it was shown; a recording runs no code."""
        if expression not in self.locals:
            raise _needs_proxy(f"a recording has the values of {', '.join(self.locals) or 'no variables'} here only")
        return self.locals[expression]

    def set(self, name: str, expression: str) -> str:
        raise _needs_proxy("nothing can be set in a recording")

    def watch(self, name: str) -> Self:
        """Show a pseudo-variable at every step, of those that the recording has."""
        self.pv(name)
        if name not in self._shown:
            self._shown.append(name)
        self._state = self._recording.state(self._position, self._shown)
        return self

    def unwatch(self, name: str) -> Self:
        """Do not show it any more."""
        if name not in self._shown:
            raise UsageError(f"{name} is not watched")
        self._shown.remove(name)
        self._state = self._recording.state(self._position, self._shown)
        return self

    def close(self) -> None:
        """Nothing runs: there is nothing to give up."""


def _needs_proxy(why: str) -> UsageError:
    return UsageError(f"{why}: that needs a proxy that runs the script")


def when(recording: Recording, spec: str, header: str) -> list[dict[str, Any]]:
    try:
        if header:
            return recording.when_header(header)
        if spec.startswith("$"):
            if spec not in recording.watches:
                raise _needs_proxy(f"{spec} is not in the recording, which has {', '.join(recording.watches)}")
            return recording.when_watch(spec)
        return recording.when_local(spec)
    except DebugError as error:
        raise UsageError(str(error)) from None


class Trace(View, Sequence[State]):
    """A recorded run: ``t[i]`` is what was to be seen at step i, ``len(t)`` how many there are.

    ``show()`` lists the lines that ran; ``when("$du")``, ``when("a_local")``, ``when(header="Route")``; ``calls``;
    ``diff(i, j)`` of the message between two steps; ``save("x.ksr")``. ``next()``, ``back()``, ``goto(i)`` and all that
    steps have move in it.
    """

    def __init__(
        self, message: Message, recording: Recording, *, session: Session | None = None, step: int | None = None
    ) -> None:
        self.message = message
        self.recording = recording
        self._session = session
        self._process = session.client.process if session is not None else -1
        self._step = step
        self.replay = Replay(message, recording)

    @overload
    def __getitem__(self, index: int) -> State: ...
    @overload
    def __getitem__(self, index: slice) -> list[State]: ...
    def __getitem__(self, index: int | slice) -> State | list[State]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if not isinstance(index, int) or not -len(self) <= index < len(self):
            raise NotFound(f"no step {index!r}: there are 0 to {len(self) - 1}")
        return State(self.message, self.recording.state(index % len(self)))

    def __len__(self) -> int:
        return len(self.recording)

    def __iter__(self) -> Iterator[State]:
        return (self[at] for at in range(len(self)))

    @property
    def callback(self) -> str:
        return str(self.recording.meta["callback"])

    @property
    def calls(self) -> Calls:
        """All KSR calls of the run."""
        return Calls(self.recording.calls)

    @property
    def result(self) -> str | None:
        return self[-1].result

    @property
    def effects(self) -> Effects:
        """What the whole run would have sent and changed."""
        return self[-1].effects

    def diff(self, i: int = 0, j: int = -1) -> Diff:
        """The message as it would have left at step i against step j."""
        from ksrcore.debug.recording import diff

        one, two = (self.recording.points[self[at].position] for at in (i, j))
        texts = self.recording.texts
        return Diff(diff(texts[one.text], texts[two.text], f"step {self[i].position}", f"step {self[j].position}"))

    def when(self, what: str = "", *, header: str = "") -> Changes:
        """Where a pseudo-variable ("$du"), a local variable ("target") or a header (header="Route") changed."""
        if (
            what.startswith("$")
            and what not in self.recording.watches
            and self._session is not None
            and self._session.client.process == self._process
        ):
            params = {"step": self._step, "spec": what}
            return Changes(what, self._session.call("ksr.step.when", params, timeout=STEP_TIMEOUT)["changes"])
        return self.replay.when(what, header=header)

    def show(self, first: int = 0, last: int | None = None) -> Lines:
        """The steps as one line each, from ``first`` on."""
        return Lines(self, first, len(self) if last is None else last)

    def save(self, path: str | Path) -> Path:
        """Write it to a file (.ksr) that ``ksrshell open`` shows, here or elsewhere. It has all of the message."""
        target = Path(path).expanduser()
        if not target.suffix:
            target = target.with_suffix(".ksr")
        try:
            save(self.recording, target)
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror or error}") from None
        return target

    def __getattr__(self, name: str) -> Any:
        # next, back, goto ... and what is to be seen where they lead: those of the step in it.
        if name.startswith("_") or not hasattr(Replay, name):
            raise AttributeError(f"a trace has no {name!r}")
        return getattr(self.replay, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(Replay) if not name.startswith("_"))})

    def __rich__(self) -> RenderableType:
        from .render.step import trace_view

        return trace_view(self)

    def to_json(self) -> Any:
        return [state.to_json() for state in self]


class Lines(View):
    """The steps of a trace, one line each."""

    def __init__(self, trace: Trace, first: int, last: int) -> None:
        self.trace = trace
        self.first = max(0, first)
        self.last = min(last, len(trace))

    def __rich__(self) -> RenderableType:
        from .render.step import trace_lines

        return trace_lines(self)

    def to_json(self) -> Any:
        return [state.to_json() for state in self.trace[self.first : self.last]]


def fetch(session: Session, message: Message, step: int) -> Trace:
    """The recording of a step, as the proxy has it."""
    values: list[Any] = []
    after = 0
    while True:
        part = session.call("ksr.step.recording", {"step": step, "after": after}, timeout=STEP_TIMEOUT)
        values += part["items"]
        after = int(part["next"])
        if not after:
            break
    try:
        return Trace(message, build(values), session=session, step=step)
    except TraceError as error:
        raise KsrShellError(f"the proxy's recording cannot be read: {error}") from None


def open_trace(path: Path, session: Session) -> Trace:
    """The trace in a file. Raises :class:`UsageError` with one line."""
    try:
        recording = load(path)
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror or error}") from None
    except TraceError as error:
        raise UsageError(f"cannot open {path}: {error}") from None
    return Trace(_message(session, recording), recording)


def _message(session: Session, recording: Recording) -> Message:
    """The message of a recording as messages are shown. What is not in the file cannot be asked for."""
    from ksrcore.capture.recorder import Record
    from ksrcore.control.views import summary
    from ksrcore.net.address import Listen, Rcv

    meta = recording.meta
    src, dst = _address(meta.get("src")), _address(meta.get("dst"))
    proto = str(meta.get("proto") or "udp")
    time = meta.get("time")
    seconds = float(time) if isinstance(time, int | float) else 0.0
    rcv = Rcv(proto, *src, *dst, Listen(proto, *dst), 0)
    record = Record(int(meta["message"]), seconds, rcv, recording.original, bool(meta.get("out")))
    return Message(session, summary(record))


def _address(value: Any) -> tuple[str, int]:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return value[0], value[1]
    return "", 0
