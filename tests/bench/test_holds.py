"""A small run of the load with holds: nothing fails, nothing is repeated, each held call is let go."""

from pathlib import Path

import pytest

from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.holding import run
from lab.load import Load
from lab.needs import STOCK_SCRIPT, need, need_file


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_held_calls_among_others(transport: str, tmp_path: Path) -> None:
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=20)
    with EmbeddedServer(tmp_path / "server", database) as server:
        load = Load(server, tmp_path / "load", transport, users=20)
        load.register().check(20)
        result = run(server, load, 1, calls=200, rate=50, holds=4, seconds=0.3)
        result.caller.check(200)
        result.callee.check(200)
        assert result.problems == []
        assert len(result.held) == 4 and len([ms for ms in result.setup_ms if ms >= 300]) >= 4
