"""``core.*`` (but sockets and connections), ``corex.*``, ``shm.*``, ``pkg.*``, ``mod.*`` and ``app_python.*``.

There is one process, with Python's memory: figures of memory are those of the process and of the machine, and what
Kamailio counts by module is refused.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..kemi.declare import RpcError
from ..script.engine import ScriptError

if TYPE_CHECKING:
    from ..proxy import Proxy

Command = Callable[[list[Any]], Any]

log = logging.getLogger("ksrcore")

_UNITS = {"b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3}
_FLAGS = "USE_TCP, USE_DNS_CACHE, USE_DNS_FAILOVER, USE_NAPTR"


def memory() -> dict[str, int]:
    """Bytes: the machine's memory and what is available of it, this process's resident memory and its largest."""
    fields = {"total": 0, "free": 0, "used": 0, "real_used": 0, "max_used": 0}
    try:
        machine = _kilobytes(Path("/proc/meminfo"))
        own = _kilobytes(Path("/proc/self/status"))
    except OSError:
        return fields | {"fragments": 0}
    fields["total"] = machine.get("MemTotal", 0)
    fields["free"] = machine.get("MemAvailable", 0)
    fields["used"] = own.get("RssAnon", own.get("VmRSS", 0))
    fields["real_used"] = own.get("VmRSS", 0)
    fields["max_used"] = own.get("VmHWM", 0)
    return {name: size * 1024 for name, size in fields.items()} | {"fragments": 0}


def _kilobytes(path: Path) -> dict[str, int]:
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            found[name] = int(rest[:-3])
    return found


class CoreRpc:
    """The process, its memory, the script."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def table(self) -> dict[str, Command]:
        return {
            "core.version": self.version,
            "core.uptime": self.uptime,
            "core.info": self.info,
            "core.runinfo": self.runinfo,
            "core.flags": self.flags,
            "core.modules": self.modules,
            "core.ps": self.ps,
            "core.psx": self.psx,
            "core.psa": self.psa,
            "core.arg": self.arg,
            "core.pwd": self.pwd,
            "core.kill": self.kill,
            "core.echo": self.echo,
            "core.printi": self.printi,
            "core.prints": self.prints,
            "core.ppdefines": self.ppdefines,
            "core.ppdefines_full": self.ppdefines_full,
            "core.shmmem": self.shmmem,
            "shm.stats": self.shm_stats,
            "shm.info": self.shm_info,
            "pkg.stats": self.pkg_stats,
            "pkg.info": self.pkg_info,
            "mod.stats": self.mod_stats,
            "mod.mem_stats": self.mod_stats,
            "mod.mem_statsx": self.mod_stats,
            "corex.shm_status": self.log_memory,
            "corex.shm_summary": self.log_memory,
            "corex.pkg_summary": self.pkg_summary,
            "app_python.api_list": self.api_list,
            "app_python.reload": self.reload,
        }

    # -- the program ------------------------------------------------------------------------------------------------

    def version(self, params: list[Any]) -> str:
        """The program and its version."""
        return f"ksrshell {__version__} ({platform.machine()}/{platform.system().lower()})"

    def uptime(self, params: list[Any]) -> dict[str, Any]:
        """Now, the start, and the seconds between."""
        proxy = self.proxy
        now = proxy.wall()
        return {"now": time.ctime(now), "up_since": time.ctime(proxy.started), "uptime": int(now - proxy.started)}

    def info(self, params: list[Any]) -> dict[str, str]:
        """The version, and with what the program runs."""
        return {
            "version": f"ksrshell {__version__}",
            "id": "unknown ",
            "compiler": f"{platform.python_implementation()} {platform.python_version()}",
            "compiled": "",
            "flags": _FLAGS,
        }

    def runinfo(self, params: list[Any]) -> dict[str, Any]:
        """Name, version and uptime."""
        proxy = self.proxy
        now = proxy.wall()
        seconds = int(now - proxy.started)
        minutes, rest = divmod(seconds, 60)
        return {
            "name": "ksrshell",
            "version": __version__,
            "sourceid": "unknown ",
            "compiler": f"{platform.python_implementation()} {platform.python_version()}",
            "compiled": "",
            "time_now": time.ctime(now),
            "time_started": time.ctime(proxy.started),
            "uptime_secs": seconds,
            "utime_days": f"{minutes // 1440}d {minutes // 60 % 24}h {minutes % 60}m {rest}s",
        }

    def flags(self, params: list[Any]) -> str:
        """What Kamailio calls compile flags."""
        return _FLAGS

    def modules(self, params: list[Any]) -> list[str]:
        """The modules, the latest first."""
        return [name for name in reversed(self.proxy.modules) if name]

    def _described(self) -> str:
        sockets = ",".join(listen.text for listen in self.proxy.listens)
        return f"proxy sock={sockets}"

    def ps(self, params: list[Any]) -> list[Any]:
        """Number and description of the process: one, which receives on all sockets and runs the timers."""
        return [os.getpid(), self._described()]

    def psx(self, params: list[Any]) -> list[dict[str, Any]]:
        """The processes: one here, which receives on all sockets and runs the timers."""
        return [{"IDX": 0, "PID": os.getpid(), "DSC": self._described()}]

    def psa(self, params: list[Any]) -> list[dict[str, Any]]:
        """The processes with their attributes."""
        return [{"index": 0, "pid": os.getpid(), "status": 1, "rank": 0, "description": self._described()}]

    def arg(self, params: list[Any]) -> list[str]:
        """The command line."""
        return list(sys.orig_argv)

    def pwd(self, params: list[Any]) -> list[str]:
        """The working folder."""
        return [os.getcwd()]

    def kill(self, params: list[Any]) -> dict[str, Any]:
        """Signal number (15 without one): send it to this process."""
        if self.proxy.sandbox:
            raise RpcError(500, "a sandbox sends no signals")
        number = params[0] if params and isinstance(params[0], int) else signal.SIGTERM
        try:
            os.kill(os.getpid(), number)
        except (OSError, ValueError):
            raise RpcError(500, f"no such signal: {number}") from None
        return {}

    def echo(self, params: list[Any]) -> list[str]:
        """What was given, as strings."""
        return [str(int(value) if isinstance(value, float) else value) for value in params]

    def printi(self, params: list[Any]) -> list[int]:
        """The numbers that were given."""
        return [int(value) if isinstance(value, int | float) else 0 for value in params]

    def prints(self, params: list[Any]) -> list[str]:
        """The strings that were given, up to what is none."""
        return list(takewhile(lambda value: isinstance(value, str), params))

    def ppdefines(self, params: list[Any]) -> list[str]:
        """The names that the configuration defines."""
        return list(self.proxy.defines)

    def ppdefines_full(self, params: list[Any]) -> list[dict[str, Any]]:
        """What the configuration defines."""
        return [{"name": name, "type": 0, "value": value or "none"} for name, value in self.proxy.defines.items()]

    # -- memory -----------------------------------------------------------------------------------------------------

    def shmmem(self, params: list[Any]) -> dict[str, int]:
        """Unit (b, k, m or g): the machine's memory, and what the process has of it."""
        unit = _UNITS.get(str(params[0]).lower()) if params else 1
        if unit is None:
            raise RpcError(500, "bad param, (use b|k|m|g)")
        return {name: size if name == "fragments" else size // unit for name, size in memory().items()}

    def shm_stats(self, params: list[Any]) -> dict[str, int]:
        """The machine's memory, and what the process has of it."""
        return memory()

    def shm_info(self, params: list[Any]) -> dict[str, Any]:
        """Who manages memory, and how much there is."""
        return {"name": "python", "size": memory()["total"]}

    def pkg_info(self, params: list[Any]) -> dict[str, Any]:
        """Who manages memory, and how much there is."""
        return {"name": "python", "size": memory()["total"]}

    def pkg_stats(self, params: list[Any]) -> list[dict[str, Any]]:
        """Filter (pid, rank or index) and its value: the memory of the process."""
        if params:
            kind = str(params[0])
            if kind not in ("pid", "rank", "index"):
                raise RpcError(500, "Invalid filter type")
            own = {"pid": os.getpid(), "rank": 0, "index": 0}[kind]
            if len(params) < 2 or params[1] != own:
                raise RpcError(500, f"No such {kind}")
        sizes = memory()
        return [
            {
                "entry": 0,
                "pid": os.getpid(),
                "rank": 0,
                "used": sizes["used"],
                "free": sizes["free"],
                "real_used": sizes["real_used"],
                "total_size": sizes["total"],
                "total_frags": 0,
                "desc": self._described(),
            }
        ]

    def mod_stats(self, params: list[Any]) -> Any:
        """Refused: memory is not counted by module."""
        if not params:
            raise RpcError(500, 'Module name or "all" needed')
        raise RpcError(500, "Memory is not counted by module here")

    def log_memory(self, params: list[Any]) -> dict[str, Any]:
        """Write the figures of memory to the log."""
        log.info("memory in bytes: %s", ", ".join(f"{name} {size}" for name, size in memory().items()))
        return {}

    def pkg_summary(self, params: list[Any]) -> dict[str, Any]:
        """Filter (pid, rank or idx) and its value: write the process's memory to the log."""
        if len(params) < 2:
            raise RpcError(400, "Selector and value not provided")
        return self.log_memory(params)

    # -- the script -------------------------------------------------------------------------------------------------

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
        if self.proxy.sandbox:
            raise RpcError(500, "a sandbox does not reload the script")
        if script is None:
            raise RpcError(500, "no script is loaded")
        before = script.generation
        try:
            script.reload()
        except ScriptError as error:
            raise RpcError(500, f"the script was not reloaded: {error}") from None
        return {"old": before, "new": script.generation}
