"""HEP in and out of a proxy: messages of others enter its recorder, its own are mirrored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .capture.captured import Captured
from .capture.foreign import captured, insert
from .capture.parties import Parties

if TYPE_CHECKING:
    from .capture.recorder import Record
    from .net.hep import HepListener, HepSender
    from .proxy import Proxy


def collect(proxy: Proxy, listener: HepListener) -> None:
    """Let what comes to the listener enter the recorder, flagged; it is not routed.

    Whose messages they are is told per sender, by its traffic: the address that both receives and sends most.
    """
    parties: dict[str, Parties] = {}

    def take(message: Captured, sender: str) -> None:
        if sender not in parties and len(parties) >= 256:
            parties.pop(next(iter(parties)))
        known = parties.setdefault(sender, Parties())
        known.count(message)
        # What is between others (a mirrored switch port) came in for neither: it is shown as received.
        insert(proxy, message, f"HEP from {sender}", out=bool(known.direction(message)))

    listener.on_message = take


def mirroring(proxy: Proxy, sender: HepSender) -> Callable[[Record], None]:
    """What mirrors a new record: those of our own wire."""

    def mirror(record: Record) -> None:
        if record.origin:
            return
        sender.send(captured(record, proxy.pick_listen), _callid(record.data))

    return mirror


def _callid(text: str) -> str:
    """The Call-ID, '' when it is not where nearly everybody writes it: Homer looks itself then."""
    at = text.find("\nCall-ID:")
    if at < 0:
        return ""
    return text[at + 9 : text.find("\n", at + 1)].strip()
