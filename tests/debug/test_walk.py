"""Whole scripts, walked forwards and backwards, and every callback of real calls run again in a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debug.stage import Stage, Walk
from ksrcore.capture.recorder import Ran
from lab.needs import STOCK_SCRIPT

DEMO = Path(__file__).resolve().parents[2] / "ksrshell" / "demo" / "routing.py"
SCRIPTS = [DEMO, *([STOCK_SCRIPT] if STOCK_SCRIPT.exists() else [])]


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(request.param)
    yield stage
    stage.close()


def find(stage: Stage, first: str) -> int:
    return next(r.id for r in stage.proxy.recorder if not r.out and r.data.startswith(first))


def seen(state: dict[str, Any]) -> dict[str, Any]:
    """What must be the same whenever one comes to that step."""
    return {name: value for name, value in state.items() if name not in ("length", "at_end")}


def test_forwards_backwards_and_forwards_again(stage: Stage) -> None:
    stage.register()
    stage.invite(1)
    with Walk(stage.boxes, find(stage, "INVITE")) as walk:
        states = [walk.state]
        while not walk.state["done"]:
            states.append(walk.do("forward"))
        assert len(states) > 50 and walk.state["result"] == "1"
        assert [s["position"] for s in states] == list(range(len(states)))
        assert [sent["data"][:11] for sent in walk.state["effects"]["sent"]] == ["SIP/2.0 100", "INVITE sip:"]
        lines = [s for s in states if s["event"] == "line"]
        for state in reversed(lines):
            assert seen(walk.do("back")) == seen(state)
        assert walk.state["position"] == 0
        for state in states[1:]:
            assert seen(walk.do("forward")) == seen(state)
        # And once more, each step made by running the script up to it again.
        for state in states[1:-1:7]:
            walk.do("goto", state["position"])
            walk.stepper.evaluate("msg.Method")
            assert walk.stepper.note == ""
    # A run of its own comes to the same states.
    with Walk(stage.boxes, find(stage, "INVITE")) as again:
        for state in states[1:]:
            assert differences(seen(again.do("forward")), seen(state)) == set()


def differences(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The names of what differs, but for how long KSR calls took."""
    for state in (one, other):
        for call in state["calls"]:
            call["duration"] = 0.0
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def made(calls: list[Any]) -> list[tuple[str, tuple[Any, ...], Any]]:
    """The KSR calls of one run."""
    ran = Ran("", 0, 0, None, False, False, None, "", 0.0, 0, calls)
    return [(decl.path, args, result) for decl, args, result in ran.iter_calls()]


#: Calls whose result depends on what is not of the message: what was stored since, and numbers made for each.
EXPLAINED = ("KSR.registrar.save", "KSR.auth.auth_challenge", "KSR.pike.pike_check_req")


def test_every_callback_runs_again_as_it_did(stage: Stage) -> None:
    stage.talk()
    callbacks = set()
    for record in list(stage.proxy.recorder):
        counts: dict[str, int] = {}
        for ran in record.runs:
            nth = counts.get(ran.callback, 0)
            counts[ran.callback] = nth + 1
            callbacks.add(ran.callback)
            with Walk(stage.boxes, record.id, ran.callback, nth=nth, whole=True) as walk:
                again = walk.stepper.main.box.run
                assert (again.route, again.branch) == (ran.route, ran.branch)
                assert (again.exited, again.dropped, again.result) == (ran.exited, ran.dropped, ran.result)
            before, after = made(ran.calls), made(again.calls)
            what = f"{record.id} {record.data[:30]!r} {ran.callback}"
            assert [call[:2] for call in after] == [call[:2] for call in before], what
            for one, two in zip(before, after, strict=True):
                assert one[0] in EXPLAINED or one == two, what
    assert len(callbacks) >= 4
