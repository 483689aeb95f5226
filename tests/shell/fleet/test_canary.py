"""Swaps on several nodes: all or none, one of them first."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from ksrshell.errors import KsrShellError, RemoteError, UsageError
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


def test_a_swap_of_something_else_meanwhile_stays(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    """Taking back the latest swap would take that one: ours goes back by its name."""
    counters[0].each = {"requests": 1}
    routes = proxies[0].methods["ksr.routes"]
    looks: list[int] = []

    def others(params: object) -> object:
        looks.append(0)
        if len(looks) > 4:
            counters[0].exceptions = 1
        return [
            {**each, "version": 7 if each["name"] == "ksr_request_route" and len(looks) > 4 else each["version"]}
            for each in routes(params)
        ]

    proxies[0].methods["ksr.routes"] = others
    result = fleet.swap(SOURCE, canary="east", for_=30)
    assert (result.why, result.back) == ("exceptions > 0 or failed > 1%", ["east"])
    (asked_for,) = [params for name, params in proxies[0].asked if name == "ksr.rollback"]
    assert asked_for == {"name": "ksr_route_relay", "number": 1}


def test_all_are_watched_after_the_canary(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 10}
    counters[1].each = {"requests": 10, "failed": 1}
    result = fleet.swap(SOURCE, canary="east", for_=0.05, all_for=30)
    assert (result.taken, result.why) == (False, "west: exceptions > 0 or failed > 1%")
    assert result.back == ["east", "west"] and result.watched["west"]["failed"] > 0
    assert [asked(proxy, "ksr.rollback") for proxy in proxies] == [1, 1]
    assert "west: " in repr(result) and "rolled back on east, west: west: " in repr(result)


def test_all_are_watched_without_a_canary(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"exceptions": 1}
    result = fleet.swap(SOURCE, all_for=30)
    assert (result.taken, result.back) == (False, ["east", "west"])
    # Nobody need have traffic: none of them is the one that is to prove something.
    counters[0].each = {}
    assert fleet.swap(SOURCE, all_for=0.05).taken


def test_one_that_cannot_be_asked_is_known_before_anything_changes(
    fleet: Fleet, counters: Pair, proxies: Proxies
) -> None:
    proxies[1].close()
    with pytest.raises(KsrShellError, match="not swapped: west cannot be watched: .*no such socket"):
        fleet.swap(SOURCE, canary="east", for_=30)
    assert not asked(proxies[0], "ksr.swap")


def test_one_that_is_started_anew_is_no_proof(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 1}
    swap = proxies[0].methods["ksr.swap"]

    def swap_and_die(params: dict[str, object]) -> object:
        done = swap(params)
        proxies[0].versions = {"ksr_route_relay": [1]}
        proxies[0].started += 10
        threading.Timer(0.05, proxies[0].drop).start()
        return done

    proxies[0].methods["ksr.swap"] = swap_and_die
    result = fleet.swap(SOURCE, canary="east", for_=30)
    assert not result.taken
    # Whichever look comes first: into the end of the old process, or at the new one.
    assert result.why.startswith(("east was started anew meanwhile", "east cannot be watched: the proxy east went"))
    assert not asked(proxies[1], "ksr.swap")


def test_ctrl_c_while_a_node_swaps(
    fleet: Fleet, counters: Pair, proxies: Proxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is waited for: what was under way is taken back, too."""
    swap = proxies[1].methods["ksr.swap"]

    def interrupted(params: dict[str, object]) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return swap(params)

    proxies[1].methods["ksr.swap"] = interrupted
    result = fleet.swap(SOURCE)
    assert (result.taken, result.why, result.back) == (False, "interrupted", ["east", "west"])
    assert [asked(proxy, "ksr.rollback") for proxy in proxies] == [1, 1]


def test_a_node_without_the_modules_that_count_replies(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    del proxies[0].methods["sl.stats"]
    counters[0].each = {"requests": 1}
    assert fleet.swap(SOURCE, canary="east", for_=0.05).taken


def test_answers_that_differ_are_all_shown(fleet: Fleet, counters: Pair, proxies: Proxies) -> None:
    counters[0].each = {"requests": 1}
    swap = proxies[1].methods["ksr.swap"]
    proxies[1].methods["ksr.swap"] = lambda p: {**swap(p), "warnings": ["process 7 has not answered yet"]}
    shown = repr(fleet.swap(SOURCE, canary="east", for_=0.05))
    assert "swapped on east, west" in shown and "warning: process 7 has not answered yet" in shown


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
    "text",
    [
        "",
        "exceptions",
        "latency > 3",
        "exceptions >",
        "__import__('os')",
        "1 < failed < 2",
        "failed > '1'",
        "failed > 1/2",
        3,
    ],
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
