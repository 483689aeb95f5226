"""SIPp as a child process: command line, its statistics files, and a result that explains a failure."""

import csv
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.child import die_with_parent
from lab.database import DOMAIN
from lab.needs import need
from lab.ports import free_media_port, free_port, is_bound

SCENARIOS = Path(__file__).parents[1] / "sipp" / "scenarios"

# What SIPp's -trace_stat counts although the scenario did not foresee it. All must be zero in a clean run.
UNEXPECTED = (
    "FailedUnexpectedMessage(C)",
    "OutOfCallMsgs(C)",
    "DeadCallMsgs(C)",
    "AutoAnswered(C)",
)


@dataclass(frozen=True)
class SippResult:
    """The outcome of one SIPp run.

    ``retransmissions`` were sent by SIPp because an answer was late; ``repeated`` were received from the other side.
    ``response_ms``: mean of SIPp's timer 1, milliseconds (0.0 in a scenario without one). ``details``: what went
    wrong, for a person: the beginning of SIPp's error file and of its output.
    """

    scenario: str
    exit_code: int
    ok: int
    failed: int
    retransmissions: int
    repeated: int
    unexpected: int
    response_ms: float
    details: str

    def check(self, calls: int) -> Self:
        """Raises AssertionError unless all ``calls`` succeeded, without a stray message or a retransmission."""
        counts = (self.exit_code, self.ok, self.failed, self.unexpected, self.retransmissions, self.repeated)
        if counts != (0, calls, 0, 0, 0, 0):
            raise AssertionError(f"expected {calls} clean calls: {self}")
        return self

    def __str__(self) -> str:
        return (
            f"sipp {self.scenario}: exit code {self.exit_code}, {self.ok} ok, {self.failed} failed, "
            f"{self.unexpected} unexpected messages, {self.retransmissions} retransmissions sent, "
            f"{self.repeated} received\n{self.details}"
        )


class Sipp:
    """One SIPp process; a context manager that leaves none behind.

    ``scenario``: the name of a file in tests/sipp/scenarios. ``target``: "host:port" the requests go to (None: it only
    answers). ``transport``: SIPp's ``-t`` (u1, t1, tn ...). ``keys``: values of ``[name]`` in the scenario;
    ``[domain]`` is always there. ``rate``: calls a second. ``timeout``: seconds until SIPp gives up.
    """

    def __init__(
        self,
        directory: Path,
        scenario: str,
        target: str | None = None,
        *,
        calls: int = 1,
        rate: float = 10,
        transport: str = "u1",
        csv_file: Path | None = None,
        keys: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        timeout: float = 10,
        extra: Sequence[str] = (),
    ) -> None:
        self.scenario = scenario
        self.target = target
        self.calls = calls
        self.rate = rate
        self.transport = transport
        self.csv_file = csv_file
        self.keys = {"domain": DOMAIN, **(keys or {})}
        self.host = host
        self.port = port or free_port(host)
        self.timeout = timeout
        self.extra = list(extra)
        # Several runs of one scenario may share a folder: the port tells them apart.
        self.folder = directory / f"sipp-{scenario}-{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def contact(self) -> str:
        """The address part of a Contact that leads to this SIPp: ``host:port;transport=...``."""
        return f"{self.host}:{self.port};transport={'tcp' if self.transport.startswith('t') else 'udp'}"

    def command(self) -> list[str]:
        sipp = need("sipp", package="sip-tester")
        command = [sipp, "-sf", str(SCENARIOS / f"{self.scenario}.xml"), "-t", self.transport]
        command += ["-i", self.host, "-p", str(self.port), "-m", str(self.calls)]
        command += ["-nostdin", "-cp", str(free_port(self.host)), "-mp", str(free_media_port(self.host))]
        command += ["-trace_err", "-error_file", str(self.folder / "errors.log")]
        command += ["-trace_stat", "-stf", str(self.folder / "stat.csv"), "-fd", "1", "-trace_counts"]
        command += ["-timeout", f"{self.timeout:.0f}s", "-timeout_error"]
        if self.csv_file is not None:
            command += ["-inf", str(self.csv_file)]
        for key, value in self.keys.items():
            command += ["-key", key, value]
        if self.target is not None:
            command += ["-r", f"{self.rate:g}", self.target]
        return [*command, *self.extra]

    def start(self) -> Self:
        """Starts SIPp and returns once it has its socket."""
        self.folder.mkdir(parents=True)
        with (self.folder / "output.log").open("wb") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # -trace_counts has no file option: it writes to the working directory.
                cwd=self.folder,
                preexec_fn=die_with_parent,
                env={**os.environ, "TERM": os.environ.get("TERM") or "xterm"},
            )
        deadline = time.monotonic() + 5
        while self.process.poll() is None and not is_bound(self.port, "tcp" if self.transport[0] == "t" else "udp"):
            if self.target is not None or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait(self) -> SippResult:
        """Waits until SIPp has made or taken its calls (or its time is over) and reads its statistics."""
        if self.process is None:
            raise RuntimeError(f"sipp {self.scenario} was not started; use it in a with statement")
        try:
            code = self.process.wait(self.timeout + 10)
        except subprocess.TimeoutExpired:
            self.stop()
            code = self.process.returncode
        return self.result(code)

    def run(self) -> SippResult:
        """Start, wait, stop."""
        with self:
            return self.wait()

    def result(self, code: int) -> SippResult:
        """What SIPp's files say; ``code`` is its exit code (0: every call succeeded)."""
        stat = _last_row(self.folder / "stat.csv")
        hours, minutes, seconds = (stat.get("ResponseTime1(C)") or "00:00:00:000000").split(":")[:3]
        micro = (stat.get("ResponseTime1(C)") or "0:0:0:0").split(":")[3]
        clean = code == 0 and stat.get("FailedCall(C)") == "0"
        return SippResult(
            scenario=self.scenario,
            exit_code=code,
            ok=int(stat.get("SuccessfulCall(C)") or 0),
            failed=int(stat.get("FailedCall(C)") or 0),
            retransmissions=int(stat.get("Retransmissions(C)") or 0),
            repeated=self._repeated(),
            unexpected=sum(int(stat.get(name) or 0) for name in UNEXPECTED),
            response_ms=(int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(micro) / 1000,
            details="" if clean else self._details(),
        )

    def _repeated(self) -> int:
        """Retransmissions received: the ``N_NAME_Retrans`` columns of messages that the scenario receives."""
        total = 0
        for path in self.folder.glob("*_counts.csv"):
            row = _last_row(path)
            for name, value in row.items():
                # Columns of a received message: _Recv, _Retrans, _Timeout, _Unexp; of a sent one: _Sent, _Retrans ...
                if name.endswith("_Retrans") and f"{name.removesuffix('_Retrans')}_Recv" in row:
                    total += int(value or 0)
        return total

    def _details(self, lines: int = 40) -> str:
        parts: list[str] = []
        for name in ("errors.log", "output.log"):
            path = self.folder / name
            text = path.read_text(errors="replace") if path.exists() else ""
            head = [line for line in text.splitlines() if line.strip()][:lines]
            if head and not (name == "output.log" and parts):
                parts.append(f"--- {name}\n" + "\n".join(head))
        return "\n".join(parts)


def _last_row(path: Path) -> dict[str, str]:
    """The last line of one of SIPp's semicolon-separated files by column name; empty when there is none."""
    if not path.exists():
        return {}
    with path.open(newline="", errors="replace") as file:
        rows = list(csv.reader(file, delimiter=";"))
    return dict(zip(rows[0], rows[-1], strict=False)) if len(rows) > 1 else {}
