"""The control methods of a node: those of the embedded proxy beside the server, and the server's where it has its own.

What needs a sandbox works on the proxy beside, when the client asks for it with ``engine="embedded"``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..control import errors, views
from ..control.errors import ControlError
from ..control.methods import Methods
from ..kemi.declare import RpcError
from .holding import Holding
from .rpcclient import Unreachable
from .swaps import NodeSwapping

if TYPE_CHECKING:
    from ..control.server import Connection, Handler
    from .node import Node


class NodeMethods(Methods):
    """``ksr.*`` of a node."""

    def __init__(self, node: Node, stop: Callable[[], None], counts: Callable[[], dict[str, Any]]) -> None:
        super().__init__(node.beside.proxy, stop, counts)
        self.node = node
        swapping = NodeSwapping(self.sandboxes, self._script, self.record, self._publish)
        swapping.workers, swapping.check_engine = node.swaps, self._embedded
        self.swapping = swapping
        self.holding = Holding(
            self.proxy,
            str(node.info.facts.get("script") or ""),
            node.workers,
            self.steps,
            self._publish,
            node.intake.of,
            version=node.info.version,
        )
        self.holds = self.holding  # type: ignore[assignment]

    def _publish(self, event: str, data: dict[str, Any]) -> None:
        super()._publish(event, data)
        if event == "swap":
            self.holding.rearm()

    # -- the server -----------------------------------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        node = self.node
        return super().hello() | {
            "pid": node.info.pid,
            "version": str(node.info.facts.get("version", "")),
            "listens": node.workers.sockets or [listen.text for listen in self.proxy.listens],
            "engine": "kamailio",
            "python": str(node.info.facts.get("python", "")),
            "node": os.getpid(),
            "folder": str(node.folder),
            "workers": len(node.workers.receivers()),
            "attached": True,
            "alive": node.alive,
            "note": node.note,
        }

    def stats(self) -> dict[str, Any]:
        statuses = self.node.swaps.statuses()
        waiting = sum(each["status"] == "waiting" for each in statuses)
        return super().stats() | {"workers": len(statuses), "waiting": waiting}

    def table(self) -> dict[str, Handler]:
        return super().table() | {
            "ksr.workers": lambda connection, params: self.workers(),
            "ksr.stats": lambda connection, params: self._fresh_stats(),
        }

    async def _fresh_stats(self) -> dict[str, Any]:
        await self.node.ask_figures()
        return self.stats()

    def workers(self) -> list[dict[str, Any]]:
        """Every process that receives SIP: what it has of what was swapped, what it has done."""
        procs = {proc.pid: proc for proc in self.node.workers.receivers()}
        found = []
        for each in self.node.swaps.statuses():
            proc = procs.get(each["pid"])
            if proc is not None:
                worker = self.node.workers.by_pid(proc.pid)
                each |= {
                    "socket": self.node.workers.groups.get(proc.pid, ""),
                    "connected": worker is not None,
                    "messages": proc.messages,
                    "exceptions": proc.exceptions,
                }
                found.append(each)
        return found

    def routes(self) -> list[dict[str, Any]]:
        """Hits, durations and exceptions are those of the callbacks in all workers since they were attached."""
        script = self.proxy.script
        if script is None:
            return []
        totals = self.node.intake.totals()
        found = []
        for route in script.routes():
            stats = totals.get(route.name)
            # The proxy beside has run sandboxes only, and nothing counts the other functions of the script.
            route.hits = stats.calls if stats is not None else 0
            route.total = stats.total if stats is not None else 0.0
            route.longest = stats.longest if stats is not None else 0.0
            route.exceptions = stats.exceptions if stats is not None else 0
            route.callback = route.callback or stats is not None
            found.append(views.route_view(route))
        return found

    # -- what a server in production has not ----------------------------------------------------------------------

    def _embedded(self, engine: str, what: str, instead: str) -> None:
        if engine == "embedded":
            if self.node.beside.problem:
                raise ControlError(errors.USER_ERROR, f"{what} is not possible: {self.node.beside.problem}")
            return
        super()._embedded(engine, what, instead)
        raise ControlError(
            errors.USER_ERROR,
            f"{what} needs a sandbox, which a Kamailio has not: {instead} does it on the embedded core beside it, "
            "with the same script and the captured message",
        )

    # -- the server's own RPC -------------------------------------------------------------------------------------

    def rpc(self, method: str) -> Handler:
        """A command of the server's own, under its own name."""

        async def handler(connection: Connection, params: Any) -> Any:
            if params is None:
                params = []
            if not isinstance(params, list):
                raise RpcError(400, "parameters are a list")
            if method in ("app_python.reload", "app_python3s.reload"):
                raise ControlError(
                    errors.USER_ERROR,
                    "app_python.reload is not sent: it answers success whatever happens, and a reload that fails has "
                    "crashed whole servers; swap(Path('script.py')) changes the script in all workers or in none",
                )
            try:
                return await self.node.rpc(method, params)
            except Unreachable as error:
                text = str(error) if self.node.alive else "the server has ended"
                raise ControlError(errors.USER_ERROR, text, {"type": "Unreachable"}) from None

        return lambda connection, params: handler(connection, params)


class Table(dict[str, "Handler"]):
    """The methods by name; whatever is not ours is asked of the server."""

    def __init__(self, methods: NodeMethods) -> None:
        super().__init__(methods.table())
        self._methods = methods

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name)
        if found is None and not name.startswith("ksr."):
            return self._methods.rpc(name)
        return found if found is not None else default
