"""A small run of each benchmark: they must work before somebody needs their numbers."""

from pathlib import Path

import pytest

from lab.benchmark import callback_times, cpu_round
from lab.database import make_database
from lab.load import Load
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.servers import ServerType, chosen


@pytest.fixture(params=chosen(), ids=lambda kind: str(kind.kind))
def kind(request: pytest.FixtureRequest) -> ServerType:
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    chosen_type: ServerType = request.param
    if chosen_type.kind == "kamailio":
        need("kamailio", package="kamailio kamailio-python3-modules")
    return chosen_type


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_load_is_clean(kind: ServerType, transport: str, tmp_path: Path) -> None:
    database = make_database(tmp_path / "kamailio.db", users=20)
    with kind(tmp_path / "server", database) as server:
        load = Load(server, tmp_path / "load", transport, users=20)
        load.register().check(20)
        load.call(60, rate=60).check(60)


def test_cpu_round(kind: ServerType) -> None:
    result = cpu_round(kind.kind, calls=20, rate=50, users=5, transport="udp", warmup=0, settle=0)
    assert (result.failed, result.unexpected, result.retransmissions, result.problem) == (0, 0, 0, "")
    assert result.cpu_us > 0
    assert result.rss_kib > 0


def test_callback_times(kind: ServerType) -> None:
    times = callback_times(kind.kind, calls=10, rate=50, users=5, transport="udp")
    counts = {name: count for name, (_, count) in times.items()}
    # 180 and 200 to each INVITE, 200 to each BYE: all pass the reply route.
    assert counts["ksr_request_route INVITE"] == counts["ksr_request_route ACK"] == 10
    assert counts["ksr_request_route BYE"] == counts["ksr_branch_manage"] / 2 == 10
    assert counts["ksr_reply_route"] == 30
    assert all(median > 0 for median, _ in times.values())
