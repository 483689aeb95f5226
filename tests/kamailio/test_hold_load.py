"""Single calls are held in a real Kamailio under load: no other call notices."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrshell import nodes
from ksrshell.holds import Held
from ksrshell.session import Session, connect
from lab.agent import places, with_agent
from lab.child import die_with_parent
from lab.database import make_database, user
from lab.kamailio import KamailioServer
from lab.load import Load
from lab.needs import STOCK_SCRIPT, need, need_file

HOLDS = 6
_HOLDS_ONE = "import time\nhold('', 'method == \"INVITE\"', once=True)\ntime.sleep(60)"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KamailioServer]:
    monkeypatch.setattr(nodes, "LINGER", 0.5)
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=20)
    with (
        places(tmp_path),
        with_agent(tmp_path / "server", database, name="held", workers=4, log_level=1, shared=128) as made,
    ):
        yield made


def test_holds_under_load(server: KamailioServer, tmp_path: Path) -> None:
    """50 calls a second: calls are held, stepped, edited and released one after the other; a shell that holds one is
    killed. Every call is completed."""
    load = Load(server, tmp_path / "load", users=20, scenario="spaced")
    load.register().check(20)
    load.call(100, 50, run=1).check(100)  # each worker waits once for the RTP proxy that is not there
    before = sorted(server.pids())
    problems: list[str] = []
    orders: list[float] = []

    def work() -> None:
        try:
            with connect("held") as session:
                for number in range(HOLDS):
                    _hold(session, user(number), orders)
                _killed(session)
        except Exception as error:
            problems.append(repr(error))

    thread = threading.Thread(target=work)
    thread.start()
    result = load.call(600, 50, run=2)
    thread.join(60)
    assert problems == [] and len(orders) >= HOLDS
    assert (result.failed, result.unexpected) == (0, 0)
    result.check(600)
    assert sorted(server.pids()) == before


def _events(session: Session) -> queue.Queue[dict[str, Any]]:
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    session.client.on_event.append(told.put)
    session.client.subscribe("held", "released")
    return told


def _next(told: queue.Queue[dict[str, Any]], kind: str) -> dict[str, Any]:
    while True:
        event = told.get(timeout=10)
        if event["event"] == kind:
            return event


def _hold(session: Session, name: str, orders: list[float]) -> None:
    """One call of that user: walk to where it relays, add a header, see it leave."""
    told = _events(session)
    session.hold("ksr_route_relay", f'method == "INVITE" and rU == "{name}" and hdr("Route") == None', once=True)
    held = Held(session, _next(told, "held"))
    step = held.step()
    while "t_relay()" not in step.source.lines[step.where.line - step.source.first]:
        began = time.perf_counter()
        step.next()
        orders.append(time.perf_counter() - began)
    assert held.KSR.hdr.append(f"X-Held: {name}\r\n") == 1
    step.finish()
    assert step.done, step.event
    assert _next(told, "released")["reason"] == "resumed"
    sent = session.call("ksr.message", {"id": held.message.id})["sent"]
    assert any(f"X-Held: {name}\r\n" in session.call("ksr.message", {"id": id})["data"] for id in sent)
    session.client.on_event.remove(told.put)


def _killed(session: Session) -> None:
    """The shell that holds a call dies: the call goes on at once."""
    told = _events(session)
    shell = subprocess.Popen(
        [sys.executable, "-m", "ksrshell", "attach", "held", "-c", _HOLDS_ONE],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    try:
        _next(told, "held")
    finally:
        shell.kill()
        shell.wait()
    released = _next(told, "released")
    assert released["reason"] == "its client has gone" and released["seconds"] < 2
