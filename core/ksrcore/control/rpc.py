"""Kamailio's RPC commands: those of the core in the files ``rpc_*.py`` beside this one, a module's own in its file.

Parameters are a JSON list, results have the shapes of Kamailio's jsonrpcs, errors its codes and reasons. They are asked
over the control channel (:func:`rpc_methods`), the sockets of jsonrpcs, HTTP and from the script (:func:`commands`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..kemi.declare import RpcError
from .jsonrpc import from_text, to_text
from .rpc_cfg import CfgRpc
from .rpc_core import CoreRpc
from .rpc_network import NetworkRpc
from .rpc_stats import StatsRpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .server import Connection, Handler

Command = Callable[[list[Any]], Any]


class SystemRpc:
    """``system.*``: what commands there are."""

    def __init__(self, known: dict[str, Command]) -> None:
        self.known = known

    def table(self) -> dict[str, Command]:
        return {
            "system.listMethods": self.list_methods,
            "system.methodHelp": self.method_help,
            "system.methodSignature": self.method_signature,
        }

    def list_methods(self, params: list[Any]) -> list[str]:
        """The commands there are."""
        return sorted(self.known)

    def method_help(self, params: list[Any]) -> str:
        """Method: one line on what it does."""
        if not params:
            raise RpcError(400, "Method Name Expected")
        command = self.known.get(str(params[0]))
        if command is None:
            raise RpcError(400, "command not found")
        return (inspect.getdoc(command) or "undocumented").partition("\n")[0]

    def method_signature(self, params: list[Any]) -> str:
        """Kamailio has none either."""
        raise RpcError(500, "Not Implemented Yet")


def commands(proxy: Proxy) -> dict[str, Command]:
    """Every RPC command of the proxy, by name."""
    found: dict[str, Command] = {}
    for part in (CoreRpc(proxy), StatsRpc(proxy), NetworkRpc(proxy), CfgRpc(proxy), SystemRpc(found)):
        found |= part.table()
    for module in proxy.modules.values():
        for name, attr in module.rpcs.items():
            found[name] = getattr(module, attr)
    # The parts were given the dict before it was whole.
    return found


def rpc_methods(proxy: Proxy) -> dict[str, Handler]:
    """Every RPC command as a method of the control channel."""
    return {name: _handler(command) for name, command in commands(proxy).items()}


def _handler(command: Command) -> Handler:
    def handler(connection: Connection, params: Any) -> Any:
        if params is None:
            params = []
        if not isinstance(params, list):
            raise RpcError(400, "parameters are a list")
        result = command(to_text(params))
        return {} if result is None else from_text(result)

    return handler
