"""KSR.ratelimit: as Kamailio 5.6.3 answers."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench

PARAMS = [
    "ratelimit:pipe=0:TAILDROP:3",
    "ratelimit:pipe=1:RED:2",
    "ratelimit:queue=0:OPTIONS",
    "ratelimit:queue=1:INVITE",
    "ratelimit:timer_interval=1",
]


def test_checks() -> None:
    bench = Bench(PARAMS)
    calls = ["KSR.ratelimit.rl_check()"] * 5 + [f"KSR.ratelimit.rl_check_pipe({n})" for n in (1, 5, -1)]
    assert bench.request({}, calls)[0] == [1, 1, 1, -1, -1, 1, -1, -1]
    assert bench.request({"method": "INVITE"}, calls[:1])[0] == [1]
    assert bench.request({"method": "BYE"}, calls[:1])[0] == [-1]
    bench.proxy.advance(bench.proxy.now + 1)
    assert bench.request({}, calls[:1])[0] == [1]


def test_red_and_longer_intervals() -> None:
    bench = Bench(["ratelimit:pipe=1:RED:1", "ratelimit:queue=1:*", "ratelimit:timer_interval=2"])
    calls = ["KSR.ratelimit.rl_check()"] * 6
    assert bench.request({}, calls)[0] == [1] * 6
    bench.proxy.advance(bench.proxy.now + 2)
    assert bench.request({}, calls)[0] == [-1, -1, 1, -1, -1, 1]


def test_rpc() -> None:
    bench = Bench(PARAMS)
    assert bench.rpc("rl.get_queues") == ["QUEUE[0]: 0:OPTIONS", "QUEUE[1]: 1:INVITE"]
    assert bench.rpc("rl.get_pipes")[0] == "PIPE[0]: 0:TAILDROP 0/3 (drop rate: 0) [0]"
    assert bench.rpc("rl.set_pipe", 0, "NOP", 9) == {}
    assert bench.rpc("rl.stats")[0] == "PIPE[0]: 0/9 (drop rate: 0)"
    assert str(bench.rpc("rl.set_pipe", 7, "NOP", 9)).startswith("error 400")
    fork: Any = bench.proxy.modules["ratelimit"].fork(bench.proxy)
    fork.rpc_set_pipe([0, "RED", 1])
    assert bench.rpc("rl.stats")[0] == "PIPE[0]: 0/9 (drop rate: 0)"


@pytest.mark.parametrize(
    "params",
    [
        ["ratelimit:pipe=0"],
        ["ratelimit:pipe=16:RED:1"],
        ["ratelimit:pipe=0:FEEDBACK:1"],
        ["ratelimit:queue=0:INVITE"],
        ["ratelimit:timer_interval=0"],
    ],
)
def test_parameters_that_cannot_be(params: list[str]) -> None:
    with pytest.raises(ParamError, match="ratelimit:.* expects"):
        Bench(params)
