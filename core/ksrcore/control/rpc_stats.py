"""``stats.*`` and ``sl.stats``: the counters, with every name Kamailio has for the modules that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..kemi.declare import RpcError
from ..kemi.websocket import STATISTICS as WEBSOCKET
from .rpc_core import memory

if TYPE_CHECKING:
    from ..proxy import Proxy

Command = Callable[[list[Any]], Any]

_METHODS = "bye cancel invite message prack refer reg update"
_CORE = [
    *"bad_URIs_rcvd bad_msg_hdr drop_replies drop_requests err_replies err_requests fwd_replies fwd_requests".split(),
    *"rcv_replies rcv_replies_18x rcv_replies_401 rcv_replies_404 rcv_replies_407 rcv_replies_480".split(),
    *"rcv_replies_486 rcv_requests unsupported_methods".split(),
    *(f"rcv_replies_{kind}xx" for kind in range(1, 7)),
    *(f"rcv_replies_{kind}xx_{method}" for kind in range(1, 7) for method in _METHODS.split()),
    *(
        f"rcv_requests_{method}"
        for method in "ack bye cancel info invite message notify options prack publish refer register subscribe "
        "update".split()
    ),
]
_SL = "1xx 200 202 2xx 300 301 302 3xx 400 401 403 404 407 408 483 4xx 500 5xx 6xx xxx"
_TMX = (
    "2xx_transactions 3xx_transactions 4xx_transactions 5xx_transactions 6xx_transactions UAC_transactions "
    "UAS_transactions active_transactions inuse_transactions rpl_absorbed rpl_generated rpl_received rpl_relayed "
    "rpl_sent"
)
_TCP = (
    "con_reset con_timeout connect_failed connect_success current_opened_connections current_write_queue_size "
    "established local_reject passive_open send_timeout sendq_full"
)
_KNOWN: list[str] = [
    *(f"core:{name}" for name in _CORE),
    *(f"sl:{name}_replies" for name in _SL.split()),
    *(f"sl:{name}" for name in ("failures", "received_ACKs", "sent_err_replies", "sent_replies")),
    *(f"tmx:{name}" for name in _TMX.split()),
    *(f"websocket:{name}" for name in WEBSOCKET),
    "registrar:accepted_regs",
    "registrar:rejected_regs",
    "pike:blocked_ips",
    "dns:failed_dns_request",
    "dns:slow_dns_request",
]
_SL_STATS = "200 202 2xx 300 301 302 3xx 400 401 403 404 407 408 483 4xx 500 5xx 6xx xxx"


class StatsRpc:
    """The counters of a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def table(self) -> dict[str, Command]:
        return {
            "stats.get_statistics": self.get_statistics,
            "stats.fetch": self.fetch,
            "stats.fetchn": self.fetchn,
            "stats.reset_statistics": self.reset,
            "stats.clear_statistics": self.clear,
            "sl.stats": self.sl_stats,
        }

    def _all(self) -> dict[str, int]:
        """Every statistic, by ``group:name``, in order."""
        proxy = self.proxy
        found = dict.fromkeys(_KNOWN, 0)
        found |= proxy.counters
        tm: Any = proxy.modules.get("tm")
        if tm is not None:
            numbers = tm.engine.stats()
            found["tmx:UAS_transactions"] = numbers["total"] - numbers["total_local"]
            found["tmx:UAC_transactions"] = numbers["total_local"]
            found["tmx:inuse_transactions"] = numbers["current"]
            found["tmx:active_transactions"] = numbers["current"] - numbers["waiting"]
        if proxy.network is not None:
            connections = proxy.network.connections()
            found["tcp:current_opened_connections"] = len(connections)
            found["tcp:current_write_queue_size"] = sum(conn.queued for conn in connections)
        sizes = memory()
        found |= {f"shmem:{name}_size": sizes[name] for name in ("total", "free", "used", "real_used", "max_used")}
        found["shmem:fragments"] = 0
        return dict(sorted(found.items()))

    def select(self, params: list[Any], separators: str) -> Iterator[tuple[str, int]]:
        """``all``, ``group:`` or names; with "." among the separators also ``group.name``."""
        every = self._all()
        for wanted in map(str, params):
            if wanted == "all":
                yield from every.items()
            elif wanted.endswith((":", ".")):
                yield from ((name, value) for name, value in every.items() if name.startswith(f"{wanted[:-1]}:"))
            elif any(sign in wanted for sign in separators):
                name = wanted.replace(".", ":", 1) if "." in separators else wanted
                if name in every:
                    yield name, every[name]
            else:
                for name, value in every.items():
                    if name.partition(":")[2] == wanted:
                        yield name, value
                        break

    def get_statistics(self, params: list[Any]) -> list[str]:
        """``all``, a group with its colon (``core:``) or a name: ``group:name = value`` each."""
        if not params:
            raise RpcError(400, "Please provide which stats to retrieve")
        return [f"{name} = {value}" for name, value in self.select(params, "")]

    def fetch(self, params: list[Any]) -> dict[str, str]:
        """The same as text by ``group.name``."""
        return {name: str(value) for name, value in self.fetchn(params).items()}

    def fetchn(self, params: list[Any]) -> dict[str, int]:
        """The same as numbers by ``group.name``."""
        if not params:
            raise RpcError(400, "Please provide which stats to retrieve")
        return {name.replace(":", ".", 1): value for name, value in self.select(params, ".:")}

    def _reset(self, params: list[Any]) -> list[tuple[str, int]]:
        if not params:
            raise RpcError(400, "Please provide stats name")
        found = list(self.select(params, ""))
        for name, _ in found:
            if name in self.proxy.counters and not _is_fixed(name):
                self.proxy.counters[name] = 0
        return found

    def reset(self, params: list[Any]) -> dict[str, Any]:
        """``all``, a group or a name: set to 0, silently."""
        self._reset(params)
        return {}

    def clear(self, params: list[Any]) -> Any:
        """``all``, a group or a name: set to 0 and told; of several the last, as Kamailio's JSON has it."""
        found = self._reset(params)
        return "{} = {}".format(*found[-1]) if found else {}

    def sl_stats(self, params: list[Any]) -> dict[str, int]:
        """Stateless replies by code."""
        counters = self.proxy.counters
        return {name: counters.get(f"sl:{name}_replies", 0) for name in _SL_STATS.split()}


def _is_fixed(name: str) -> bool:
    """What Kamailio computes when it is asked for cannot be reset."""
    group, _, rest = name.partition(":")
    return group in ("shmem", "sl", "tmx", "usrloc") or (group == "registrar" and not rest.endswith("_regs"))
