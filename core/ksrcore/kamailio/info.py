"""What can be found out about the server from outside: its command line, its kamailio.cfg, a way to its RPC."""

from __future__ import annotations

import getopt
import logging
import os
import re
from typing import Any

from .cfg import CfgError, Config, read
from .ksragent.state import Page
from .rpcclient import RpcClient, RpcError, Unreachable, find
from .seal import ours

log = logging.getLogger("ksrcore.kamailio")

#: Kamailio's options (``kamailio -h``): those with a colon take a value.
_OPTIONS = "f:cm:M:dVIhEb:l:L:n:vKrRDTN:W:w:t:u:g:P:G:SQ:O:a:A:x:X:Y:s:p:y:"
_DEFAULT_CFG = "/etc/kamailio/kamailio.cfg"
_SOCKET = re.compile(r"\bsock=\[?([^,\s]+)")


class Info:
    """About one server. ``config``: its kamailio.cfg, None when that cannot be read: ``problem`` says why."""

    def __init__(self, page: Page) -> None:
        self.facts = page.facts
        self.pid = int(self.facts.get("pid") or 0)
        self.config: Config | None = None
        self.problem = ""
        self.version = _version(str(self.facts.get("version", "")))
        run_dir, path, defines = "", _DEFAULT_CFG, []
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb") as file:
                argv = [os.fsdecode(arg) for arg in file.read().split(b"\0")[1:]]
            options, _ = getopt.gnu_getopt(argv, _OPTIONS)
        except (OSError, getopt.GetoptError) as error:
            self.problem = f"the server's command line cannot be read: {error}"
            options = []
        for name, value in options:
            if name == "-f":
                path = value
            elif name == "-Y":
                run_dir = value
            elif name == "-A":
                defines.append(value)
        if not os.path.isabs(path):
            path = os.path.join(str(self.facts.get("pwd") or "/"), path)
        try:
            self.config = read(path, defines, version=self.version)
        except CfgError as error:
            self.problem = str(error)
            log.warning("%s", self.problem)
        except (OSError, ValueError) as error:
            self.problem = f"{path}: {error}"
            log.warning("%s", self.problem)
        self.rpc = RpcClient(find(self.config, run_dir))

    def call(self, method: str, params: list[Any], timeout: float | None = None) -> Any:
        """A command of the server's own RPC. Blocks. Raises :class:`RpcError` or :class:`Unreachable`."""
        with ours():
            return self.rpc.call(method, params, timeout)

    def figures(self) -> dict[str, int]:
        """``transactions`` (there are now) and ``replies`` (sent by tm and sl since its start), as far as the server
        tells. Blocks; never raises."""
        found = {}
        for method in ("tm.stats", "sl.stats"):
            try:
                answer = self.call(method, [], 0.5)
                if method == "tm.stats":
                    found["transactions"] = int(answer["current"])
                    found["replies"] = int(answer["rpl_sent"])
                else:
                    found["replies"] = found.get("replies", 0) + _sl_replies(answer)
            except (RpcError, Unreachable, OSError, LookupError, TypeError, ValueError) as error:
                log.debug("%s: %s", method, error)
        return found

    def groups(self) -> dict[int, str]:
        """What each process receives on (``udp:127.0.0.1:5060``, ``tcp``: connections of all sockets, '' nothing of its
        own), by its id, from ``core.psx``; empty when the server's RPC cannot be asked. Blocks."""
        try:
            rows = self.call("core.psx", [], 1.0)
        except (RpcError, Unreachable, OSError) as error:
            log.info("core.psx: %s", error)
            return {}
        found = {}
        for row in rows if isinstance(rows, list) else [rows]:
            text = str(row.get("DSC", ""))
            socket = _SOCKET.search(text)
            proto = text.split(" ", 1)[0].lower()
            where = "tcp" if text.startswith("tcp receiver") else ""
            if socket is not None and proto in ("udp", "tcp", "tls", "sctp"):
                where = socket[1].rstrip("]")
                if where.partition(":")[0] not in ("udp", "tcp", "tls", "sctp"):
                    where = f"{proto}:{where}"
            found[int(row["PID"])] = where
        return found

    def sockets(self) -> list[str]:
        """Where the server receives: by its RPC, else what it had bound at its start. Blocks."""
        found = []
        try:
            rows = self.call("core.sockets_list", [], 1.0)
            for row in rows if isinstance(rows, list) else [rows]:
                each = row.get("socket", row)
                for one in each if isinstance(each, list) else [each]:
                    found.append(_address(one))
        except (RpcError, Unreachable, OSError, KeyError, AttributeError) as error:
            log.info("core.sockets_list: %s", error)
        return [text for text in found if text] or [str(text) for text in self.facts.get("sockets") or ()]


def _sl_replies(answer: dict[str, Any]) -> int:
    """All of them: beside ``200`` and others there is ``2xx``, which counts the rest of its class."""
    return sum(int(value) for value in answer.values())


def _address(row: dict[str, Any]) -> str:
    host = str(row.get("ipaddress") or row.get("address") or "")
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{str(row['proto']).lower()}:{host}:{row['port']}" if host else ""


def _version(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
    return numbers if len(numbers) == 3 else (5, 6, 3)
