"""Swaps on several nodes: all or none, one of them first."""

from __future__ import annotations

import time

import pytest

from ksrshell.errors import RemoteError, UsageError
from ksrshell.fleet import Fleet, canary
from ksrshell.fleet.condition import Condition
from shell.fake import SOURCE, FakeProxy, Refused

from .conftest import Counters

Pair = tuple[Counters, Counters]
Proxies = tuple[FakeProxy, FakeProxy]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "LOOK", 0.01)


def asked(proxy: FakeProxy, method: str) -> int:
    return sum(1 for name, _ in proxy.asked if name == method)


def test_a_good_canary_is_followed_by_the_others(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 10}
    result = fleet.swap(SOURCE, canary="east", for_=0.05)
    assert result.taken
    assert result.figures["requests"] > 0
    assert list(result.nodes) == ["east", "west"]
    assert "swapped on east, west" in repr(result)
    assert not asked(proxies[0], "ksr.rollback")


@pytest.mark.parametrize("bad", [{"exceptions": 1}, {"failed": 1}])
def test_a_bad_one_goes_back_and_the_others_never_have_it(
    fleet: Fleet, counters: Pair, proxies: Proxies, bad: dict[str, int]
) -> None:
    counters[0].each = {"requests": 10, **bad}
    started = time.monotonic()
    result = fleet.swap(SOURCE, canary="east", for_=30)
    assert time.monotonic() - started < 10
    assert not result.taken
    assert result.why == "exceptions > 0 or failed > 1%"
    assert "rolled back on east" in repr(result)
    assert asked(proxies[0], "ksr.rollback") == 1
    assert not asked(proxies[1], "ksr.swap")


def test_a_canary_without_traffic_proves_nothing(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    result = fleet.swap(SOURCE, canary="west", for_=0.03)
    assert not result.taken
    assert "saw no request in 0.03 s" in result.why
    assert asked(proxies[1], "ksr.rollback") == 1


def test_a_canary_that_went_away_is_said(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 1}
    swap = proxies[0].methods["ksr.swap"]

    def swap_and_go(params: dict[str, object]) -> object:
        counters[0].install(proxies[0])
        proxies[0].methods["tm.stats"] = lambda p: (_ for _ in ()).throw(Refused(500, "gone"))
        return swap(params)

    proxies[0].methods["ksr.swap"] = swap_and_go
    result = fleet.swap(SOURCE, canary="east", for_=5)
    assert not result.taken
    assert "cannot be watched: gone" in result.why


def test_without_a_canary_it_is_all_or_none(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    def refuse(params: object) -> object:
        raise Refused(1, "line 1: no such class here", {"type": "ScriptError"})

    proxies[1].methods["ksr.swap"] = refuse
    with pytest.raises(RemoteError, match="west: line 1: no such class here"):
        fleet.swap(SOURCE)
    assert asked(proxies[0], "ksr.rollback") == 1


def test_somebody_elses_later_swap_stays(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 1, "exceptions": 1}
    routes = proxies[0].methods["ksr.routes"]

    def later(params: object) -> object:
        return [{**each, "version": 99} for each in routes(params)]

    proxies[0].methods["ksr.routes"] = later
    result = fleet.swap(SOURCE, canary="east", for_=5)
    assert "east keeps ksr_route_relay: swapped again meanwhile" in result.why
    assert not asked(proxies[0], "ksr.rollback")


def test_conditions() -> None:
    figures = {"exceptions": 0.0, "failed": 0.02, "requests": 100.0}
    for text, wanted in (
        ("exceptions > 0 or failed > 1%", True),
        ("failed > 2.5%", False),
        ("failed >= 0.02 and requests > 50", True),
        ("not requests > 50", False),
        ("exceptions != 0", False),
    ):
        assert Condition(text)(figures) is wanted, text


@pytest.mark.parametrize(
    "text", ["", "exceptions", "latency > 3", "exceptions >", "__import__('os')", "1 < failed < 2", "failed > '1'", 3]
)
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="abort_if compares exceptions, failed, requests"):
        Condition(text)


def test_bad_arguments(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    with pytest.raises(UsageError, match="for_ is a number of seconds"):
        fleet.swap(SOURCE, canary="east", for_=0)
    with pytest.raises(UsageError, match="no node 'north'"):
        fleet.swap(SOURCE, canary="north")
    with pytest.raises(UsageError, match="got no source"):
        fleet.swap("")
    assert not asked(proxies[0], "ksr.swap")
