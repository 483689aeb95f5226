"""One server on the stock script for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.calls import Caller
from lab.database import make_database
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.server import Modparam, Server
from lab.servers import chosen

# Short, so that the test of "nobody answers" is. fr_timer too: over TCP Kamailio looks at fr_inv_timer only when
# fr_timer has run out.
SHORT_TIMERS: tuple[Modparam, ...] = (("tm", "fr_timer", 1000), ("tm", "fr_inv_timer", 1400))


@pytest.fixture(scope="module", params=chosen(), ids=lambda kind: str(kind.kind))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The stock script, unmodified, with 100 subscribers; callers at 127.0.0.1 need no password."""
    need("sipp", package="sip-tester")
    script = need_file(STOCK_SCRIPT, package="kamailio")
    folder = tmp_path_factory.mktemp("server")
    database = make_database(folder / "kamailio.db")
    with request.param(folder, database, script, modparams=SHORT_TIMERS) as running:
        yield running


@pytest.fixture
def caller(server: Server, tmp_path: Path) -> Caller:
    return Caller(server, tmp_path)
