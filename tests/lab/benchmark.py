"""Rounds of the same load on several servers, alternating: CPU per call, and the time inside each callback."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ksrshell
from ksrcore.kamailio.agents import look
from ksrshell import nodes
from lab.agent import with_agent
from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.kamailio import KamailioServer
from lab.load import Load, LoadResult
from lab.server import Server

TIMED = Path(__file__).parent / "scripts" / "timed.py"


# Notices only: at its own level the stock configuration logs the duration of every request, which nobody does under
# load. 512 MiB: at 1,000 calls/s the transactions of wt_timer, 5 s, need room.
_kamailio = partial(KamailioServer, shared=512, private=16, log_level=1)


def _agent(folder: Path, database: Path, **options: Any) -> Server:
    """The same with ksrshell's agent in it, to which nobody is attached."""
    options["environment"] = {"KSRSHELL_DIR": str(folder.parent), **options.get("environment", {})}
    return with_agent(folder, database, name="bench", shared=512, private=16, log_level=1, **options)


SERVERS: dict[str, Callable[..., Server]] = {
    "embedded": EmbeddedServer,
    "kamailio": _kamailio,
    "kamailio-agent": _agent,
    "kamailio-attached": _agent,
    "kamailio-holding": _agent,
    "kamailio-fm": partial(_kamailio, allocator="fm"),
    "kamailio-native": partial(_kamailio, native=True),
    "kamailio-native-fm": partial(_kamailio, native=True, allocator="fm"),
}


@contextmanager
def attached(label: str, server: Server) -> Iterator[None]:
    """With ``kamailio-attached`` somebody is attached to the server; with ``kamailio-holding`` a hold is armed as well,
    which no message meets. The node's own CPU is not the server's."""
    if label not in ("kamailio-attached", "kamailio-holding"):
        yield
        return
    control = nodes.start(look(server.directory.parent / "bench.kamailio"))
    with ksrshell.connect(control) as session:
        end = time.monotonic() + 15
        while not all(each["connected"] for each in session.call("ksr.workers")):
            if time.monotonic() > end:
                raise server.failure("has workers that did not connect to the node")
            time.sleep(0.02)
        if label == "kamailio-holding":
            # A logpoint, since these servers have one worker, which is never held. Its filter costs the same.
            session.hold("ksr_route_relay", 'method == "INVITE" and rU == "nobody"', log="{method}")
        yield
        if session.stats["lost"]:
            raise server.failure(f"lost {session.stats['lost']} records: the node did not read them")


@dataclass(frozen=True)
class Round:
    """One server's measured calls. ``cpu_us``: microseconds of CPU a call, over all the server's processes."""

    server: str
    cpu_us: float
    failed: int
    unexpected: int
    retransmissions: int
    answer_ms: float
    rss_kib: int
    problem: str


@contextmanager
def loaded(label: str, users: int, transport: str, timed: Path | None = None) -> Iterator[tuple[Server, Load]]:
    """The server ``label`` with all users registered; ``timed``: with the stop-watch script, its times go there."""
    with tempfile.TemporaryDirectory(prefix="ksr-bench-") as name:
        folder = Path(name)
        options: dict[str, Any] = {}
        if timed is not None:
            options["environment"] = {"KSR_LAB_TIMES": str(timed)}
            options["wrapper"] = TIMED
        database = make_database(folder / "kamailio.db", users=users)
        with SERVERS[label](folder / "server", database, **options) as server:
            load = Load(server, folder / "load", transport, users)
            load.register().check(users)
            yield server, load


def cpu_round(label: str, *, calls: int, rate: float, users: int, transport: str, warmup: int, settle: float) -> Round:
    """Starts the server, registers, warms it up, then measures ``calls`` calls and ``settle`` seconds after them.

    The seconds after the calls count: the transactions are freed in them.
    """
    with loaded(label, users, transport) as (server, load), attached(label, server):
        if warmup:
            load.call(warmup, rate, run=1)
        before = server.cpu_ns()
        result = load.call(calls, rate, run=2)
        time.sleep(settle)
        server.check_alive()
        cpu = server.cpu_ns() - before
        return Round(
            server=label,
            cpu_us=cpu / calls / 1000,
            failed=result.failed,
            unexpected=result.unexpected,
            retransmissions=result.retransmissions,
            answer_ms=result.caller.response_ms,
            rss_kib=server.rss_kib(),
            problem=problem(result),
        )


def problem(result: LoadResult) -> str:
    """The first lines of what SIPp reports about a run that was not clean; empty for a clean one."""
    if not (result.failed or result.unexpected or result.caller.exit_code or result.callee.exit_code):
        return ""
    return "\n".join(f"{result.caller}\n{result.callee}".splitlines()[:8])


def callback_times(label: str, *, calls: int, rate: float, users: int, transport: str) -> dict[str, tuple[float, int]]:
    """Callback -> (median microseconds, how many) over ``calls`` calls with the stop-watch script."""
    with tempfile.TemporaryDirectory(prefix="ksr-times-") as name:
        file = Path(name) / "times.json"
        with loaded(label, users, transport, timed=file) as (server, load):
            # Registrations and warm-up are not part of the figures: this answer empties the lists.
            load.call(max(calls // 10, 1), rate, run=1)
            server.answers(timeout=2, user="lab-times")
            load.call(calls, rate, run=2)
            if not server.answers(timeout=2, user="lab-times"):
                raise server.failure("did not answer the request to write its times")
            times: dict[str, list[int]] = json.loads(file.read_text())
    return {name: (statistics.median(values) / 1000, len(values)) for name, values in sorted(times.items())}
