"""What goes along with dialogs: what the script says of a message's dialog, and when dialogs time out."""

from __future__ import annotations

import logging
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final

from .dialog_cell import Dialog, Key

if TYPE_CHECKING:
    from ..sip.message import SipMessage
    from .dialog_calls import DialogCalls

__all__ = ["NAME", "Context", "Lifetimes", "context"]

log = logging.getLogger("ksrcore.dialog")

#: The key of ``msg.extra`` and of ``Transaction.extra``.
NAME: Final = "dialog"


class Context:
    """What the script said of a message's dialog, also before there is one. Kept with the message."""

    __slots__ = (
        "dir", "fresh", "iflags", "key", "on", "profiles", "routed", "sflags", "timeout", "timeout_bye",
        "timeout_route", "variables",
    )  # fmt: skip

    def __init__(self) -> None:
        self.key: Key | None = None
        self.on = self.dir = self.sflags = self.iflags = self.timeout = self.timeout_bye = 0
        self.timeout_route = ""
        #: A dialog was made that no transaction carries yet.
        self.fresh = False
        #: The message is a request within a dialog: 1, or 2 when it ended it.
        self.routed = 0
        self.profiles: list[tuple[str, str]] = []
        self.variables: dict[str, str] = {}


def context(msg: SipMessage) -> Context:
    """That of the message, made when there is none."""
    found = msg.extra.get(NAME)
    if not isinstance(found, Context):
        found = msg.extra[NAME] = Context()
    return found


class Lifetimes:
    """When dialogs time out: a timer source of the proxy. A time that moves later costs nothing until it fires."""

    def __init__(self, calls: DialogCalls) -> None:
        self.calls = calls
        self.next = inf
        self._heap: list[tuple[float, Key]] = []

    def set(self, dialog: Dialog, deadline: float) -> None:
        """``deadline``: monotonic seconds."""
        if not dialog.deadline:
            dialog.refs += 1
        dialog.deadline = deadline
        if not dialog.queued or deadline < dialog.queued:
            dialog.queued = deadline
            heap = self._heap
            if len(heap) > 1000 and len(heap) > 4 * len(self.calls.table):
                # Calls end long before their time: drop what is left of them.
                dialogs = self.calls.table.dialogs
                heap[:] = [entry for entry in heap if entry[1] in dialogs]
                heapify(heap)
            heappush(heap, (deadline, dialog.key))
            self.next = heap[0][0]

    def stop(self, dialog: Dialog) -> None:
        if dialog.deadline:
            dialog.deadline = 0.0
            dialog.refs -= 1

    def advance(self, now: float) -> None:
        heap = self._heap
        debugger = self.calls.proxy.debugger
        while heap and heap[0][0] <= now:
            at, key = heappop(heap)
            dialog = self.calls.table.get(key)
            if dialog is None or dialog.queued != at:
                continue
            dialog.queued = 0.0
            if not dialog.deadline:
                continue
            if dialog.deadline > now:
                self.set(dialog, dialog.deadline)
                continue

            def expired(dialog: Dialog = dialog) -> None:
                self.calls.expired(dialog)

            try:
                if debugger is None or not debugger.enter(None, expired, "dialog timeout"):
                    expired()
            except Exception:
                log.exception("dialog timeout failed")
        self.next = heap[0][0] if heap else inf
