"""What a callback costs with the agent around it, in this process: without, idle, and attached to a node that reads."""

import os
import socket
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns
from types import ModuleType
from typing import Any

from ksrcore.kamailio.ksragent.agent import Agent
from ksrcore.kamailio.ksragent.folder import Meeting
from ksrcore.kamailio.ksragent.install import Front

INVITE = "INVITE sip:bob@lab.test SIP/2.0\r\nCall-ID: 1\r\n" + "X: y\r\n" * 80 + "\r\n"
_PVS = {"$mb": INVITE, "$si": "127.0.0.1", "$sp": 5061, "$Ri": "127.0.0.1", "$Rp": 5060, "$proto": "udp"}


class _Routes:
    """A script whose callback does nothing: what is measured is around it."""

    def ksr_request_route(self, msg: object) -> int:
        return 1


def per_call(calls: int, rounds: int = 7) -> dict[str, float]:
    """Nanoseconds a call, the medians of rounds in turn: ``direct``, ``idle`` and ``attached``."""
    with tempfile.TemporaryDirectory(prefix="ksr-idle-") as name:
        base = Path(name)
        base.chmod(0o700)
        ksr: Any = ModuleType("KSR")
        ksr.pv = ModuleType("KSR.pv")
        number = iter(range(1, 1 << 60))
        ksr.pv.get = lambda name: next(number) if name == "$mi" else _PVS.get(name)
        module = ModuleType("idle")
        module.__file__ = str(base / "idle.py")
        agent = Agent(ksr, Meeting("idle", name))
        agent.loaded(module)
        routes = agent.handler = _Routes()
        front: Any = Front(agent)
        front.child_init(1)
        found: dict[str, list[float]] = {"direct": [], "idle": [], "attached": []}
        for _ in range(rounds):
            found["direct"].append(_time(routes, calls))
            found["idle"].append(_time(front, calls))
        with _reader(base / "idle.kamailio", agent):
            for _ in range(rounds):
                found["attached"].append(_time(front, max(1, calls // 20)))
        if agent.page is not None:
            agent.words = agent.slot_words = None
    return {label: statistics.median(times) for label, times in found.items()}


def _time(routes: Any, calls: int) -> float:
    """As Kamailio does it: the callback is asked for by name for each message."""
    message = object()
    started = perf_counter_ns()
    for _ in range(calls):
        routes.ksr_request_route(message)
    return (perf_counter_ns() - started) / calls


class _reader:
    """A node that reads and says nothing, in a process of its own: it shares no interpreter with the callback."""

    def __init__(self, folder: Path, agent: Agent) -> None:
        self.folder = folder
        self.agent = agent

    def __enter__(self) -> None:
        here = os.open(self.folder, os.O_PATH)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"/proc/self/fd/{here}/link.sock")
        os.close(here)
        listener.listen(1)
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", _READ],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, listener.fileno(), 3)],
        )
        listener.close()
        page = self.agent.page
        assert page is not None
        page.attached = True
        page.bump()

    def __exit__(self, *error: object) -> None:
        self.agent.leave()
        os.waitpid(self.pid, 0)


_READ = """
import socket
node, _ = socket.socket(fileno=3).accept()
while node.recv(1 << 20):
    pass
"""
