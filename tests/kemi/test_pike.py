"""KSR.pike: sequences as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sequence import Bench, check, load

DIFFERS: dict[str, str] = {}


@pytest.mark.parametrize("scenario", load("pike"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario, DIFFERS)


def hit(bench: Bench, ip: str = "1.2.3.4") -> int:
    (result,) = bench.request({}, [f'KSR.pike.pike_check_ip("{ip}")'])[0]
    assert isinstance(result, int)
    return result


def test_an_address_is_let_in_again() -> None:
    bench = Bench(["pike:reqs_density_per_unit=5", "pike:sampling_time_unit=2"])
    assert [hit(bench) for _ in range(10)][-2:] == [-2, -1]
    bench.proxy.advance(bench.proxy.now + 2)
    # The last unit still counts.
    assert hit(bench) == -1
    for _ in range(2):
        bench.proxy.advance(bench.proxy.now + 2)
    assert [hit(bench) for _ in range(5)] == [1, 1, 1, 1, -2]
    assert bench.proxy.counters["pike:blocked_ips"] == 2
    assert [row["ip_addr"] for row in bench.rpc("pike.top")["list"]] == ["1.2.3.4"]


def test_addresses_are_forgotten() -> None:
    bench = Bench(["pike:remove_latency=10"])
    for n in range(100):
        hit(bench, f"10.0.{n}.1")
        hit(bench, f"2001:db8::{n}")
    for _ in range(100):
        bench.proxy.advance(bench.proxy.now + 2)
    module: Any = bench.proxy.modules["pike"]
    assert [root.children for root in module._trees.values()] == [{}, {}]


def test_a_sandbox_counts_for_itself() -> None:
    bench = Bench(["pike:reqs_density_per_unit=5"])
    for _ in range(8):
        hit(bench)
    fork: Any = bench.proxy.modules["pike"].fork(bench.proxy)
    assert fork.pike_check_ip(bench.run, "1.2.3.4") == -2
    assert hit(bench) == -2


def test_ipv6() -> None:
    bench = Bench(["pike:reqs_density_per_unit=5"])
    assert -2 in [hit(bench, "2001:db8::1") for _ in range(30)]
