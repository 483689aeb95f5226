"""The calls that dispatcher's algorithm 10 counts: by Call-ID, the destination each was sent to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .dispatcher_list import Destination

if TYPE_CHECKING:
    from .dispatcher import Dispatcher

__all__ = ["Loads"]

log = logging.getLogger("ksrcore.dispatcher")


class _Call:
    __slots__ = ("duid", "expires", "set")

    def __init__(self, number: int, duid: str, expires: float) -> None:
        self.set = number
        self.duid = duid
        self.expires = expires


class Loads:
    """The calls. ``enabled``: modparam ``ds_hash_size`` is set."""

    def __init__(self, module: Dispatcher) -> None:
        self.module = module
        self._calls: dict[str, _Call] = {}

    @property
    def enabled(self) -> bool:
        return bool(self.module.ds_hash_size > 0)

    def add(self, number: int, item: Destination, callid: str) -> bool:
        """Count a new call. False without a duid, or when that Call-ID is counted already."""
        if not self.enabled or not item.duid or callid in self._calls:
            return False
        self._calls[callid] = _Call(number, item.duid, self.module.proxy.now + self.module.ds_hash_initexpire)
        item.load += 1
        return True

    def _destination(self, call: _Call) -> Destination | None:
        found = self.module.sets.get(call.set)
        return next((item for item in found.items if item.duid == call.duid), None) if found is not None else None

    def remove(self, callid: str) -> bool:
        """The call has ended. False when it is unknown."""
        call = self._calls.pop(callid, None)
        if call is None:
            log.error("no load is known for Call-ID %s", callid)
            return False
        item = self._destination(call)
        if item is not None and item.load:
            item.load -= 1
        return True

    def confirm(self, callid: str) -> None:
        """The call was answered: it lasts longer."""
        call = self._calls.get(callid)
        if call is not None:
            call.expires = self.module.proxy.now + self.module.ds_hash_expire

    def move(self, callid: str, number: int, duid: str) -> None:
        """The call was sent to another destination."""
        call = self._calls.get(callid)
        if call is None or call.duid == duid:
            return
        item = self._destination(call)
        if item is not None and item.load:
            item.load -= 1
        call.set, call.duid = number, duid
        item = self._destination(call)
        if item is not None:
            item.load += 1

    def expire(self) -> None:
        """Forget the calls whose end was never seen."""
        now = self.module.proxy.now
        for callid in [callid for callid, call in self._calls.items() if call.expires <= now]:
            self.remove(callid)

    def fork(self, module: Dispatcher) -> Loads:
        new = Loads(module)
        for callid, call in self._calls.items():
            new._calls[callid] = _Call(call.set, call.duid, call.expires)
        return new
