"""A short run of swaps under load: not one call notices them."""

from pathlib import Path

import pytest

from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.load import Load
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.swaps import swapped_load


@pytest.mark.parametrize("pin", [False, True])
def test_no_call_notices_a_swap(pin: bool, tmp_path: Path) -> None:
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=10)
    with EmbeddedServer(tmp_path / "server", database) as server:
        load = Load(server, tmp_path / "load", users=10)
        load.register().check(10)
        run = swapped_load(server, load, 150, 100, 10, pin=pin, sample=90)
    run.load.check(150)
    assert run.problems == [] and run.swaps >= 5
    assert run.versions > 3
