"""Kamailio's pike: sources that send too much, found with a tree of address bytes.

The tree grows towards whoever sends: a hit goes to the deepest node on the path of the address; a node that is hot
(a quarter of ``reqs_density_per_unit`` in this or the last unit, or on average) grows a child for the next byte, which
inherits its hits. At the last byte hits are counted for the address itself, which is blocked from
``reqs_density_per_unit`` on until a unit ends in which it was not hot. So the first address of a network is blocked
later than its neighbours, and the number of nodes is bounded by the traffic, not by the number of addresses.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Self

from ..store.addresses import parse_ip
from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Pike"]

log = logging.getLogger("ksrcore.pike")

_LEVELS: Final = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}
_CACHE_MAX: Final = 4096


class _Node:
    """One byte of addresses. ``curr`` and ``prev``: hits in this and the last unit; ``leaf_*`` those of an address."""

    __slots__ = ("children", "curr", "prev", "leaf_curr", "leaf_prev", "red", "expires")

    def __init__(self, curr: int) -> None:
        self.children: dict[int, _Node] = {}
        self.curr = curr
        self.prev = 0
        self.leaf_curr = 0
        self.leaf_prev = 0
        self.red = False
        self.expires = 0.0

    def copy(self) -> _Node:
        new = _Node(self.curr)
        for name in ("prev", "leaf_curr", "leaf_prev", "red", "expires"):
            setattr(new, name, getattr(self, name))
        new.children = {byte: child.copy() for byte, child in self.children.items()}
        return new


class Pike(Module):
    """Tells floods from traffic; what to do is the script's."""

    name = "pike"

    sampling_time_unit = Param(2, "seconds of a unit: int")
    reqs_density_per_unit = Param(30, "requests of one address a unit from which it is blocked: int")
    remove_latency = Param(120, "seconds an address is remembered after its last request: int")
    pike_log_level = Param(1, "level for blocking and unblocking, -1 error, 1 warning, 2 info, 3 debug: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        # IPv4 addresses are 4 bytes deep, IPv6 ones 16: a tree each, so that no path is ambiguous.
        self._trees: dict[int, _Node] = {4: _Node(0), 16: _Node(0)}
        self._bytes: dict[str, bytes | None] = {}

    def start(self) -> None:
        for name in ("sampling_time_unit", "reqs_density_per_unit", "remove_latency"):
            if getattr(self, name) < 1:
                raise ParamError(f"modparam pike:{name} expects a number from 1, got {getattr(self, name)}")
        if self.remove_latency <= self.sampling_time_unit:
            raise ParamError("modparam pike:remove_latency must be longer than sampling_time_unit")
        self._level = _LEVELS.get(self.pike_log_level, logging.WARNING)
        self.proxy.counters.setdefault("pike:blocked_ips", 0)
        self.proxy.after(self.sampling_time_unit, self._sample, every=self.sampling_time_unit)

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._trees = {size: root.copy() for size, root in self._trees.items()}
        return new

    # -- the tree ---------------------------------------------------------------------------------------------------

    def _parse(self, ip: str) -> bytes | None:
        known = self._bytes.get(ip)
        if known is None and ip not in self._bytes:
            if len(self._bytes) >= _CACHE_MAX:
                self._bytes.clear()
            parsed = parse_ip(ip)
            known = None if parsed is None else parsed[1].to_bytes(4 if parsed[0] == 4 else 16, "big")
            self._bytes[ip] = known
        return known

    def _hot(self, curr: int, prev: int, limit: int) -> bool:
        return curr >= limit or prev >= limit or (curr + prev) >> 1 >= limit

    def _hit(self, ip: str, address: bytes) -> int:
        limit = self.reqs_density_per_unit
        node = self._trees[len(address)]
        until = self.proxy.now + self.remove_latency
        depth = 0
        for byte in address:
            child = node.children.get(byte)
            if child is None:
                break
            node = child
            depth += 1
        if depth == len(address):
            node.expires = until
            node.leaf_curr += 1
            if not self._hot(node.leaf_curr, node.leaf_prev, limit):
                return 1
            if node.red:
                return -1
            node.red = True
            self.proxy.count("pike:blocked_ips")
            log.log(self._level, "PIKE - BLOCKing ip %s", ip)
            return -2
        if depth == 0:
            child = node.children[address[0]] = _Node(1)
            child.expires = until
            return 1
        node.expires = until
        node.curr += 1
        if self._hot(node.curr, node.prev, limit >> 2):
            child = node.children[address[depth]] = _Node(node.curr)
            child.expires = until
        return 1

    def _sample(self) -> None:
        """A unit has ended."""
        now = self.proxy.now
        for size, root in self._trees.items():
            self._roll(root, b"", size, now)

    def _roll(self, node: _Node, path: bytes, size: int, now: float) -> None:
        for byte, child in list(node.children.items()):
            child.prev, child.curr = child.curr, 0
            child.leaf_prev, child.leaf_curr = child.leaf_curr, 0
            here = path + bytes((byte,))
            if child.red and child.leaf_prev < self.reqs_density_per_unit:
                child.red = False
                log.log(self._level, "PIKE - UNBLOCKing ip %s", _text(here))
            if child.children:
                self._roll(child, here, size, now)
                if not child.children:
                    child.expires = now + self.remove_latency
            elif child.expires <= now:
                del node.children[byte]

    # -- functions --------------------------------------------------------------------------------------------------

    @export
    def pike_check_req(self, run: Run) -> int:
        """Count the request's source: 1 it may pass, -2 it begins to flood, -1 it goes on flooding."""
        rcv = run.msg.rcv
        return 1 if rcv is None else self._check(rcv.src_ip)

    @export
    def pike_check_ip(self, run: Run, ip: str) -> int:
        """Count an address: as ``pike_check_req``; -1 also for what is no address."""
        return self._check(ip)

    def _check(self, ip: str) -> int:
        address = self._parse(ip)
        if address is None:
            log.error("pike_check_ip expects an IP address, got %r", ip)
            return -1
        return self._hit(ip, address)

    # -- RPC --------------------------------------------------------------------------------------------------------

    def _leaves(self, node: _Node, path: bytes, size: int) -> Iterator[tuple[bytes, _Node]]:
        for byte, child in node.children.items():
            here = path + bytes((byte,))
            if len(here) == size:
                yield here, child
            else:
                yield from self._leaves(child, here, size)

    @rpc("pike.top")
    def rpc_top(self, params: list[Any]) -> dict[str, Any]:
        """The addresses with the most hits: HOT (default), WARM or ALL."""
        wanted = str(params[0]).upper() if params else "HOT"
        if wanted not in ("ALL", "HOT", "WARM"):
            raise RpcError(500, "Bad argument. Select: ALL, HOT or WARM")
        limit = self.reqs_density_per_unit
        rows = []
        for size, root in self._trees.items():
            for path, node in self._leaves(root, b"", size):
                curr, prev = node.leaf_curr, node.leaf_prev
                if self._hot(curr, prev, limit):
                    status = "HOT"
                else:
                    status = "WARM" if self._hot(curr, prev, limit >> 2) else ""
                if wanted == "ALL" or status == wanted:
                    rows.append(
                        {
                            "ip_addr": _text(path),
                            "leaf_hits_prev": prev,
                            "leaf_hits_curr": curr,
                            "expires": max(0, round(node.expires - self.proxy.now)),
                            "status": status,
                        }
                    )
        return {"max_hits": limit, "list": rows, "number_of_rows": len(rows)}

    @rpc("pike.list")
    def rpc_list(self, params: list[Any]) -> dict[str, Any]:
        """The same as pike.top."""
        return self.rpc_top(params)


def _text(path: bytes) -> str:
    return str(ipaddress.ip_address(path)) if len(path) in (4, 16) else ".".join(map(str, path))
