"""Calls under load while single ones are held, stepped and released over the control channel."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ksrshell
from ksrshell.holds import Held
from lab.database import user
from lab.embedded import EmbeddedServer
from lab.load import Load
from lab.sipp import Sipp, SippResult


@dataclass
class HoldingResult:
    """One run: both ends, the setup times of all calls in milliseconds, and what the holds came to.

    ``held``: how long each call was held, in seconds; ``orders``: how long each step took until its new state was
    there, in seconds; ``cpu_us``: the proxy's CPU, in microseconds a call; ``problems``: what went wrong in the
    holding, a line each.
    """

    caller: SippResult
    callee: SippResult
    setup_ms: list[float]
    held: list[float] = field(default_factory=list)
    orders: list[float] = field(default_factory=list)
    cpu_us: float = 0.0
    problems: list[str] = field(default_factory=list)

    def others(self, seconds: float) -> list[float]:
        """The setup times of the calls that were not held so long, sorted."""
        return sorted(ms for ms in self.setup_ms if ms < seconds * 1000)


def percentile(values: list[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def run(
    server: EmbeddedServer, load: Load, number: int, *, calls: int, rate: float, holds: int, seconds: float
) -> HoldingResult:
    """``calls`` calls at ``rate`` a second; meanwhile ``holds`` of them are held for ``seconds``, four at once."""
    timeout = calls / rate + 40
    callee = Sipp(
        load.directory / f"callee-{number}",
        "load_uas",
        calls=calls,
        transport=load.transport,
        port=load.callee_port,
        timeout=timeout,
    )
    caller = Sipp(
        load.directory / f"caller-{number}",
        "load_uac",
        server.address,
        calls=calls,
        rate=rate,
        transport=load.transport,
        csv_file=load.csv_file,
        timeout=timeout,
        extra=["-trace_rtt", "-rtt_freq", "1"],
    )
    result = HoldingResult(None, None, [])  # type: ignore[arg-type]
    waiting: queue.Queue[str] = queue.Queue()
    for n in range(holds):
        waiting.put(user(n % load.users))
    before = server.cpu_ns()
    with callee, caller:
        time.sleep(0.3)
        workers = [threading.Thread(target=_worker, args=(server, waiting, seconds, result)) for _ in range(4)]
        for worker in workers if holds else []:
            worker.start()
        result.caller = caller.wait()
        for worker in workers if holds else []:
            worker.join(30)
        if result.caller.failed or result.caller.exit_code:
            callee.stop()
        result.callee = callee.wait()
    result.cpu_us = (server.cpu_ns() - before) / calls / 1000
    result.setup_ms = _setup_times(caller.folder)
    return result


def _worker(server: EmbeddedServer, waiting: queue.Queue[str], seconds: float, result: HoldingResult) -> None:
    try:
        with ksrshell.connect(server.control) as session:
            told: queue.Queue[dict[str, Any]] = queue.Queue()
            session.client.on_event.append(told.put)
            session.client.subscribe("held")
            while True:
                try:
                    name = waiting.get_nowait()
                except queue.Empty:
                    return
                hold = session.hold("ksr_route_relay", f'method == "INVITE" and rU == "{name}"', once=True)
                while True:
                    event = told.get(timeout=10)
                    if event.get("hold") == hold.id:
                        break
                _walk(Held(session, event), seconds, result)
    except Exception as error:
        result.problems.append(f"{type(error).__name__}: {error}")


def _walk(held: Held, seconds: float, result: HoldingResult) -> None:
    """Step through it for a while, change a header, let it go."""
    began = time.perf_counter()
    step = held.step()
    held.KSR.hdr.append(f"X-Held: {held.id}\r\n")
    while time.perf_counter() - began < seconds:
        # The line that relays is left to the end: the call is to be held, not delayed at the callee.
        if "t_relay" not in step.source.lines[step.where.line - step.source.first]:
            at = time.perf_counter()
            step.next()
            result.orders.append(time.perf_counter() - at)
        time.sleep(0.05)
    step.finish()
    if not step.done:
        result.problems.append(f"held {held.id} is not done: {step.event}")
    result.held.append(time.perf_counter() - began)


def _setup_times(folder: Path) -> list[float]:
    found = []
    for path in folder.glob("*_rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            parts = line.split(";")
            if len(parts) >= 2:
                found.append(float(parts[1]))
    return found
