"""All of it in one server's life: Kamailio's stock script with four workers, under 200 calls a second."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ksrcore.kamailio.agents import look
from ksrcore.kamailio.rpcclient import RpcClient, Target
from ksrshell import nodes
from ksrshell.holds import Held
from ksrshell.session import Session, connect
from lab.agent import places, with_agent
from lab.agentserver import Phone
from lab.child import die_with_parent
from lab.database import make_database
from lab.kamailio import KamailioServer
from lab.load import Load
from lab.memory import measure, quiet
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.priority import first

FUNCTION = "ksr_route_relay"
WORKERS = 4
RATE, CALLS, SWAPS = 200, 1600, 50
#: Of a process, KiB: what Python's and Kamailio's memory may differ by without growing.
NOISE = 256


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KamailioServer]:
    monkeypatch.setattr(nodes, "LINGER", 0.3)
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=20)
    options: dict[str, Any] = {"workers": WORKERS, "log_level": 1, "shared": 128}
    # Transactions go a second after their end: memory is measured without them.
    with (
        first(),
        places(tmp_path),
        with_agent(tmp_path / "server", database, name="life", modparams=(("tm", "wt_timer", 1000),), **options) as it,
    ):
        yield it


@dataclass
class Seen:
    """What came of one attachment."""

    captured: int = 0
    swaps: int = 0
    swap_ms: list[float] = field(default_factory=list)
    held: float = 0.0
    killed: float = 0.0
    problems: list[str] = field(default_factory=list)


def test_a_whole_life(server: KamailioServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice: attach, capture, hold and step a call, edit a header that arrives, swap 50 times in all workers, roll
    back, kill a shell that holds a call, detach. No call fails, no worker is lost, memory is level."""
    rpc = RpcClient([Target("dgram", f"{server.directory}/rpc.sock")])
    load = Load(server, tmp_path / "load", users=20, scenario="spaced")
    load.register().check(20)
    load.call(200, RATE, run=1).check(200)  # each worker waits once for the RTP proxy that is not there
    pids = sorted(server.pids())
    quiet(rpc)
    memory = [measure(rpc, pids)]
    seen = []
    calls = repeated = 0
    for turn in (1, 2):
        one = Seen()
        seen.append(one)
        thread = threading.Thread(target=_attachment, args=(server, one, turn))
        thread.start()
        until = calls + CALLS
        # However long it takes on this machine: there are calls all the time.
        while thread.is_alive() or calls < until:
            result = load.call(CALLS // 2, RATE, run=2 + calls)
            assert (result.failed, result.unexpected) == (0, 0), str(result.caller)
            assert result.caller.ok == result.callee.ok == CALLS // 2
            calls += CALLS // 2
            repeated += result.retransmissions
        assert not one.problems, one.problems[0]
        assert sorted(server.pids()) == pids
        quiet(rpc)
        memory.append(measure(rpc, pids))
    before, middle, after = memory
    lines = [
        f"{calls} calls at {RATE}/s, 0 failed, {repeated} messages repeated, {len(pids)} processes as before; "
        f"{sum(one.swaps for one in seen)} swaps, {max(sum((one.swap_ms for one in seen), [])):.0f} ms at most; "
        f"{sum(one.captured for one in seen)} messages captured; a call held for {seen[0].held:.2f} s, one went on "
        f"{max(one.killed for one in seen) * 1000:.0f} ms after its shell was killed",
        *(f"memory {name}: {each}" for name, each in zip(("before", "in the middle", "after"), memory, strict=True)),
    ]
    with capsys.disabled():
        print("", *lines, sep="\n    ")  # noqa: T201 (the figures are what this test is for)
    for pid in pids:
        assert len(os.listdir(f"/proc/{pid}/fd")) < 60
        # Python takes memory by the MiB, when it takes some.
        assert after.own[pid] - middle.own[pid] <= 1024 + NOISE, (pid, lines)
        assert abs(after.pkg[pid] - before.pkg[pid]) <= NOISE, (pid, lines)
    assert sum(after.own.values()) - sum(middle.own.values()) <= NOISE * len(pids), lines
    assert after.shm - before.shm <= NOISE and after.shm - middle.shm <= NOISE, lines


def _attachment(server: KamailioServer, one: Seen, turn: int) -> None:
    try:
        session = connect("life")
        try:
            _wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
            _wait(lambda: len(session.msgs.where('not out and method == "BYE"')) > 100)  # it flows
            _hold_and_step(session, server, one, turn)
            _swap(session, one)
            _kill_a_shell(session, one)
            _wait(lambda: _call_is_whole(session))
            one.captured = len(session.msgs)
        finally:
            session.close()
        _wait(lambda: not _found().attached and not any(proc.linked for proc in _found().procs))
    except BaseException as error:
        one.problems.append("".join(traceback.format_exception(error)))


def _found() -> Any:
    return look(Path(os.environ["KSRSHELL_DIR"]) / "life.kamailio")


def _wait(true: Callable[[], Any], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come to that: {true.__code__.co_firstlineno}"
        time.sleep(0.02)


def _call_is_whole(session: Session) -> bool:
    """Whether a call of the load is among the captured messages from its INVITE to the end of its BYE."""
    for message in session.msgs.where('is_request and not out and method == "INVITE"')[-60:-40]:
        flow = [(each.out, each.status or each.method) for each in session.flow(message).messages]
        if flow[:2] == [(False, "INVITE"), (True, "INVITE")] and flow[-2:] == [(False, 200), (True, 200)]:
            return (True, "BYE") in flow
    return False


def _events(session: Session) -> queue.Queue[dict[str, Any]]:
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    session.client.on_event.append(told.put)
    session.client.subscribe("held", "released")
    return told


def _next(told: queue.Queue[dict[str, Any]], kind: str) -> dict[str, Any]:
    while True:
        event = told.get(timeout=15)
        if event["event"] == kind:
            return event


def _hold_and_step(session: Session, server: KamailioServer, one: Seen, turn: int) -> None:
    """A call from one phone to another, walked to where it is relayed and given a header: the other phone gets it."""
    told = _events(session)
    caller, callee = Phone(server.address), Phone(server.address)
    try:
        contact = f"sip:seen@127.0.0.1:{callee.port}"
        session.call("ul.add", ["location", "seen", contact, 0, 1.0, "", 0, 0, 16383])
        session.hold(FUNCTION, 'method == "INVITE" and rU == "seen"', once=True)
        began = time.monotonic()
        caller.send("INVITE", f"seen-{turn}", "seen")
        held = Held(session, _next(told, "held"))
        step = held.step()
        while "t_relay()" not in step.source.lines[step.where.line - step.source.first]:
            step.next()
        assert held.KSR.hdr.append("X-Held: yes\r\n") == 1
        held.resume()
        assert _next(told, "released")["reason"] == "resumed"
        one.held = time.monotonic() - began
        request = callee.get(5)
        assert request.startswith(f"INVITE {contact} ") and "\r\nX-Held: yes\r\n" in request
        callee.reply(request, 200)
        while not (reply := caller.get(5)).startswith("SIP/2.0 200"):
            assert reply.startswith("SIP/2.0 100"), reply
        session.call("ul.rm", ["location", "seen"])
    finally:
        caller.close()
        callee.close()
        session.client.on_event.remove(told.put)


def _swap(session: Session, one: Seen) -> None:
    """Each time in all workers; the last is what they have, then nothing of it."""
    head, _, body = str(session.routes[FUNCTION].source).partition("\n")
    indent = body[: len(body) - len(body.lstrip())]
    for number in range(SWAPS):
        began = time.monotonic()
        swapped = session.swap(f'{head}\n{indent}KSR.hdr.append("X-Swap: {number}\\r\\n")\n{body}')
        one.swap_ms.append((time.monotonic() - began) * 1000)
        one.swaps += [name for name, _ in swapped.swapped] == [FUNCTION]
        _wait(lambda: {each["status"] for each in session.call("ksr.workers")} == {"applied"})
    assert one.swaps == SWAPS
    _wait(lambda: session.msgs.where(f'out and hdr("X-Swap") == "{SWAPS - 1}"'))
    session.rollback(FUNCTION, 1)
    assert [each["current"] for each in session.versions(FUNCTION).to_json()].index(True) == 0
    _wait(lambda: {each["status"] for each in session.call("ksr.workers")} == {"applied"})
    last = int(session.stats["received"])
    _wait(lambda: int(session.stats["received"]) > last + 100)
    assert session.msgs.where('out and method == "INVITE"')[-1].id > session.msgs.where('hdr("X-Swap") != None')[-1].id


def _kill_a_shell(session: Session, one: Seen) -> None:
    """A shell at a terminal holds a call of the load and is killed: the call goes on at once."""
    told = _events(session)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "ksrshell", "attach", "life"],
        env={**os.environ, "TERM": "dumb"},
        encoding="utf-8",
        dimensions=(24, 120),
        timeout=20,
        preexec_fn=die_with_parent,
    )  # type: ignore[call-overload, unused-ignore]
    try:
        child.expect(r"In \[")
        child.send("hold('ksr_route_relay', 'method == \"INVITE\" and hdr(\"Route\") == None', once=True)\r")
        child.expect(r"held \d+: INVITE")
        _next(told, "held")
        began = time.monotonic()
        child.kill(signal.SIGKILL)
        released = _next(told, "released")
        one.killed = time.monotonic() - began
        assert released["reason"] == "its client has gone"
    finally:
        child.close(force=True)
    session.client.on_event.remove(told.put)
