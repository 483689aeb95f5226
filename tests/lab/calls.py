"""One subscriber's registrations and calls through a server of the lab; every run must be clean."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from lab.database import user, users_csv
from lab.server import Server
from lab.sipp import Sipp, SippResult

TRANSPORTS = {"udp": "u1", "tcp": "t1"}

_numbers = itertools.count()


class SippOptions(TypedDict, total=False):
    """Arguments of Sipp that a test may add."""

    calls: int
    rate: float
    csv_file: Path
    keys: Mapping[str, str]
    host: str
    timeout: float
    extra: Sequence[str]


class Caller:
    """Runs scenarios through ``server`` as a subscriber that no earlier Caller of this process was (modulo 100)."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.name = user(next(_numbers) % 100)
        directory.mkdir(parents=True, exist_ok=True)
        self.users = users_csv(directory / "users.csv", [self.name])

    def sipp(self, scenario: str, transport: str = "udp", **options: Unpack[SippOptions]) -> Sipp:
        """The calling side: sends ``scenario`` to the server."""
        if "csv_file" not in options:
            options["csv_file"] = self.users
        return Sipp(self.directory, scenario, self.server.address, transport=TRANSPORTS[transport], **options)

    def callee(self, scenario: str, transport: str = "udp", **options: Unpack[SippOptions]) -> Sipp:
        """The called side: answers; its ``contact`` is to be registered."""
        return Sipp(self.directory, scenario, transport=TRANSPORTS[transport], **options)

    def run(self, scenario: str, transport: str = "udp", **options: Unpack[SippOptions]) -> SippResult:
        """Runs ``scenario`` once."""
        return self.sipp(scenario, transport, **options).run().check(1)

    def register(self, contact: str, transport: str = "udp") -> None:
        self.run("register", transport, keys={"contact": contact})

    def unregister(self, contact: str, transport: str = "udp") -> None:
        self.run("unregister", transport, keys={"contact": contact})

    def call(self, uac: str, uas: str, transport: str = "udp", callee_transport: str | None = None) -> None:
        """Registers a callee, calls it and unregisters it."""
        with self.callee(uas, callee_transport or transport) as callee:
            self.register(callee.contact, transport)
            # The caller's side first: when it failed, the callee may be waiting for what never comes.
            self.sipp(uac, transport).run().check(1)
            callee.wait().check(1)
            self.unregister(callee.contact, transport)
