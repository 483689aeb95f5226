"""A real Kamailio with the agent: attach, capture, swap in all workers, detach, and everything that dies meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio.agents import Server as Found
from ksrcore.kamailio.agents import look
from ksrshell import nodes
from ksrshell.errors import AttachError, RemoteError
from ksrshell.proxies import running
from ksrshell.session import Session, connect
from lab.agent import places, with_agent
from lab.child import die_with_parent
from lab.database import make_database
from lab.kamailio import KamailioServer
from lab.load import Load
from lab.needs import STOCK_SCRIPT, need, need_file

FUNCTION = "ksr_route_relay"
WORKERS = 4


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KamailioServer]:
    monkeypatch.setattr(nodes, "LINGER", 0.5)
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=20)
    with (
        places(tmp_path),
        with_agent(tmp_path / "server", database, name="lab", workers=WORKERS, log_level=1, shared=128) as made,
    ):
        yield made


def found() -> Found:
    return look(Path(os.environ["KSRSHELL_DIR"]) / "lab.kamailio")


def wait(true: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def marked(session: Session, text: str) -> str:
    """The function with a header appended first, ready to swap in."""
    head, _, body = str(session.routes[FUNCTION].source).partition("\n")
    indent = body[: len(body) - len(body.lstrip())]
    return f'{head}\n{indent}KSR.hdr.append("X-Swap: {text}\\r\\n")\n{body}'


def statuses(session: Session) -> set[str]:
    return {each["status"] for each in session.call("ksr.workers")}


def test_before_and_after(server: KamailioServer) -> None:
    """Listed by ps without being disturbed; attached to; left as it was."""
    wait(lambda: found().workers == WORKERS + 1)
    (alone,) = [each for each in running() if each.name == "lab"]
    assert (alone.hello["engine"], alone.hello["workers"], alone.hello["attached"]) == ("kamailio", WORKERS + 1, False)
    with connect("lab") as session:
        assert session.hello["engine"] == "kamailio" and session.hello["attached"] is True
        assert server.answers(timeout=2)
        wait(lambda: session.msgs.where("is_request"))
        (attached,) = [each for each in running() if each.name == "lab"]
        assert attached.hello["attached"] is True
        assert session.call("core.uptime", [])["uptime"] >= 0
        with pytest.raises(RemoteError, match="app_python.reload is not sent"):
            session.call("app_python.reload", [])
        wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
    wait(lambda: not found().attached)
    wait(lambda: not any(proc.linked for proc in found().procs))
    stays = {"state", "node.lock", "node.log", "swaps.json"}
    wait(lambda: {path.name for path in found().folder.iterdir()} <= stays)
    assert server.answers(timeout=2)


def test_a_call_is_captured(server: KamailioServer, tmp_path: Path) -> None:
    load = Load(server, tmp_path / "load", users=1, scenario="spaced")
    load.register().check(1)
    with connect("lab") as session:
        wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
        assert load.call(1, 1).failed == 0
        wait(lambda: len(session.msgs.where('method == "BYE"')) == 4)
        invite = session.msgs.where('is_request and not out and method == "INVITE"')[0]
        assert [run.callback for run in invite.runs] == ["ksr_branch_manage", "ksr_request_route"]
        assert any("KSR.tm.t_relay" in str(call) for call in invite.runs[1].calls)
        flow = [(message.out, message.status or message.method) for message in session.flow(invite).messages]
        one = [(False, "INVITE"), (True, "INVITE"), (False, 180), (True, 180), (False, 200), (True, 200)]
        assert flow == [*one, (False, "ACK"), (True, "ACK"), (False, "BYE"), (True, "BYE"), (False, 200), (True, 200)]
        routes = session.routes
        assert routes["ksr_request_route"].hits >= 3 and routes["ksr_reply_route"].hits == 3
        assert routes["ksr_request_route"].average
        # What needs a sandbox is offered on the core beside it.
        for ask in (session.step, session.use, session.trace):
            with pytest.raises(RemoteError, match='engine="embedded"'):
                ask(invite)
        with pytest.raises(RemoteError, match='engine="embedded"'):
            session.try_swap(marked(session, "1"))
        assert session.step(invite, engine="embedded").to_json()["function"] == "ksr_request_route"
        trial = session.try_swap(marked(session, "1"), on=[invite], engine="embedded")
        assert trial.to_json()["tried"] == 1


def test_swaps_under_load(server: KamailioServer, tmp_path: Path) -> None:
    """50 calls a second: attached, 50 swaps in all workers, the node and a shell killed, detached. No call fails."""
    load = Load(server, tmp_path / "load", users=20, scenario="spaced")
    load.register().check(20)
    load.call(100, 50, run=1).check(100)  # each worker waits once for the RTP proxy that is not there
    before = sorted(server.pids())
    callee = load.call
    problems: list[str] = []
    done: list[int] = []

    def work() -> None:
        try:
            _attach_and_swap(problems, done)
        except Exception as error:
            problems.append(repr(error))

    thread = threading.Thread(target=work)
    thread.start()
    result = callee(500, 50, run=2)
    thread.join(60)
    assert problems == [] and len(done) == 50
    assert (result.failed, result.unexpected, result.retransmissions) == (0, 0, 0)
    result.check(500)
    assert sorted(server.pids()) == before
    wait(lambda: not found().attached, 15)
    load.call(100, 50, run=3).check(100)


def _attach_and_swap(problems: list[str], done: list[int]) -> None:
    session = connect("lab")
    source = [marked(session, str(number)) for number in range(50)]
    for number in range(20):
        swapped = session.swap(source[number])
        done.append(number)
        assert [name for name, _ in swapped.swapped] == [FUNCTION]
    session.rollback()
    os.kill(session.hello["node"], signal.SIGKILL)
    session.close()
    session = connect("lab")  # another node, which knows what the workers have
    assert session.call("ksr.versions", {"name": FUNCTION})[-2]["current"]
    for number in range(20, 50):
        session.swap(source[number])
        done.append(number)
        if number % 10 == 0:
            session.rollback()
    wait(lambda: statuses(session) == {"applied"})
    shell = subprocess.Popen(
        [sys.executable, "-m", "ksrshell", "attach", "lab", "-c", f"while True: swap({source[0]!r}); rollback()"],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    versions = len(session.versions(FUNCTION).to_json())
    wait(lambda: len(session.versions(FUNCTION).to_json()) > versions)
    shell.kill()
    shell.wait()
    with pytest.raises(RemoteError, match="nothing to roll back"):
        while True:
            session.rollback()
    wait(lambda: statuses(session) == {"applied"})
    assert not session.call("ksr.versions", {"name": FUNCTION})[-1]["current"]
    session.close()


def test_code_that_fails_in_the_first_worker_changes_nothing(server: KamailioServer) -> None:
    with connect("lab") as session:
        with pytest.raises(RemoteError, match="not swapped: process .* ZeroDivisionError"):
            session.swap(f"def {FUNCTION}(self, msg, x=1 / 0):\n    return 1\n")
        with pytest.raises(RemoteError, match="line 2"):
            session.swap(f"def {FUNCTION}(self, msg):\n    return (\n")
        assert len(session.versions(FUNCTION).to_json()) == 1 and statuses(session) == {"applied"}


def test_a_server_that_is_started_anew(server: KamailioServer) -> None:
    session = connect("lab", persistent=True)
    said: list[str] = []
    back: list[tuple[str, bool]] = []
    session.client.on_event.append(lambda event: said.append(str(event.get("text"))))
    session.client.on_back = lambda text, same: back.append((text, same))
    session.client.subscribe("reload")
    session.swap(marked(session, "1"))
    server.stop()
    wait(lambda: said)
    assert "the server has ended" in said[0]
    with pytest.raises((AttachError, RemoteError), match="."):
        session.swap(marked(session, "2"))
    server.start()
    wait(lambda: back, 20)
    assert "what was swapped before is gone" in back[0][0] and not back[0][1]
    assert len(session.versions(FUNCTION).to_json()) == 1
    wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
    session.close()
