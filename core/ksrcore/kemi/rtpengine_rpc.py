"""The ``rtpengine.*`` commands."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

from .declare import Module, RpcError, rpc
from .rtpengine_nodes import Calls, Node, Sets

__all__ = ["RtpengineRpc"]


class RtpengineRpc(Module, ABC):
    """The nodes and their commands; :class:`~ksrcore.kemi.rtpengine.Rtpengine` has the rest of the module."""

    sets: Sets
    calls: Calls
    rtpengine_disable_tout: Any
    db_url: Any
    _reloaded: float = -math.inf

    @abstractmethod
    def ping(self, node: Node) -> bool:
        """Ping a node: whether it answers. One that does not is left out for a while."""

    @abstractmethod
    def reload(self) -> None:
        """Read the nodes from the database again. Raises StoreError or ValueError."""

    def _named(self, params: list[Any], least: int) -> list[Node]:
        if len(params) < least or not isinstance(params[0], str):
            raise RpcError(500, "Not enough parameters")
        name = params[0]
        found = [node for node in self.sets if node.shown and name in ("all", node.url)]
        if not found and name != "all":
            raise RpcError(404, "Instance not found")
        return found

    @rpc("rtpengine.show")
    def rpc_show(self, params: list[Any]) -> list[dict[str, Any]]:
        """URL or all: the nodes."""
        now = self.proxy.now
        return [
            {
                "url": node.url,
                "set": node.number,
                "index": node.index,
                "weight": node.weight,
                "disabled": "1(permanent)" if node.off else int(node.disabled),
                "recheck_ticks": "N/A" if node.off else max(0, math.ceil(node.recheck - now)),
            }
            for node in self._named(params, 1)
        ]

    @rpc("rtpengine.ping")
    def rpc_ping(self, params: list[Any]) -> dict[str, Any]:
        """URL or all: ask for a sign of life; a node that gives none is left out for a while."""
        good = [self.ping(node) for node in self._named(params, 1)]
        return {"url": params[0], "status": "success" if all(good) else "fail"}

    @rpc("rtpengine.enable")
    def rpc_enable(self, params: list[Any]) -> dict[str, Any]:
        """URL or all, 1 or 0: use the nodes again, or leave them out until told otherwise."""
        nodes = self._named(params, 2)
        # A number given as text counts as 0, as in Kamailio.
        if not isinstance(params[1], int) or params[1] == 0:
            for node in nodes:
                node.switch_off()
            return {"url": params[0], "status": "disable"}
        good = True
        for node in nodes:
            if self.ping(node):
                node.disabled, node.recheck = False, 0.0
            else:
                good = False
        return {"url": params[0], "status": "enable" if good else "fail"}

    @rpc("rtpengine.get_hash_total")
    def rpc_get_hash_total(self, params: list[Any]) -> int:
        """How many calls have a node."""
        return len(self.calls)

    @rpc("rtpengine.reload")
    def rpc_reload(self, params: list[Any]) -> str:
        """Read the nodes from the database again."""
        if not self.db_url:
            raise RpcError(500, "No Database URL")
        if self.proxy.now - self._reloaded < 10:
            raise RpcError(500, "Too short reload interval - try later")
        try:
            self.reload()
        except ValueError:
            raise RpcError(500, "Failed reloading db") from None
        self._reloaded = self.proxy.now
        return "Ok. Reload successful."
