"""A real Kamailio whose script has the agent, its node, and phones that a test plays by hand."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ksrcore
import ksrshell
from ksrcore.kamailio.agents import look
from ksrshell.session import Session
from lab.agent import AGENT
from lab.child import die_with_parent
from lab.database import make_database
from lab.kamailio import APP_PYTHON3, KamailioServer
from lab.server import Modparam

CORE = Path(ksrcore.__file__).parents[1]
PACKAGE = CORE / "ksrcore" / "kamailio"


class AgentServer(KamailioServer):
    """Kamailio with the script and ``import ksragent`` as its last line, or ``beside``: the agent loaded in its place.
    ``folder``: where the agent meets the node."""

    def __init__(
        self,
        directory: Path,
        script: str,
        *,
        workers: int = 4,
        modparams: tuple[Modparam, ...] = (),
        log_level: int = 2,
        module: str = APP_PYTHON3,
        beside: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "held.py"
        last = "" if beside else "import ksragent\n"
        path.write_text(f"import sys\n\nsys.path.append({str(PACKAGE)!r})\n{script}\n{last}")
        meeting = directory / "run"
        meeting.mkdir(mode=0o700)
        super().__init__(
            directory,
            make_database(directory / "kamailio.db", users=1),
            path,
            wrapper=AGENT if beside else path,
            workers=workers,
            modparams=modparams,
            log_level=log_level,
            module=module,
            environment={"KSRSHELL_DIR": str(meeting), "KSRAGENT_SCRIPT": str(path)},
        )
        self.meeting = meeting
        self.folder = meeting / "held.kamailio"

    @contextmanager
    def node(self) -> Iterator[Path]:
        """The control socket of a node."""
        with self.node_process() as (_, control):
            yield control

    @contextmanager
    def node_process(self) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        environment = {**os.environ, "PYTHONPATH": str(CORE), "KSRSHELL_DIR": str(self.meeting)}
        log = self.directory / "node.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "ksrcore.kamailio.node", str(self.folder), "--linger", "60"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.directory,
                preexec_fn=die_with_parent,
            )
        try:
            control = look(self.folder).control
            end = time.monotonic() + 20
            while not control.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise self.failure(f"has no node: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.02)
            yield process, control
        finally:
            process.terminate()
            process.wait(10)

    @contextmanager
    def attached(self) -> Iterator[Session]:
        with self.node() as control, ksrshell.connect(control) as session:
            yield session


class Phone:
    """A UDP socket that speaks SIP as a test says."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self.server = (host, int(port))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]

    def send(self, method: str, call: str, to: str = "bob", at: int = 9, more: str = "") -> None:
        """A request of the call; of the same call it is always the same text. ``at``: the port of the callee."""
        lines = (
            f"{method} sip:{to}@{self.server[0]}:{self.server[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call}",
            f"From: <sip:alice@127.0.0.1>;tag={call}",
            f"To: <sip:{to}@127.0.0.1>",
            f"Call-ID: {call}",
            f"CSeq: 1 {method}",
            "Max-Forwards: 70",
            f"X-At: {at}",
            *([more] if more else ()),
            "Content-Length: 0",
        )
        self.sock.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.server)

    def reply(self, request: str, code: int) -> None:
        """Answer a request that came."""
        head = request.partition("\r\n\r\n")[0].split("\r\n")[1:]
        copied = [line for line in head if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq", "Record-Route")]
        to = next(line for line in head if line.startswith("To:"))
        lines = (f"SIP/2.0 {code} Test", *copied, f"{to};tag=callee", "Content-Length: 0")
        self.sock.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.server)

    def get(self, seconds: float = 3.0) -> str:
        """The next message, '' when none comes."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(65535).decode()
        except TimeoutError:
            return ""

    def lines(self, seconds: float = 0.15) -> list[str]:
        """The first lines of what has come, until nothing comes for so long."""
        found = []
        while text := self.get(seconds):
            found.append(text.partition("\r\n")[0])
        return found

    def close(self) -> None:
        self.sock.close()
