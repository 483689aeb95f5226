"""A small run of the benchmark of the agent, and the bound that it is there for."""

from lab.benchmark import cpu_round
from lab.idle import per_call
from lab.needs import STOCK_SCRIPT, need, need_file


def test_an_idle_callback_costs_a_read() -> None:
    times = per_call(20_000, rounds=5)
    # Measured: 0.15 us. A busy machine may take longer, but an attached node costs more than a hundred times that.
    assert times["idle"] - times["direct"] < 1500
    assert times["attached"] > times["idle"]


def test_cpu_with_the_idle_agent() -> None:
    need("sipp", package="sip-tester")
    need("kamailio", package="kamailio kamailio-python3-modules")
    need_file(STOCK_SCRIPT, package="kamailio")
    result = cpu_round("kamailio-agent", calls=20, rate=50, users=5, transport="udp", warmup=0, settle=0)
    assert (result.failed, result.unexpected, result.retransmissions, result.problem) == (0, 0, 0, "")
    assert result.cpu_us > 0
