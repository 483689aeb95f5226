"""Two real Kamailios and an embedded core in one session, with calls through all three the whole time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ksrshell import connect_all, nodes
from ksrshell.agent import AgentError, UserAgent
from ksrshell.errors import KsrShellError, RemoteError
from ksrshell.fleet import Fleet, canary
from lab.agent import places, with_agent
from lab.database import DOMAIN, make_database, password
from lab.embedded import EmbeddedServer
from lab.needs import STOCK_SCRIPT, need_file
from lab.server import Modparam, Server

NAMES = ["edge1", "edge2", "core"]
RELAY = "ksr_route_relay"
#: All calls come from one address.
MANY: tuple[Modparam, ...] = (("pike", "reqs_density_per_unit", 100_000),)


def wait(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
    return found


class Calls:
    """One phone calls another through a server, again and again, from the start to :meth:`close`."""

    def __init__(self, server: Server) -> None:
        host = (server.host, server.port)
        self.agents = [UserAgent(user, password(user), DOMAIN, host, ring=0.02) for user in ("u000", "u001")]
        #: What became of the calls: final statuses, or the error's text.
        self.ended: Counter[int | str] = Counter()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        for agent in self.agents:
            assert agent.register() == 200
        self._thread.start()

    def _run(self) -> None:
        caller, callee = self.agents
        while not self._closed.wait(0.03):
            try:
                self.ended[caller.call(callee.aor, talk=0.02)] += 1
            except AgentError as error:
                self.ended[str(error)] += 1

    def more(self, number: int) -> None:
        """Wait until so many more have succeeded."""
        before = self.ended[200]
        wait(lambda: self.ended[200] >= before + number)

    def close(self) -> None:
        self._closed.set()
        for agent in self.agents:
            agent.stop()
        if self._thread.is_alive():
            self._thread.join(5.0)
        for agent in self.agents:
            agent.close()


class Lab:
    def __init__(self, servers: dict[str, Server]) -> None:
        self.servers = servers
        self.calls: dict[str, Calls] = {}

    def call(self) -> None:
        """Calls through every server from now on."""
        self.calls = {name: Calls(server) for name, server in self.servers.items()}
        for each in self.calls.values():
            each.start()

    def hang_up(self) -> None:
        for each in self.calls.values():
            each.close()

    def unhurt(self, *names: str) -> None:
        """The calls through these servers have all succeeded, and still do."""
        for name in names:
            self.calls[name].more(2)
            assert set(self.calls[name].ended) == {200}, name


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    need_file(STOCK_SCRIPT, package="kamailio")
    base = tmp_path_factory.mktemp("fleet")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(nodes, "LINGER", 0.5)
        patch.setattr(canary, "LOOK", 0.1)
        runtime = base / "run"
        (runtime / "ksrshell").mkdir(mode=0o700, parents=True)
        runtime.chmod(0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        patch.setenv("XDG_STATE_HOME", str(base / "state"))
        stack.enter_context(places(base))
        # One of them lacks a function that the others have.
        other = base / "other.py"
        text = STOCK_SCRIPT.read_text()
        other.write_text(text[: text.index("# global helper function for debugging")])
        servers: dict[str, Server] = {}
        for name, script in (("edge1", STOCK_SCRIPT), ("edge2", other), ("core", STOCK_SCRIPT)):
            database = make_database(base / f"{name}.db", users=4)
            server: Server
            if name == "core":
                server = EmbeddedServer(base / name, database, script, modparams=MANY)
                server.name, server.control = "core", runtime / "ksrshell" / "core.sock"
            else:
                server = with_agent(base / name, database, script, name=name, workers=2, log_level=0, modparams=MANY)
            servers[name] = stack.enter_context(server)
        yield Lab(servers)


@pytest.fixture
def fleet(lab: Lab) -> Iterator[Fleet]:
    """All three, each with calls through it; afterwards each runs its script's file again."""
    with connect_all(NAMES) as fleet:
        for name in fleet:
            wait(partial(_connected, fleet, name))
        lab.call()
        try:
            for each in lab.calls.values():
                each.more(1)
            yield fleet
        finally:
            lab.hang_up()
            _back_to_the_file(fleet)


def _back_to_the_file(fleet: Fleet) -> None:
    for name in fleet:
        while any(route["version"] > 1 for route in fleet[name].call("ksr.routes")):
            fleet[name].rollback()


def workers(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """The processes of a node that receive SIP; the embedded core is one."""
    if fleet[name].hello["engine"] != "kamailio":
        return [{"pid": fleet[name].hello["pid"], "socket": "udp", "status": "applied", "rank": 1}]
    found: list[dict[str, Any]] = fleet[name].call("ksr.workers")
    return found


def _connected(fleet: Fleet, name: str) -> bool:
    return all(each.get("connected", True) for each in workers(fleet, name))


def _applied(fleet: Fleet, name: str) -> bool:
    return {each["status"] for each in workers(fleet, name)} == {"applied"}


def version(fleet: Fleet, name: str, function: str = RELAY) -> int:
    return int(fleet[name].routes[function].version)


def relay(first: str) -> str:
    """The function with lines before its own."""
    text = STOCK_SCRIPT.read_text()
    body = text[text.index(f"    def {RELAY}") :]
    head, _, rest = body[: body.index("\n\n\n")].partition("\n")
    return f"{head}\n        {first}\n{rest}\n"


#: Each call says which process has routed it.
MARKED = relay('KSR.hdr.append("X-Worker: " + str(KSR.pv.get("$pp")) + "\\r\\n")')


def marks(fleet: Fleet, name: str, after: int) -> set[int]:
    """The processes whose marks the INVITEs bear that left since that message."""
    left = fleet[name].msgs.where(f'out and is_request and method == "INVITE" and id > {after} and hdr("X-Worker")')
    return {int(m.headers["X-Worker"]) for m in left}


def last(fleet: Fleet, name: str) -> int:
    return int(fleet[name].msgs[-1].id)


def runs_in_every_worker(fleet: Fleet, name: str) -> None:
    """Not only said, but seen in what each worker has sent."""
    after = last(fleet, name)
    wait(partial(_applied, fleet, name))
    wanted = {int(each["pid"]) for each in workers(fleet, name) if str(each["socket"]).startswith("udp")}
    wait(lambda: marks(fleet, name, after) >= wanted)


def raised(fleet: Fleet, name: str) -> int:
    return sum(route.exceptions for route in fleet[name].routes.values())


def told(fleet: Fleet, *names: str) -> dict[str, int]:
    """How many versions each node knows."""
    return {name: len(fleet[name].versions(RELAY)) for name in names or NAMES}


def back_everywhere(fleet: Fleet, *names: str) -> None:
    for name in names:
        assert version(fleet, name) == 1
        wait(partial(_applied, fleet, name))


def when(true: Callable[[], Any], do: Callable[[], Any]) -> threading.Thread:
    """Do something as soon as something is true, while the test waits for a swap."""

    def run() -> None:
        wait(true, 30)
        do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The nodes that a swap is watching, once it has begun to."""
    found: set[str] = set()
    look = canary._Work._look

    def looked(work: canary._Work, names: list[str]) -> str:
        found.update(names)
        return look(work, names)

    monkeypatch.setattr(canary._Work, "_look", looked)
    return found


def test_the_same_call_on_all(lab: Lab, fleet: Fleet) -> None:
    assert [fleet[name].hello["engine"] for name in NAMES] == ["kamailio", "kamailio", "embedded"]
    assert fleet.rpc("core.uptime").nodes() == NAMES
    assert min(int(counts["2xx"]) for counts in fleet.rpc("tm.stats").values_by_node().values()) > 0
    came = 'is_request and not out and method == "INVITE" and called("KSR.tm.t_relay")'
    wait(lambda: all(fleet[name].msgs.where(came) for name in NAMES))
    invites = fleet.msgs.where(came)[-1]
    assert len(set(invites.callid.values_by_node().values())) == 3
    flows = fleet.flow(invites)
    assert all(len(flows[name].messages) >= 2 for name in NAMES)
    assert min(fleet.routes["ksr_request_route"].hits.values_by_node().values()) >= 3
    assert min(fleet.stats["received"].values_by_node().values()) > 0
    # Functions of KSR on each node's own message: beside a Kamailio, and in a sandbox of the core itself.
    fleet.use(invites, engine="embedded")
    assert fleet.KSR.pv.get("$rU").values_by_node() == dict.fromkeys(NAMES, "u001")
    assert fleet.KSR.is_INVITE().values_by_node() == dict.fromkeys(NAMES, True)
    fleet.use(None)
    lab.unhurt(*NAMES)


@pytest.mark.parametrize("first", ["edge1", "core"])
def test_a_good_canary_is_followed_by_all(lab: Lab, fleet: Fleet, first: str) -> None:
    result = fleet.swap(MARKED, canary=first, for_=1.5, all_for=0.5)
    assert result.taken, result.why
    assert result.figures["requests"] > 0 and result.figures["exceptions"] == 0
    assert set(result.watched) == set(NAMES) and next(iter(result.nodes)) == first
    for name in NAMES:
        assert version(fleet, name) > 1
        runs_in_every_worker(fleet, name)
    shown = repr(result)
    assert f"swapped on {', '.join(result.nodes)}" in shown and max(map(len, shown.splitlines())) <= 80
    assert fleet.rollback().nodes() == NAMES
    back_everywhere(fleet, *NAMES)
    lab.unhurt(*NAMES)


@pytest.mark.parametrize("first", ["edge2", "core"])
def test_a_canary_that_raises_goes_back_by_itself(lab: Lab, fleet: Fleet, first: str) -> None:
    others = [name for name in NAMES if name != first]
    before, newest = told(fleet), {name: last(fleet, name) for name in NAMES}
    result = fleet.swap(relay('raise ValueError("on purpose")'), canary=first, for_=30)
    assert not result.taken and result.why == "exceptions > 0 or failed > 1%"
    assert list(result.nodes) == [first] and result.figures["exceptions"] >= 1
    assert f"rolled back on {first}: exceptions > 0 or failed > 1%" in repr(result)
    back_everywhere(fleet, *NAMES)
    assert told(fleet) == before | {first: before[first] + 1}
    assert not any(fleet[name].msgs.where(f"exception and id > {newest[name]}") for name in others)
    # The calls that met it may have failed; those after it do not.
    failed = raised(fleet, first)
    lab.calls[first].more(5)
    assert raised(fleet, first) == failed
    lab.unhurt(*others)


def test_one_that_raises_when_all_have_it_takes_all_back(lab: Lab, fleet: Fleet) -> None:
    source = relay(f'if KSR.pv.get("$Rp") == {lab.servers["edge2"].port}: raise ValueError("only there")')
    result = fleet.swap(source, canary="edge1", for_=1.5, all_for=30)
    assert not result.taken and result.why == "edge2: exceptions > 0 or failed > 1%"
    assert list(result.nodes) == ["edge1", "edge2", "core"]
    assert result.watched["edge2"]["exceptions"] >= 1 and result.watched["edge1"]["exceptions"] == 0
    assert "rolled back on edge1, edge2, core: edge2: exceptions > 0" in " ".join(repr(result).split())
    back_everywhere(fleet, *NAMES)
    lab.calls["edge2"].more(5)
    lab.unhurt("edge1", "core")


def test_a_canary_that_dies(lab: Lab, fleet: Fleet, watched: set[str]) -> None:
    before = told(fleet, "edge2", "core")
    killer = when(lambda: "edge1" in watched, lab.servers["edge1"].kill)
    result = fleet.swap(MARKED, canary="edge1", for_=30)
    killer.join()
    try:
        assert result.why == "edge1 has ended; when edge1 is started again it runs the script's file"
        assert (result.taken, list(result.nodes), result.back) == (False, ["edge1"], [])
        back_everywhere(fleet, "edge2", "core")
        assert told(fleet, "edge2", "core") == before
        lab.unhurt("edge2", "core")
    finally:
        lab.servers["edge1"].start()
    wait(lambda: _runs(fleet, "edge1"))
    back_everywhere(fleet, *NAMES)


def test_a_canary_whose_node_is_killed(lab: Lab, fleet: Fleet, watched: set[str]) -> None:
    """The server goes on with the new code, nobody counts what it does: it goes back, through another node."""
    before = told(fleet)
    node = int(fleet["edge1"].hello["node"])
    killer = when(lambda: "edge1" in watched, lambda: os.kill(node, signal.SIGKILL))
    result = fleet.swap(MARKED, canary="edge1", for_=30)
    killer.join()
    assert result.why.startswith(("edge1 was started anew meanwhile", "edge1 cannot be watched: the proxy edge1 went"))
    assert (list(result.nodes), result.back) == (["edge1"], ["edge1"])
    back_everywhere(fleet, *NAMES)
    assert told(fleet, "edge2", "core") == {name: before[name] for name in ("edge2", "core")}
    newest = last(fleet, "edge1")
    lab.unhurt(*NAMES)
    assert not marks(fleet, "edge1", newest)


def test_one_that_dies_when_all_have_it(lab: Lab, fleet: Fleet, watched: set[str]) -> None:
    killer = when(lambda: "edge2" in watched, lab.servers["edge2"].kill)
    result = fleet.swap(MARKED, canary="core", for_=1.5, all_for=30)
    killer.join()
    try:
        assert result.why == "edge2 has ended; when edge2 is started again it runs the script's file"
        assert (result.taken, result.back) == (False, ["core", "edge1"])
        back_everywhere(fleet, "edge1", "core")
        lab.unhurt("edge1", "core")
        assert ["has ended" in row[-1] for row in fleet.rows()] == [False, True, False]
        before = told(fleet, "edge1", "core")
        with pytest.raises(KsrShellError, match="not swapped: edge2 has ended"):
            fleet.swap(MARKED, canary="edge1", for_=30)
        assert told(fleet, "edge1", "core") == before
    finally:
        lab.servers["edge2"].start()
    wait(lambda: _runs(fleet, "edge2"))
    back_everywhere(fleet, *NAMES)


def _runs(fleet: Fleet, name: str) -> bool:
    try:
        return version(fleet, name) == 1
    except KsrShellError:
        return False


def test_a_node_that_refuses(lab: Lab, fleet: Fleet) -> None:
    before = told(fleet)
    with pytest.raises(RemoteError, match=r"edge2: .*line 2: '\(' was never closed"):
        fleet.swap(f"def {RELAY}(self, msg):\n    return (\n", canary="edge2", for_=30)
    with pytest.raises(RemoteError, match="edge1: line 2: no_such_helper is not defined"):
        fleet.swap(f"def {RELAY}(self, msg):\n    return no_such_helper(msg)\n")
    assert told(fleet) == before
    # edge2's script has no dumpObj: edge1, which has it already, goes back.
    with pytest.raises(RemoteError, match="edge2: line 2: dumpObj is not defined"):
        fleet.swap(relay("dumpObj(None)"), canary="edge1", for_=1.5)
    back_everywhere(fleet, *NAMES)
    assert told(fleet) == before | {"edge1": before["edge1"] + 1}
    lab.unhurt(*NAMES)


def test_at_a_terminal(lab: Lab, fleet: Fleet, tmp_path: Path) -> None:
    """The command, at 80x24: calls on all, a canary that is given up with Ctrl-C, one that raises."""
    (tmp_path / "marked.py").write_text(MARKED)
    (tmp_path / "bad.py").write_text(relay('raise ValueError("on purpose")'))
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"}
    child = pexpect.spawn(
        sys.executable, ["-m", "ksrshell", "attach", *NAMES], env=environment,
        encoding="utf-8", dimensions=(24, 80), timeout=30, cwd=str(tmp_path),
    )  # type: ignore[call-overload, unused-ignore]  # fmt: skip

    def enter(text: str, *expected: Any) -> None:
        child.send(text + "\r")
        for each in expected:
            child.expect(each)

    child.expect("ksrshell on 3 nodes")
    child.expect(r"In \[")
    enter('rpc("core.version")', "edge1, edge2", "kamailio", "core")
    enter('KSR.pv.get("$ru")', "KSR needs a message")
    enter("%use --embedded -1", r"using \d+", r"using \d+", r"using \d+")
    enter("nodes", "edge1", "kamailio", "core", "embedded")
    enter('swap("marked.py", canary="edge1", for_=60)', r"edge1: \d+ requests, 0.0% failed, 0 raised; seconds: \d+ of")
    child.sendintr()
    child.expect("rolled back on edge1: interrupted")
    enter('swap("bad.py", canary="core", for_=60)', "rolled back on core: exceptions > 0 or failed > 1%")
    enter("exit", pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    back_everywhere(fleet, *NAMES)
    lab.unhurt("edge1", "edge2")


def test_names_in_a_file_and_json(lab: Lab, fleet: Fleet, tmp_path: Path) -> None:
    names = tmp_path / "cluster.txt"
    control = lab.servers["core"].control  # type: ignore[attr-defined]
    names.write_text(f"# the lab\nedge1\nedge2\n{control}  # by its socket\n")
    command = [sys.executable, "-m", "ksrshell", "attach", f"@{names}", "--json", "-c"]
    for code, expected in (("1 + 1", 2), ("len(nodes)", 3)):
        done = subprocess.run([*command, code], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout) == expected
    done = subprocess.run([*command, "routes['ksr_request_route'].hits"], capture_output=True, text=True, timeout=60)
    assert sorted(json.loads(done.stdout)) == sorted(NAMES)
