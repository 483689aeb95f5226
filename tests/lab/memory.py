"""The memory of a Kamailio: of each process as Linux counts it, of its private and shared pools as it counts itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ksrcore.kamailio.rpcclient import RpcClient


@dataclass(frozen=True)
class Memory:
    """KiB. ``rss``, ``pss``, ``own`` (anonymous: its heap): by process. ``pkg``: used of Kamailio's private memory, by
    process; ``shm``: used of the shared memory."""

    rss: dict[int, int]
    pss: dict[int, int]
    own: dict[int, int]
    pkg: dict[int, int]
    shm: int

    def __str__(self) -> str:
        mean = {name: sum(values.values()) / len(values) for name, values in vars(self).items() if name != "shm"}
        return (
            f"a process {mean['rss'] / 1024:.1f} MiB resident, {mean['pss'] / 1024:.1f} proportional, "
            f"{mean['own'] / 1024:.2f} its own; pkg {mean['pkg']:.0f} KiB, shm {self.shm} KiB"
        )


def measure(rpc: RpcClient, pids: Iterable[int]) -> Memory:
    """Of the processes with these ids. A server measures its private memory when it is asked or has a message."""
    pids = list(pids)
    sums = {name: dict.fromkeys(pids, 0) for name in ("Rss", "Pss", "Anonymous")}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name = line.partition(":")[0]
            if name in sums:
                sums[name][pid] += int(line.split()[1])
    pkg = {int(row["pid"]): int(row["used"]) // 1024 for row in rpc.call("pkg.stats") if int(row["pid"]) in pids}
    shm = int(rpc.call("core.shmmem")["used"]) // 1024
    return Memory(sums["Rss"], sums["Pss"], sums["Anonymous"], pkg, shm)


def quiet(rpc: RpcClient, seconds: float = 20.0) -> None:
    """Wait until no transaction is left. Raises AssertionError."""
    end = time.monotonic() + seconds
    while int(rpc.call("tm.stats")["current"]):
        assert time.monotonic() < end, f"transactions are left: {rpc.call('tm.stats')}"
        time.sleep(0.1)
