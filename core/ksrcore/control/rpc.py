"""Kamailio's RPC commands on the control channel: those of the core here, a module's own in its file.

Parameters are a JSON list, results have Kamailio's shapes (jsonrpcs), errors its codes and reasons.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..kemi.declare import RpcError
from ..script.engine import ScriptError

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .server import Connection, Handler

Command = Callable[[list[Any]], Any]


class CoreRpc:
    """``core.*``, ``system.*``, ``stats.*`` and ``app_python.*``."""

    def __init__(self, proxy: Proxy, names: Callable[[], list[str]]) -> None:
        self.proxy = proxy
        self.names = names

    def table(self) -> dict[str, Command]:
        return {
            "core.version": self.version,
            "core.uptime": self.uptime,
            "core.psx": self.psx,
            "core.aliases_list": self.aliases,
            "core.sockets_list": self.sockets,
            "core.echo": self.echo,
            "system.listMethods": self.list_methods,
            "stats.get_statistics": self.get_statistics,
            "app_python.api_list": self.api_list,
            "app_python.reload": self.reload,
        }

    def version(self, params: list[Any]) -> str:
        """The program and its version."""
        return f"ksrshell {__version__} ({platform.machine()}/{platform.system().lower()})"

    def uptime(self, params: list[Any]) -> dict[str, Any]:
        """Now, the start, and the seconds between."""
        proxy = self.proxy
        now = proxy.wall()
        return {"now": time.ctime(now), "up_since": time.ctime(proxy.started), "uptime": int(now - proxy.started)}

    def psx(self, params: list[Any]) -> list[dict[str, Any]]:
        """The processes: one here, which receives on all sockets and runs the timers."""
        sockets = ",".join(listen.text for listen in self.proxy.listens)
        return [{"IDX": 0, "PID": os.getpid(), "DSC": f"proxy sock={sockets}"}]

    def aliases(self, params: list[Any]) -> list[str]:
        """The names this proxy answers for beside its sockets."""
        return [f"*:{alias}:*" for alias in sorted(self.proxy.aliases)]

    def sockets(self, params: list[Any]) -> list[dict[str, Any]]:
        """The listen sockets."""
        return [
            {"socket": {"proto": s.proto, "address": s.host, "port": str(s.port), "name": s.name}}
            for s in self.proxy.listens
        ]

    def echo(self, params: list[Any]) -> list[Any]:
        """What was given."""
        return params

    def list_methods(self, params: list[Any]) -> list[str]:
        """The commands there are."""
        return self.names()

    def get_statistics(self, params: list[Any]) -> list[str]:
        """``all``, a group with its colon (``core:``) or a name: ``group:name = value`` each."""
        if not params:
            raise RpcError(400, "Please provide which stats to retrieve")
        counters = self.proxy.counters
        found: dict[str, int] = {}
        for wanted in map(str, params):
            for name, value in counters.items():
                if (
                    wanted == "all"
                    or name == wanted
                    or (wanted.endswith(":") and name.startswith(wanted))
                    or name.partition(":")[2] == wanted
                ):
                    found[name] = value
        return [f"{name} = {found[name]}" for name in sorted(found)]

    def api_list(self, params: list[Any]) -> dict[str, Any]:
        """The KEMI functions a script can call."""
        decls = [decl for module in self.proxy.modules.values() for decl in module.exports.values()]
        return {
            "msize": len(decls),
            "methods": [
                {"func": {"ret": d.ret, "module": d.module, "name": d.name, "params": ", ".join(d.params) or "none"}}
                for d in sorted(decls, key=lambda d: (d.module, d.name))
            ],
        }

    def reload(self, params: list[Any]) -> dict[str, int]:
        """Load the script file anew. Unlike Kamailio's, it takes effect whole or not at all, and says which."""
        script = self.proxy.script
        if script is None:
            raise RpcError(500, "no script is loaded")
        before = script.generation
        try:
            script.reload()
        except ScriptError as error:
            raise RpcError(500, f"the script was not reloaded: {error}") from None
        return {"old": before, "new": script.generation}


def rpc_methods(proxy: Proxy) -> dict[str, Handler]:
    """Every RPC command of the proxy as control channel methods."""
    commands: dict[str, Command] = {}
    commands |= CoreRpc(proxy, lambda: sorted(commands)).table()
    for module in proxy.modules.values():
        for name, attr in module.rpcs.items():
            commands[name] = getattr(module, attr)
    return {name: _handler(command) for name, command in commands.items()}


def _handler(command: Command) -> Handler:
    def handler(connection: Connection, params: Any) -> Any:
        if params is None:
            params = []
        if not isinstance(params, list):
            raise RpcError(400, "parameters are a list")
        return command(params)

    return handler
