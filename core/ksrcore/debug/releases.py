"""How a held message goes on: released, dropped, answered, after its time; and how it is shown meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..sip.reasons import reason_for
from . import ending
from .errors import DebugError
from .held import Held, Live
from .titles import title_of
from .tracer import Order

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["Releases"]

log = logging.getLogger("ksrcore.hold")

#: Notes about messages that are remembered.
_KEPT = 10_000


class Releases:
    """A part of :class:`~ksrcore.debug.holds.Holds`."""

    proxy: Proxy
    held: dict[int, Held]
    notes: dict[int, list[str]]
    _active: Live | None
    _outbox: list[tuple[str, dict[str, Any]]]

    def _attach(self) -> None:
        raise NotImplementedError

    def go_on(self, live: Live, order: Order) -> None:
        raise NotImplementedError

    # -- while it is held -----------------------------------------------------------------------------------------

    def _expired(self, held: Held) -> None:
        if not held.released:
            self.release(held, "timeout")

    def release(self, held: Held, reason: str, why_ending: str = "") -> None:
        """Let a held message go. ``why_ending``: its script ends where it is. Raises :class:`DebugError`."""
        with self.proxy.lock:
            live = held.of
            if held.released or live.task is None:
                raise DebugError(f"held {held.id} waits no more: {held.released}")
            if self._active is not None:
                raise DebugError("another message is being processed at this moment")
            live.ending = why_ending
            live.held = None
            self._close(held, reason)
            if live.task.outside:
                self._attach()
            else:
                self.go_on(live, ("finish", 0))

    def _close(self, held: Held, reason: str) -> None:
        live = held.of
        view = self.view(held)
        held.released = reason
        if held.timer is not None:
            held.timer.cancel()
        self.held.pop(held.id, None)
        seconds = self.proxy.wall() - held.since
        note = f"held {held.id} at {held.at[0]}:{held.at[2]} for {seconds:.1f} s: {reason}"
        if live.record is not None and live.record.id:
            if len(self.notes) >= _KEPT:
                self.notes.clear()
            self.notes.setdefault(live.record.id, []).append(note)
        level = logging.WARNING if reason == "timeout" else logging.INFO
        log.log(level, "message %d was %s", view["message"], note)
        self._outbox.append(("released", {**view, "reason": reason, "seconds": seconds}))

    # -- how the user ends it -------------------------------------------------------------------------------------

    def drop(self, held: Held) -> None:
        """Forget the message: nothing is sent for it. Raises :class:`DebugError`."""
        with self.proxy.lock:
            with held.acting() as run:
                ending.drop(self.proxy, run)
            self.release(held, "dropped", "drop")

    def answer(self, held: Held, code: int, reason: str) -> None:
        """Answer the request with a final reply; its script ends. ``reason``: '' for the usual one. Raises
        :class:`DebugError`."""
        if not 200 <= code <= 699:
            raise DebugError(f"answer() sends a final reply, 200 to 699, got {code}; KSR.sl.send_reply() sends any")
        with self.proxy.lock:
            with held.acting() as run:
                ending.answer(self.proxy, run, code, reason or reason_for(code))
            self.release(held, "answered", "answer")

    # -- how it is shown ------------------------------------------------------------------------------------------

    def view(self, held: Held) -> dict[str, Any]:
        from ..control import views

        record = held.of.record
        shown = {"summary": views.summary(record)} if record is not None else {"summary": None}
        return held.view() | shown

    def line(self, held: Held) -> str:
        """``held 1: INVITE alice -> bob at ksr_route_relay:118``."""
        view = held.view()
        msg = held.of.msg
        what = title_of(msg) if msg is not None else "event"
        return f"held {held.id}: {what} at {view['function']}:{view['line']}"
