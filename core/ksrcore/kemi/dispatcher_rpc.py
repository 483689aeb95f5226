"""The ``dispatcher.*`` commands."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from .declare import Module, RpcError, rpc
from .dispatcher_list import (
    DISABLED,
    INACTIVE,
    NO_RESOLVE,
    PROBING,
    PROTO_IDS,
    TRYING,
    Destination,
    ListError,
    Sets,
    shown_ip,
)
from .dispatcher_select import ds_hash

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .dispatcher_list import Loader
    from .dispatcher_ping import Pinger

__all__ = ["DispatcherRpc"]

log = logging.getLogger("ksrcore.dispatcher")

_LETTERS = {"a": 0, "i": INACTIVE, "t": TRYING, "d": DISABLED}


class DispatcherRpc(Module, ABC):
    """The sets and their commands; :class:`~ksrcore.kemi.dispatcher.Dispatcher` has the rest of the module."""

    pinger: Pinger
    ds_hash_size: int
    ds_ping_latency_stats: int

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.sets = Sets()

    @abstractmethod
    def _may_reload(self) -> bool:
        """Whether ``reload_delta`` seconds have passed; if so they begin again."""

    @abstractmethod
    def reload(self) -> bool:
        """Read the list again. False when it cannot be used; it is logged then and the sets stay."""

    @abstractmethod
    def loader(self) -> Loader:
        """What makes destinations."""

    @rpc("dispatcher.list")
    def rpc_list(self, params: list[Any]) -> dict[str, Any]:
        """Optional 'short' or 'full': the sets and their destinations."""
        if not len(self.sets):
            raise RpcError(500, "No Destination Sets")
        mode = str(params[0]) if params else ""
        return {
            "NRSETS": len(self.sets),
            "RECORDS": [
                {"SET": {"ID": each.id, "TARGETS": [{"DEST": self._shown(item, mode)} for item in each.items]}}
                for each in self.sets
            ],
        }

    def _shown(self, item: Destination, mode: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"URI": item.uri, "FLAGS": item.state, "PRIORITY": item.priority}
        if mode == "full":
            shown |= {
                "HOST": item.url.host,
                "IPADDR": shown_ip(item),
                "PORT": item.url.port_no,
                "PROTOID": PROTO_IDS.get(item.proto, 0),
                "DNSTIME_SEC": 0,
                "DNSTIME_USEC": 0,
            }
        if item.body and mode != "short":
            shown["ATTRS"] = {
                "BODY": item.body,
                "DUID": item.duid or None,
                "MAXLOAD": item.number("maxload"),
                "WEIGHT": item.weight("weight"),
                "RWEIGHT": item.weight("rweight"),
                "SOCKET": item.attrs.get("socket") or None,
                "SOCKNAME": item.attrs.get("sockname") or None,
                "OBPROXY": item.attrs.get("obproxy") or None,
            }
        if self.ds_ping_latency_stats:
            stats = item.latency
            shown["LATENCY"] = {
                "AVG": _float(stats.average),
                "STD": _float(stats.stdev),
                "EST": _float(stats.estimate),
                "MAX": stats.max,
                "TIMEOUT": stats.timeout,
            }
        if self.ds_hash_size > 0:
            shown["RUNTIME"] = {"DLGLOAD": item.load}
        return shown

    @rpc("dispatcher.ping_active")
    def rpc_ping_active(self, params: list[Any]) -> dict[str, int]:
        """Optional 0 or 1: whether destinations are probed; without it tells."""
        old = self.pinger.active
        if not params:
            return {"OldPingState": old}
        self.pinger.active = _number(params[0])
        return {"NewPingState": self.pinger.active, "OldPingState": old}

    def _state(self, params: list[Any]) -> tuple[int, int, str]:
        """State, set and address or duid."""
        if not params:
            raise RpcError(500, "Invalid Parameters")
        text = str(params[0])
        if not text:
            raise RpcError(500, "Invalid State Parameter")
        state = _LETTERS.get(text[0].lower())
        if state is None:
            raise RpcError(500, "Unknown State Value")
        if text[1:2].lower() == "p" and state != DISABLED:
            state |= PROBING
        if len(params) < 3:
            raise RpcError(500, "Invalid Parameters")
        return state, _number(params[1]), str(params[2])

    @rpc("dispatcher.set_state")
    def rpc_set_state(self, params: list[Any]) -> str:
        """State (a, i, t or d, then p for probing), set, address or 'all': set the state."""
        state, number, address = self._state(params)
        if address == "all":
            found = self.sets.get(number)
            for item in found.items if found is not None else ():
                self._set_state(number, item, state)
            return "Ok. Dispatcher state updated."
        return self._first_state(number, lambda item: item.uri == address, state)

    @rpc("dispatcher.set_duid_state")
    def rpc_set_duid_state(self, params: list[Any]) -> str:
        """State, set, duid: set the state of the destination with that duid."""
        state, number, duid = self._state(params)
        return self._first_state(number, lambda item: item.duid == duid, state)

    def _first_state(self, number: int, fits: Any, state: int) -> str:
        found = self.sets.get(number)
        for item in found.items if found is not None else ():
            if fits(item):
                self._set_state(number, item, state)
                return "Ok. Dispatcher state updated."
        raise RpcError(500, "State Update Failed")

    def _set_state(self, number: int, item: Destination, state: int) -> None:
        """As an operator sets it: at once, counted from nothing, without an event."""
        found = self.sets.get(number)
        assert found is not None
        item.flags = item.flags & NO_RESOLVE | state
        found.deal_relative(self.proxy.random)

    @rpc("dispatcher.reload")
    def rpc_reload(self, params: list[Any]) -> str:
        """Read the list file or the table again."""
        if not self._may_reload():
            raise RpcError(500, "Ongoing reload")
        if not self.reload():
            raise RpcError(500, "Reload Failed")
        return "Ok. Dispatcher successfully reloaded."

    def _rebuilt(self, keep: Any = None) -> Sets:
        """All destinations once more, in the order they are told: equal priorities change places, as in Kamailio."""
        new = Sets()
        for each, item in self.sets.destinations():
            if keep is None or keep(each, item):
                copied = item.copy()
                copied.load = 0
                new.make(each.id).add(copied)
        return new

    @rpc("dispatcher.add")
    def rpc_add(self, params: list[Any]) -> str:
        """Set, address, optional flags, priority and attributes: add a destination until the next reload."""
        if not self._may_reload():
            raise RpcError(500, "Ongoing reload")
        if len(params) < 2:
            raise RpcError(500, "Invalid Parameters")
        number, uri = _number(params[0]), str(params[1])
        flags = _number(params[2]) if len(params) > 2 else 0
        priority = _number(params[3]) if len(params) > 3 else 0
        attrs = str(params[4]) if len(params) > 4 else ""
        new = self._rebuilt()
        try:
            self.loader().add(new, number, uri, flags, priority, attrs)
        except ListError as error:
            log.warning("%s: not added to set %d", error, number)
        new.deal(self.proxy.random)
        self.sets = new
        return "Ok. Dispatcher destination added."

    @rpc("dispatcher.remove")
    def rpc_remove(self, params: list[Any]) -> str:
        """Set, address: remove that destination until the next reload."""
        if not self._may_reload():
            raise RpcError(500, "Ongoing reload")
        if len(params) < 2:
            raise RpcError(500, "Invalid Parameters")
        number, uri = _number(params[0]), str(params[1])
        new = self._rebuilt(lambda each, item: each.id != number or item.uri != uri)
        new.deal(self.proxy.random)
        self.sets = new
        return "Ok. Dispatcher destination removed."

    @rpc("dispatcher.hash")
    def rpc_hash(self, params: list[Any]) -> dict[str, int]:
        """Number of slots, text, optional second text: the hash that algorithms 0 to 3, 5 and 7 make, and the slot."""
        if len(params) < 2:
            raise RpcError(500, "Invalid Parameters")
        slots = _number(params[0])
        value = ds_hash(*(str(param) for param in params[1:3]))
        return {"hashid": value, "slot": value % slots if slots > 0 else 0}


def _number(value: Any) -> int:
    """An integer parameter; text that is none counts as 0."""
    if isinstance(value, (int, float)):
        return int(value)
    text = str(value).strip()
    digits = text.lstrip("+-")
    return int(text) if digits.isascii() and digits.isdigit() else 0


def _float(value: float) -> float | int:
    """Six decimals, a whole number without."""
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded
