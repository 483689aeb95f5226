"""Live holds at the prompt: ``hold(...)``, ``holds``, and ``held``, the messages that wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from .errors import KsrShellError, NotFound, UsageError
from .ksr import Ksr
from .messages import Message
from .stepper import STEP_TIMEOUT, Source, Step
from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session


#: Lines of logpoints shown in a second.
LOGS = 10
#: Messages that wait and are told one by one, and how many that went on by themselves are told in a second.
TOLD, WENT_ON = 5, 3


class Hold(View):
    """An armed hold: ``id``, ``where``, ``if_``, ``hits``, ``held`` (how many messages it has held), ``log``,
    ``watch``, as they were when it was asked for. ``disarm()`` takes it back."""

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._session = session
        self._data = dict(data)
        self.id = int(data["id"])
        self.where = str(data["at"])
        self.if_ = str(data["if"])
        self.hits = int(data["hits"])
        self.held = int(data["held"])
        self.log = str(data["log"])
        self.watch = str(data["watch"])

    def disarm(self) -> Hold:
        """Take it back. What it holds stays held until it is resumed, or its time is over."""
        self._data = self._session.call("ksr.hold.disarm", {"id": self.id})
        return self

    def __rich__(self) -> RenderableType:
        from .render.holds import holds_table

        return holds_table([self])

    def to_json(self) -> Any:
        return dict(self._data)


class Holds(View, Mapping[int, Hold]):
    """The armed holds by their numbers, as they are at the moment of asking: ``holds``, ``holds[1].disarm()``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _all(self) -> dict[int, Hold]:
        return {int(each["id"]): Hold(self._session, each) for each in self._session.call("ksr.hold.list")}

    def __getitem__(self, number: int) -> Hold:
        found = self._all()
        if number not in found:
            raise NotFound(f"no hold {number!r} is armed; armed: {', '.join(map(str, found)) or 'none'}")
        return found[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __rich__(self) -> RenderableType:
        from .render.holds import holds_table

        return holds_table(list(self._all().values()))

    def to_json(self) -> Any:
        return [hold.to_json() for hold in self._all().values()]


class Disarmed(View, tuple[Hold, ...]):
    """What ``unhold()`` took back, with what each had met."""

    __slots__ = ()
    __repr__ = View.__repr__

    def __rich__(self) -> RenderableType:
        from .render.holds import holds_table

        return holds_table(self, "no hold was armed")

    def to_json(self) -> Any:
        return [hold.to_json() for hold in self]


class Held(View):
    """A live message that waits. Everything here is real: it changes what happens to the call.

    ``step()`` walks on with it; ``KSR.hdr.append(...)`` and its kin act on it; ``locals``, ``set(name, expression)``,
    ``pv("$ru")``, ``eval(expression)``; ``resume()``, ``drop()``, ``answer(486, "Busy Here")`` end its wait. ``left``
    is how many seconds it waits at most.
    """

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._session = session
        self._process = session.client.process
        self._data = dict(data)
        self.id = int(data["held"])
        self.hold = int(data["hold"])
        self.message = Message(session, data.get("summary") or {"id": data.get("message") or 0})
        self.function = str(data["function"])
        self.file = str(data["file"])
        self.line = int(data["line"])
        self.why = str(data["why"])
        #: What waits behind it, in order: "CANCEL alice -> bob", "180 to INVITE".
        self.waiting: list[str] = list(data.get("waiting") or ())
        self.until = time.monotonic() + float(data["left"])
        self.KSR = Ksr(session, self._ksr)

    def _call(self, method: str, **params: Any) -> Any:
        if self._session.client.process != self._process:
            raise UsageError(f"held {self.id} ended with the proxy's process")
        return self._session.call(method, {"held": self.id, **params}, timeout=STEP_TIMEOUT)

    def _ksr(self, name: str, args: tuple[Any, ...], live: bool = True) -> Any:
        try:
            return self._call("ksr.hold.call", name=name, args=list(args))["result"]
        except TypeError as error:
            if isinstance(error, KsrShellError):
                raise
            raise UsageError(f"KSR.{name}: arguments are numbers and text, got {args!r}") from None

    @property
    def left(self) -> float:
        return max(0.0, self.until - time.monotonic())

    @property
    def state(self) -> dict[str, Any]:
        """Where it stands, whole (docs/control-channel.md)."""
        state: dict[str, Any] = self._call("ksr.hold.state")
        return state

    @property
    def locals(self) -> dict[str, str]:
        """The local variables where it stands, by name, as ``repr`` shows them."""
        return dict(self.state["locals"])

    @property
    def source(self) -> Source:
        state = self.state
        return Source(list(state["source"]), int(state["first_line"]), int(state["line"]))

    def step(self) -> Step:
        """Walk on with it, line by line: ``s = held[0].step(); s.next()``. ``s.finish()`` lets it go."""
        step = Step(self._session, self.message, self._call("ksr.hold.step"))
        step.until = self.until
        return step

    def view(self) -> Step:
        """:meth:`step` on the whole screen."""
        return self.step().view()

    def _step_id(self) -> int:
        return int(self._call("ksr.hold.step")["step"])

    def set(self, name: str, expression: str) -> str:
        """Give a local variable, or a pseudo-variable (``$du``), the value of a Python expression."""
        params = {"step": self._step_id(), "name": name, "expr": expression}
        return str(self._session.call("ksr.step.set", params)["repr"])

    def eval(self, expression: str) -> str:
        """A Python expression where it stands, as ``repr`` shows its value."""
        return str(self._session.call("ksr.step.eval", {"step": self._step_id(), "expr": expression})["repr"])

    def pv(self, name: str) -> str | int | None:
        """The value of a pseudo-variable as it is now."""
        value: str | int | None = self._session.call("ksr.step.pv", {"step": self._step_id(), "name": name})["value"]
        return unwire(value) if isinstance(value, str) else value

    def edit(
        self,
        *,
        ru: str = "",
        du: str = "",
        append: Mapping[str, str] | None = None,
        replace: Mapping[str, str] | None = None,
        remove: str | Sequence[str] = (),
    ) -> Held:
        """Change the message: its Request-URI and destination, header fields by name.

        ``held[0].edit(du="sip:10.0.0.9", append={"X-Why": "test"}, remove="Subject")``; the calls of ``KSR`` that do it
        are kept with the message's other calls.
        """
        if ru:
            self._ksr("seturi", (ru,))
        if du:
            self._ksr("setdsturi", (du,))
        for name in [remove] if isinstance(remove, str) else remove:
            self._ksr("hdr.remove", (name,))
        for name, body in (replace or {}).items():
            self._ksr("hdr.remove", (name,))
            self._ksr("hdr.append", (f"{name}: {body}\r\n",))
        for name, body in (append or {}).items():
            self._ksr("hdr.append", (f"{name}: {body}\r\n",))
        return self

    def resume(self) -> None:
        """Let it go on as usual."""
        self._call("ksr.hold.resume")

    def drop(self) -> None:
        """Forget it: its script ends here, nothing is answered or sent on, and its transaction goes."""
        self._call("ksr.hold.drop")

    def answer(self, code: int, reason: str = "") -> None:
        """Answer the request with a final reply, 200 to 699; its script ends here."""
        self._call("ksr.hold.answer", code=code, reason=reason)

    def __rich__(self) -> RenderableType:
        from .render.holds import held_view

        return held_view(self)

    def to_json(self) -> Any:
        return dict(self._data)


class HeldList(View, Sequence[Held]):
    """The messages held at the moment of asking, the one that waits longest first: ``held[0]``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _all(self) -> list[Held]:
        return [Held(self._session, each) for each in self._session.call("ksr.hold.held")]

    @overload
    def __getitem__(self, index: int) -> Held: ...
    @overload
    def __getitem__(self, index: slice) -> list[Held]: ...
    def __getitem__(self, index: int | slice) -> Held | list[Held]:
        found = self._all()
        try:
            return found[index]
        except IndexError:
            raise NotFound(
                f"held[{index}]: {len(found) or 'no'} message{'' if len(found) == 1 else 's'} held; "
                "hold('ksr_route_relay') holds the next one"
            ) from None

    def __len__(self) -> int:
        return len(self._all())

    def __rich__(self) -> RenderableType:
        from .render.holds import held_table

        return held_table(self._all())

    def to_json(self) -> Any:
        return [held.to_json() for held in self._all()]


class HoldNews:
    """Lines above the prompt: a message is held; it was let go by something else than the user; a logpoint's text.

    ``short``: something stands in front of the lines.
    """

    def __init__(self, notice: Callable[[str, str], None], short: bool = False) -> None:
        self._notice = notice
        self._step = "" if short else ".step()"
        self._lines: dict[str, tuple[int, int]] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "held":
            position = int(event.get("position") or 0)
            if position < TOLD:
                left = f"{float(event.get('left') or 0):.0f} s"
                self._notice(f"{event.get('text')} · held[{position}]{self._step} · {left}", "cyan")
            elif position == TOLD:
                self._some("waiting", 1, "held: more wait, held lists them; hold(..., if_=...) picks", "cyan")
        elif kind == "released" and event.get("reason") not in ("resumed", "dropped", "answered"):
            after = f"{float(event.get('seconds') or 0):.1f} s"
            text = f"held {event.get('held')} went on after {after}: {event.get('reason')}"
            self._some("held", WENT_ON, text, "yellow", "went on")
        elif kind == "log":
            # The proxy's log has all.
            text = f"log {event.get('hold')} at {event.get('place')}: {event.get('text')}"
            self._some("log", LOGS, text, "cyan", "lines")

    def _some(self, kind: str, limit: int, text: str, style: str, what: str = "") -> None:
        """At most ``limit`` lines of a kind in a second; how many more there were, if there is a word for it."""
        now = int(time.monotonic())
        second, count = self._lines.get(kind, (now, 0))
        if now != second:
            if count > limit and what:
                self._notice(f"{kind}: {count - limit} more {what}", "bright_black")
            count = 0
        self._lines[kind] = (now, count + 1)
        if count < limit:
            self._notice(text, style)


def arm(session: Session, where: Any, params: dict[str, Any]) -> Hold:
    """``hold(...)`` with what the user gave for a place. Raises :class:`UsageError`."""
    if isinstance(where, int) and not isinstance(where, bool):
        where = str(where)
    elif callable(where):
        where = getattr(where, "path", None) or getattr(where, "__name__", "")
    if not isinstance(where, str):
        raise UsageError(f"hold() expects a function's name, a line, 'KSR.tm.t_relay' or 'exception', got {where!r}")
    return Hold(session, session.call("ksr.hold.arm", {"where": where, **params}))
