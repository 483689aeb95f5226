"""The load of the benchmark and of the acceptance run: registrations with digest, then calls through location."""

from dataclasses import dataclass
from pathlib import Path

from lab.calls import TRANSPORTS
from lab.database import user, users_csv
from lab.server import Server
from lab.sipp import Sipp, SippResult


@dataclass(frozen=True)
class LoadResult:
    """Both ends of the calls of one run."""

    caller: SippResult
    callee: SippResult

    @property
    def failed(self) -> int:
        return max(self.caller.failed, self.callee.failed)

    @property
    def unexpected(self) -> int:
        return self.caller.unexpected + self.callee.unexpected

    @property
    def retransmissions(self) -> int:
        """Sent by either end because it had no answer in time, and received by either end."""
        return sum(end.retransmissions + end.repeated for end in (self.caller, self.callee))

    def check(self, calls: int) -> None:
        self.caller.check(calls)
        self.callee.check(calls)


class Load:
    """SIPp on both sides of ``server``: ``users`` subscribers, all reachable at one callee.

    ``scenario``: ``load``, or ``spaced`` for a server of several workers, which may pass messages on in any order.
    """

    def __init__(
        self, server: Server, directory: Path, transport: str = "udp", users: int = 100, scenario: str = "load"
    ) -> None:
        self.scenario = scenario
        self.server = server
        self.directory = directory
        self.transport = TRANSPORTS[transport]
        self.users = users
        directory.mkdir(parents=True, exist_ok=True)
        self.csv_file = users_csv(directory / "users.csv", [user(i) for i in range(users)])
        # One port for all runs: the registrations stay valid.
        self.callee_port = self._callee(1, 1).port

    def _callee(self, calls: int, timeout: float, port: int | None = None, run: int = 0) -> Sipp:
        folder = self.directory / f"callee-{run}"
        return Sipp(folder, f"{self.scenario}_uas", calls=calls, transport=self.transport, port=port, timeout=timeout)

    def register(self, rate: float = 100) -> SippResult:
        """Every subscriber registers once, with digest; the contact is the callee's."""
        contact = self._callee(1, 1, self.callee_port).contact
        return Sipp(
            self.directory,
            "register",
            self.server.address,
            calls=self.users,
            rate=rate,
            transport=self.transport,
            csv_file=self.csv_file,
            keys={"contact": contact},
            timeout=self.users / rate + 20,
        ).run()

    def call(self, calls: int, rate: float, run: int = 0) -> LoadResult:
        """``calls`` calls at ``rate`` a second, the subscribers in turn; ``run`` numbers the calls of this Load."""
        timeout = calls / rate + 40
        with self._callee(calls, timeout, self.callee_port, run) as callee:
            caller = Sipp(
                self.directory / f"caller-{run}",
                f"{self.scenario}_uac",
                self.server.address,
                calls=calls,
                rate=rate,
                transport=self.transport,
                csv_file=self.csv_file,
                timeout=timeout,
            ).run()
            if caller.failed or caller.exit_code:
                callee.stop()
            return LoadResult(caller, callee.wait())
