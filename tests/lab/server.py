"""A SIP server under test, started for one test and stopped surely: what Kamailio and the embedded proxy share."""

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from lab.child import die_with_parent
from lab.database import DOMAIN
from lab.ports import free_port

Modparam = tuple[str, str, int | str]


class ServerFailed(Exception):
    """The server did not start, did not answer or did not stop; the text ends with the last lines of its log."""


class Server(ABC):
    """One running server on loopback: UDP and TCP on ``port``; a context manager.

    ``script``: the KEMI script; ``KSR_LAB_SCRIPT`` in the environment names it. ``database``: a SQLite file (see
    lab.database). ``directory``: everything the server writes goes there. ``modparams``: (module, name, value), over
    the defaults of the stock configuration.
    """

    kind = "server"
    host = "127.0.0.1"

    def __init__(
        self,
        directory: Path,
        database: Path,
        script: Path,
        *,
        modparams: tuple[Modparam, ...] = (),
        environment: dict[str, str] | None = None,
        domain: str = DOMAIN,
        port: int | None = None,
    ) -> None:
        self.directory = directory
        self.database = database
        self.script = script
        self.modparams = modparams
        self.environment = {"KSR_LAB_SCRIPT": str(script), **(environment or {})}
        self.domain = domain
        self.port = port or free_port()
        self.log_path = directory / f"{self.kind}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line; writes the files that it names."""

    def started(self, deadline: float) -> None:  # noqa: B027 (nothing to wait for is a good default)
        """Waits for a sign of life of the server's own before OPTIONS are sent; ``deadline`` is monotonic seconds."""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """All that the server wrote to standard output and standard error until now."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self, timeout: float = 20.0) -> None:
        """Starts the server and returns when it answers an OPTIONS; raises ServerFailed after ``timeout`` seconds."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout
        command = self.command()
        with self.log_path.open("wb") as log:
            # A session of its own: its processes are found by the session id, also those whose parent is gone.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        try:
            self.started(deadline)
            while not self.answers():
                self.check_alive()
                if time.monotonic() > deadline:
                    raise self.failure(f"does not answer OPTIONS at udp:{self.address} after {timeout:.0f} s")
        except BaseException:
            self.stop(check=False)
            raise

    def check_alive(self) -> None:
        """Raises ServerFailed when the server's first process has ended."""
        if self.process is None or self.process.poll() is not None:
            code = None if self.process is None else self.process.returncode
            raise self.failure(f"ended with exit code {code}")

    def failure(self, text: str) -> ServerFailed:
        tail = "\n".join(self.log.splitlines()[-25:])
        return ServerFailed(f"{self.kind} {text}; its log ends:\n{tail}")

    def stop(self, timeout: float = 10.0, check: bool = True) -> None:
        """Ends every process of the server; ``check``: raises ServerFailed when it had to be killed or had crashed."""
        if self.process is None:
            return
        crashed = self.process.poll()
        self.process.terminate()
        try:
            self.process.wait(timeout)
            killed = False
        except subprocess.TimeoutExpired:
            killed = True
        for pid in self.pids():
            killed = True
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        if check and crashed is not None:
            raise self.failure(f"had ended by itself with exit code {crashed}")
        if check and killed:
            raise self.failure(f"was not gone {timeout:.0f} s after SIGTERM and had to be killed")

    def kill(self) -> None:
        """Ends every process with SIGKILL, as a crash or a power cut would."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.stop(check=False)

    def answers(self, timeout: float = 0.1, user: str = "") -> bool:
        """True when an OPTIONS to ``user`` (or to the server itself) gets a 200 over UDP in ``timeout`` seconds."""
        target = f"sip:{user}{'@' if user else ''}{self.address}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.host, 0))
            probe.settimeout(timeout)
            here = "{}:{}".format(*probe.getsockname())
            request = (
                f"OPTIONS {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{uuid4().hex}\r\n"
                f"From: <sip:probe@{self.domain}>;tag=probe\r\nTo: <{target}>\r\nCall-ID: {uuid4().hex}\r\n"
                f"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContact: <sip:probe@{here}>\r\nContent-Length: 0\r\n\r\n"
            )
            probe.sendto(request.encode("ascii"), (self.host, self.port))
            try:
                return probe.recv(65535).startswith(b"SIP/2.0 200 ")
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
                return False

    def pids(self) -> list[int]:
        """All live processes of the server (its session's), zombies left out."""
        if self.process is None:
            return []
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                # The command in parentheses may hold spaces: the fields are counted after the last one.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(folder.name))
        return found

    def cpu_ns(self) -> int:
        """Nanoseconds on a CPU of all threads of all processes that run now (/proc/PID/task/*/schedstat)."""
        total = 0
        for pid in self.pids():
            for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    total += int(schedstat.read_text().split()[0])
                except OSError:
                    continue
        return total

    def rss_kib(self) -> int:
        """Resident memory of all processes in KiB; pages that they share are counted in each."""
        total = 0
        for pid in self.pids():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return total
