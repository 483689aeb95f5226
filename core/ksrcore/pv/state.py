"""The variables that travel with a message and then with its transaction: avps, xavps, xavus, xavis."""

from __future__ import annotations

from typing import Any


class Avps:
    """AVP lists of one message or transaction; created empty for every message, so each list waits until used."""

    __slots__ = ("avp", "xavp", "xavu", "xavi")

    def __init__(self) -> None:
        self.avp: dict[Any, Any] | None = None
        self.xavp: dict[str, Any] | None = None
        self.xavu: dict[str, Any] | None = None
        self.xavi: dict[str, Any] | None = None
