"""Two proxies that are none, and a fleet of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrshell.fleet import Fleet, connect_all
from shell.fake import FakeProxy


class Counters:
    """What a node counts: set by a test, answered by its RPC commands."""

    def __init__(self) -> None:
        self.tm = {"total": 0, "5xx": 0, "6xx": 0}
        self.sl = {"1xx": 5, "200": 0, "500": 0, "5xx": 0, "6xx": 0}
        self.exceptions = 0
        #: What happens each time somebody looks.
        self.each: dict[str, int] = {}

    def install(self, proxy: FakeProxy) -> None:
        routes = proxy.methods["ksr.routes"]

        def look(params: object) -> object:
            self.tm["total"] += self.each.get("requests", 0)
            self.tm["5xx"] += self.each.get("failed", 0)
            self.exceptions += self.each.get("exceptions", 0)
            return [{**each, "exceptions": self.exceptions * each["callback"]} for each in routes(params)]

        proxy.methods |= {"ksr.routes": look, "tm.stats": lambda p: self.tm, "sl.stats": lambda p: self.sl}


@pytest.fixture
def proxies(runtime: Path) -> Iterator[tuple[FakeProxy, FakeProxy]]:
    with FakeProxy(runtime / "east.sock", "east") as east, FakeProxy(runtime / "west.sock", "west") as west:
        yield east, west


@pytest.fixture
def counters(proxies: tuple[FakeProxy, FakeProxy]) -> tuple[Counters, Counters]:
    found = Counters(), Counters()
    for each, proxy in zip(found, proxies, strict=True):
        each.install(proxy)
    return found


@pytest.fixture
def fleet(proxies: tuple[FakeProxy, FakeProxy]) -> Iterator[Fleet]:
    with connect_all(["east", "west"], timeout=5.0) as fleet:
        yield fleet
