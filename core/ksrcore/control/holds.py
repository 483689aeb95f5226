"""``ksr.hold.*``: holds and the messages they hold (docs/control-channel.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..debug.errors import DebugError
from ..debug.held import Held
from ..debug.holds import Holds
from . import errors, views
from .errors import ControlError

if TYPE_CHECKING:
    from ..debug.sandbox import Sandboxes
    from .server import Connection
    from .steps import Steps


#: Steps of released messages that are remembered.
_OVER = 16


class HoldMethods:
    """The methods over one proxy's holds. ``publish(event, params)`` tells the clients that asked for it."""

    def __init__(self, sandboxes: Sandboxes, steps: Steps, publish: Callable[[str, dict[str, Any]], None]) -> None:
        self.holds = Holds(sandboxes)
        self.steps = steps
        self.publish = publish
        self.holds.tell = self._tell
        self._over: deque[int] = deque()

    def table(self) -> dict[str, Callable[..., Any]]:
        return {
            "ksr.hold.arm": self.arm,
            "ksr.hold.list": self.armed,
            "ksr.hold.disarm": self.disarm,
            "ksr.hold.held": self.held,
            "ksr.hold.state": self.state,
            "ksr.hold.step": self.step,
            "ksr.hold.call": self.call,
            "ksr.hold.resume": self.resume,
            "ksr.hold.drop": self.drop,
            "ksr.hold.answer": self.answer,
        }

    def _tell(self, event: str, params: dict[str, Any]) -> None:
        if event == "released" and params["step"]:
            # It still says why it takes no orders, for a while.
            self._over.append(params["step"])
            if len(self._over) > _OVER:
                self.steps.drop(self._over.popleft())
        elif event == "held":
            held = self.holds.held.get(params["held"])
            if held is None:
                return  # released before anybody was told
            state = self.step(held.id)
            at = list(self.holds.held).index(held.id)
            params = {**params, "step": held.step, "state": state, "text": self.holds.line(held), "position": at}
        self.publish(event, params)

    # -- holds ----------------------------------------------------------------------------------------------------

    def arm(
        self,
        connection: Connection,
        where: str = "",
        if_: str = "",
        hits: int = 1,
        once: bool = False,
        timeout: float = 0.0,
        log: str = "",
        watch: str = "",
        keep: bool = False,
    ) -> dict[str, Any]:
        """Unless ``keep`` the hold ends with the client."""
        hold = self.holds.arm(
            where, if_=if_, hits=hits, once=once, timeout=timeout, log=log, watch=watch, keep=keep, owner=connection
        )
        connection.when_gone(self.holds.leave)
        return hold.view()

    def armed(self) -> list[dict[str, Any]]:
        return [hold.view() for hold in self.holds.armed.values()]

    def disarm(self, id: int) -> dict[str, Any]:
        return self.holds.disarm(id).view()

    # -- held messages --------------------------------------------------------------------------------------------

    def held(self) -> list[dict[str, Any]]:
        return [self.holds.view(held) for held in self.holds.held.values()]

    def state(self, held: int) -> dict[str, Any]:
        found = self.holds.get(held)
        return found.state() | {"step": found.step}

    def step(self, held: int) -> dict[str, Any]:
        """The held message as a step, for ``ksr.step.*``: one for each, whoever asks."""
        found = self.holds.get(held)
        state = found.state()
        if not found.step:
            entry = self.steps.add(found)
            found.step = entry.number
            found.publish = entry.publish
            entry.last = state
        state["step"] = found.step
        return state

    def call(self, held: int, name: str, args: list[Any]) -> dict[str, Any]:
        return self.call_on(self.holds.get(held), name, args)

    @staticmethod
    def call_on(held: Held, name: str, args: list[Any]) -> dict[str, Any]:
        """A KSR call on a held message, for real."""
        return ksr_call(lambda: held.call(name, tuple(args)))

    def resume(self, held: int) -> dict[str, Any]:
        self.holds.release(self.holds.get(held), "resumed")
        return {}

    def drop(self, held: int) -> dict[str, Any]:
        self.holds.drop(self.holds.get(held))
        return {}

    def answer(self, held: int, code: int, reason: str = "") -> dict[str, Any]:
        self.holds.answer(self.holds.get(held), code, reason)
        return {}

    def of_message(self, id: int) -> Held:
        """The held message of that id, for calls in its sandbox that are to be real. Raises :class:`DebugError`."""
        for held in self.holds.held.values():
            if held.of.record is not None and held.of.record.id == id:
                return held
        raise DebugError(f"message {id} is not held: KSR calls are real on a held message only, see hold(...)")

    def close(self) -> None:
        self.holds.close()


def ksr_call(call: Callable[[], Any]) -> dict[str, Any]:
    """The answer to a KSR call that a client makes on a message. Raises :class:`ControlError`."""
    try:
        return {"result": views.plain(call())}
    except SystemExit:
        # Only the caller's own code would end by it; drop() ends the script.
        return {"result": None, "exited": True}
    except DebugError:
        raise
    except Exception as error:
        raise ControlError(
            errors.USER_ERROR, f"{type(error).__name__}: {error}", {"type": type(error).__name__}
        ) from None
