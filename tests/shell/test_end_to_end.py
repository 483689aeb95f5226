"""The shell on a real proxy: ``ksrshell serve`` with a small script, messages over UDP, a terminal by pexpect."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pexpect
import pytest

import ksrshell
from ksrshell.errors import Disconnected, RemoteError
from ksrshell.proxies import running
from lab.ports import free_port

SCRIPT = """\
import KSR as KSR


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_OPTIONS():
            KSR.sl.send_reply(200, "Keepalive")
            return 1
        return self.ksr_route_refuse(msg)

    def ksr_route_refuse(self, msg):
        user = KSR.pv.get("$rU")
        if user == "boom":
            raise KeyError(user)
        KSR.hdr.append("X-Seen: yes\\r\\n")
        KSR.sl.send_reply(404, "No " + str(user))
        return 1
"""


@dataclass
class Proxy:
    """A running ``ksrshell serve``."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]

    def send(self, method: str, user: str) -> str:
        """Send a request and return the reply's first line."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5.0)
            here = "{}:{}".format(*sock.getsockname())
            request = (
                f"{method} sip:{user}@127.0.0.1:{self.port} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{uuid4().hex}\r\nFrom: <sip:alice@a.example>;tag=1\r\n"
                f"To: <sip:{user}@b.example>\r\nCall-ID: {uuid4().hex}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:alice@{here}>\r\nContent-Length: 0\r\n\r\n"
            )
            sock.sendto(request.encode(), ("127.0.0.1", self.port))
            return sock.recv(65535).decode().partition("\r\n")[0]

    def ksrshell(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ksrshell", *args]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=20)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def serve(runtime: Path, folder: Path, port: int) -> Proxy:
    environment = {
        **os.environ, "XDG_STATE_HOME": str(folder), "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": "80", "LINES": "24",
        "IPYTHONDIR": str(folder / "ipython"),
    }  # fmt: skip
    script = folder / "router.py"
    script.write_text(SCRIPT)
    command = [
        sys.executable, "-m", "ksrshell", "serve", str(script), "--listen", f"udp:127.0.0.1:{port}", "--name", "e2e",
        "--db", f"sqlite:///{folder / 'e2e.db'}",
    ]  # fmt: skip
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
        )
    assert process.stdout is not None
    with process.stdout:
        ready = process.stdout.readline()
    assert ready == f"ready e2e {runtime / 'e2e.sock'}\n".encode(), (folder / "log").read_text()
    return Proxy(process, port, environment)


@pytest.fixture
def proxy(runtime: Path, tmp_path: Path) -> Iterator[Proxy]:
    made = serve(runtime, tmp_path, free_port())
    yield made
    if made.process.poll() is None:
        made.stop()


def test_a_session(proxy: Proxy) -> None:
    assert proxy.send("OPTIONS", "x") == "SIP/2.0 200 Keepalive"
    assert proxy.send("INVITE", "bob") == "SIP/2.0 404 No bob"
    assert proxy.send("MESSAGE", "boom").startswith("SIP/2.0 500")
    with ksrshell.connect("e2e") as session:
        msgs = session.msgs
        assert [m.method for m in msgs if m.is_request] == ["OPTIONS", "INVITE", "MESSAGE"]
        invite = msgs.where('method == "INVITE" and is_request and fU == "alice"')[-1]
        assert [call.name for call in invite.calls] == [
            "KSR.is_OPTIONS", "KSR.pv.get", "KSR.hdr.append", "KSR.sl.send_reply",
        ]  # fmt: skip
        assert invite.calls[3].args == (404, "No bob")
        assert [m.title for m in invite.sent] == ["404 No bob"]
        assert invite.sent[0].cause == invite
        assert invite.pv("$rU") == "bob"
        assert len(invite.flow().messages) == 2
        assert "KeyError: 'boom'" in (msgs.where("method == 'MESSAGE' and is_request")[-1].traceback)

        session.use(invite)
        assert session.KSR.pv.get("$ru") == f"sip:bob@127.0.0.1:{proxy.port}"
        session.KSR.hdr.append("X-A: b\r\n")
        session.KSR.sl.send_reply(486, "Busy")
        effects = session.effects()
        assert effects.sent[0].raw.startswith(b"SIP/2.0 486 Busy\r\n")
        assert "+X-A: b" in effects.diff.text
        assert len(msgs) == 6  # nothing was sent

        with session.step(invite) as step:
            step.next().into()
            step.next_call()
            while step.where.function != "ksr_route_refuse":
                step.into()
            step.finish()
            assert step.done and step.exception is None
            assert [call.name for call in step.calls][-1] == "KSR.sl.send_reply"
            assert step.calls[-1].args == (404, "No bob")
            assert step.effects.sent[0].raw.startswith(b"SIP/2.0 404 No bob\r\n")
        assert len(msgs) == 6

        source = session.routes["ksr_route_refuse"].source
        session.swap(source.replace('404, "No "', '486, "Busy "'))
        assert proxy.send("INVITE", "bob") == "SIP/2.0 486 Busy bob"
        assert session.versions("ksr_route_refuse")[2].current
        session.rollback("ksr_route_refuse")
        assert proxy.send("INVITE", "bob") == "SIP/2.0 404 No bob"
        with pytest.raises(RemoteError, match="does not compile"):
            session.swap("def ksr_route_refuse(self, msg:\n")
        assert session.rpc("core.uptime")["uptime"] >= 0


def test_without_a_terminal(proxy: Proxy) -> None:
    proxy.send("INVITE", "bob")
    shown = proxy.ksrshell("attach", "-c", "flow(1)")
    assert shown.returncode == 0 and "INVITE" in shown.stdout and "\x1b" not in shown.stdout
    assert json.loads(proxy.ksrshell("attach", "e2e", "--json", "-c", "msgs[1].method").stdout) == "INVITE"
    failed = proxy.ksrshell("attach", "-c", "use(1); KSR.sl.send_reply('x')")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: KSR.sl.send_reply(code: int, reason: str) -> int: got ('x',)")
    assert failed.stderr.count("\n") == 1
    assert proxy.ksrshell("ps").stdout.splitlines()[1].split()[:2] == ["e2e", str(proxy.process.pid)]


def test_a_proxy_that_ends_and_comes_back(proxy: Proxy, runtime: Path, tmp_path: Path) -> None:
    with ksrshell.connect("e2e") as session:
        proxy.stop()
        with pytest.raises(Disconnected):
            session.stats["captured"]
        again = serve(runtime, tmp_path, proxy.port)
        try:
            assert session.stats["captured"] == 0
            assert session.hello["pid"] == again.process.pid
        finally:
            again.stop()
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("terminal", ["dumb", "xterm-256color"])
def test_at_a_terminal(proxy: Proxy, terminal: str) -> None:
    proxy.send("INVITE", "bob")
    environment = {**proxy.environment, "TERM": terminal}
    child = pexpect.spawn(
        sys.executable, ["-m", "ksrshell", "attach"], env=environment, encoding="utf-8", dimensions=(24, 80), timeout=15
    )  # type: ignore[call-overload, unused-ignore]

    def enter(text: str, expected: Any) -> None:
        child.send(text + "\r")
        child.expect(expected)

    child.expect("listening on udp:127.0.0.1:")
    child.expect(r"In \[")
    enter("msgs[1].method", "'INVITE'")
    enter("use(1)", "using 1 INVITE")
    child.expect(r"\[1 INVITE\]")
    enter("KSR.sl.send_reply(404, 'Nope')", r"Out.*1")
    enter("effects()", r"would send to udp")
    enter("KSR.sl.sendreply", "no such name; nearest: KSR.sl.send_reply")
    enter("flow(1)", "404 No bob")
    enter("exit", pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    if terminal == "dumb":
        assert not re.search(r"\x1b\[3\d", child.before or "")


def test_figures_once_a_second(proxy: Proxy) -> None:
    with ksrshell.connect("e2e") as session:
        assert proxy.send("OPTIONS", "x") == "SIP/2.0 200 Keepalive"
        assert (session.stats["received"], session.stats["sent"]) == (1, 1)
        events: queue.Queue[dict[str, Any]] = queue.Queue()
        session.client.on_event.append(events.put)
        session.client.subscribe("stats")
        event = events.get(timeout=5)
        assert (event["event"], event["stats"]["sent"]) == ("stats", 1)
        assert set(event["stats"]) == set(session.stats.to_json())


@pytest.mark.parametrize(("sent", "terminal"), [(signal.SIGKILL, "dumb"), (signal.SIGTERM, "xterm-256color")])
def test_run_ends_with_its_proxy_and_says_how(
    runtime: Path, tmp_path: Path, sent: signal.Signals, terminal: str
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": terminal, "PROMPT_TOOLKIT_NO_CPR": "1"}
    listen = f"udp:127.0.0.1:{free_port()}"
    child = pexpect.spawn(
        sys.executable, ["-m", "ksrshell", "run", str(script), "--listen", listen], env=environment,
        encoding="utf-8", dimensions=(24, 200), timeout=20,
    )  # type: ignore[call-overload, unused-ignore]  # fmt: skip
    child.expect(r"In \[")
    with ksrshell.connect("mine") as session:
        session.call("core.uptime", [])
        os.kill(int(session.hello["pid"]), sent)
        how = "was ended by SIGKILL" if sent == signal.SIGKILL else "ended with status 0"
        child.expect(f"the proxy mine {how}")
    if sent == signal.SIGTERM:
        child.expect("mine.log ends with:")
        child.expect("stopping")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    (runtime / "mine.sock").unlink(missing_ok=True)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_demo_whose_terminal_is_closed_leaves_nothing(proxy: Proxy, tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    environment = {**proxy.environment, "TERM": "xterm", "TMPDIR": str(temporary)}
    child = pexpect.spawn(
        sys.executable, ["-m", "ksrshell", "demo"], env=environment, encoding="utf-8", dimensions=(24, 80), timeout=20
    )  # type: ignore[call-overload, unused-ignore]
    child.expect(r"In \[")
    with ksrshell.connect("demo") as session:
        pid = int(session.hello["pid"])
    child.kill(number)
    child.expect(pexpect.EOF)
    child.close()
    assert "demo" not in [found.name for found in running()]
    assert list(temporary.glob("ksrshell-demo-*")) == []
    assert not Path(f"/proc/{pid}").exists()
