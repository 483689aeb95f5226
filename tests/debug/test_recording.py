"""Moving in what is recorded, looking and changing in the past, where things changed, and recordings as files."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debug.stage import Walk
from ksrcore.debug.errors import DebugError
from ksrcore.debug.sandbox import Sandboxes
from ksrcore.debug.tracefile import TraceError, build, items, load, save
from ksrcore.proxy import Proxy

Make = Callable[..., Proxy]
Start = Callable[..., Walk]

LOOP = """\
import KSR

def ksr_request_route(msg):
    total = 0
    for n in range(3):
        total = double(total) + n
    KSR.pv.seti("$var(total)", total)
    KSR.setdsturi("sip:10.0.0.9")
    r = KSR.pv.get("$RANDOM")
    if total > 100:
        KSR.hdr.append("X-Large: yes\\r\\n")
    return total

def double(n):
    twice = n * 2
    return twice
"""

#: Ends when it is routed, and never when it is stepped.
ENDLESS = "import KSR\nN = []\ndef ksr_request_route(msg):\n    N.append(1)\n    while len(N) > 1:\n        pass\n"


@pytest.fixture
def start(make: Make) -> Iterator[Start]:
    walks: list[Walk] = []

    def begin(source: str | None = None, **options: Any) -> Walk:
        proxy = make(source) if source is not None else make()
        walks.append(Walk(Sandboxes(proxy), 1, **options))
        return walks[-1]

    yield begin
    for walk in walks:
        walk.stepper.close()
        walk.stepper.join()
        assert not walk.stepper.thread.is_alive()


def test_back_goes_line_by_line_whatever_was_said_forwards(start: Start) -> None:
    walk = start(LOOP)
    walk.do("to", 7)
    assert walk.state["locals"] | {"msg": ""} == {"msg": "", "total": "4", "n": "2"}
    assert walk.do("back")["line"] == 5 and walk.do("back")["line"] == 16
    assert walk.state["locals"]["twice"] == "2"
    assert walk.do("back_over")["line"] == 15 and walk.do("back_out")["line"] == 6
    assert walk.do("to", 7)["line"] == 7
    assert walk.do("back", 3)["line"] == 15
    assert walk.do("first")["position"] == 0
    with pytest.raises(DebugError, match="this is the first step"):
        walk.stepper.order("back")
    with pytest.raises(DebugError, match="no KSR call comes before this"):
        walk.stepper.order("back_call")
    assert not walk.do("last")["done"] and walk.state["line"] == 7
    assert walk.do("next_call")["call"] == "KSR.pv.seti('$var(total)', 4)"
    assert walk.do("finish")["done"]
    assert walk.do("back_call")["call"] == "KSR.pv.get('$RANDOM')"
    with pytest.raises(DebugError, match="there is no step 999: 0 to"):
        walk.stepper.order("goto", 999)
    assert walk.do("goto", 1)["position"] == 1


def test_what_changed(start: Start) -> None:
    walk = start(LOOP)
    assert walk.state["changed"] == []
    assert walk.do("next")["changed"] == ["total"]
    assert walk.do("next")["changed"] == ["n"]
    walk.do("into")
    assert (walk.at, walk.state["changed"]) == (("double", 15), [])
    assert walk.do("out")["line"] == 5 and walk.state["changed"] == []
    assert walk.do("next")["changed"] == ["n"]


def test_looking_into_the_past(start: Start) -> None:
    walk = start(LOOP)
    walk.do("finish")
    walk.do("goto", 1)
    assert walk.stepper.evaluate("total + 1") == "1"
    assert walk.stepper.pv("$du") is None
    walk.do("last")
    assert walk.stepper.pv("$du") == "sip:10.0.0.9"
    with pytest.raises(DebugError, match="the callback has ended: there is no frame"):
        walk.stepper.evaluate("total")
    walk.do("back")
    assert walk.stepper.evaluate("KSR.pv.get('$var(total)')") == "4"
    assert walk.stepper.evaluate("r == KSR.pv.get('$RANDOM')") == "False"
    assert walk.stepper.note == ""


def test_a_change_in_the_past_makes_another_future(start: Start) -> None:
    walk = start(LOOP)
    end = walk.do("finish")
    assert (end["result"], end["effects"]["diff"]) == ("4", "")
    walk.do("goto", 1)
    assert walk.stepper.set("total", "50") == "50"
    state = walk.stepper.state()
    assert (state["locals"]["total"], state["changed"], state["length"]) == ("50", ["total"], 2)
    walk.do("finish")
    assert walk.state["result"] == "404" and "+X-Large: yes" in walk.state["effects"]["diff"]
    # What was changed is part of the run when it is made again.
    walk.do("back", 3)
    assert walk.stepper.evaluate("total") == "404" and walk.stepper.note == ""
    walk.do("goto", 1)
    assert walk.stepper.evaluate("total") == "50" and walk.stepper.note == ""
    with pytest.raises(DebugError, match="ksr_request_route has no variable 'totl'; did you mean 'total'"):
        walk.stepper.set("totl", "1")


def test_a_pseudo_variable_is_set(start: Start) -> None:
    walk = start(LOOP)
    walk.stepper.set("$du", "'sip:10.0.0.1:5070'")
    assert walk.stepper.state()["effects"]["state"]["$du"] == "sip:10.0.0.1:5070"
    assert walk.do("to", 8)["effects"]["state"]["$du"] == "sip:10.0.0.1:5070"
    assert walk.do("finish")["effects"]["state"]["$du"] == "sip:10.0.0.9"
    changes = walk.stepper.when("$du")
    assert [(c["line"], c["before"], c["after"]) for c in changes] == [(8, "sip:10.0.0.1:5070", "sip:10.0.0.9")]
    walk.do("first")
    with pytest.raises(DebugError, match="cannot be set"):
        walk.stepper.set("$ci", "'x'")
    with pytest.raises(DebugError, match="takes text or a number, got list"):
        walk.stepper.set("$du", "[]")


def test_when(start: Start) -> None:
    walk = start(LOOP)
    walk.do("finish")
    found = walk.stepper.when("total")
    assert [(c["line"], c["before"], c["after"]) for c in found] == [(4, None, "0"), (6, "0", "1"), (6, "1", "4")]
    found = walk.stepper.when("$du")
    assert [(c["line"], c["before"], c["after"]) for c in found] == [(8, None, "sip:10.0.0.9")]
    assert walk.do("goto", found[0]["position"])["line"] == 9
    with pytest.raises(DebugError, match="no function has a variable 'totals' here; did you mean 'total'"):
        walk.stepper.when("totals")
    with pytest.raises(ValueError, match="nonsense"):
        walk.stepper.when("$nonsense")


def test_when_a_header_changed(start: Start) -> None:
    walk = start()
    walk.do("finish")
    found = walk.stepper.when(header="x-route")
    assert [(c["line"], c["before"], c["after"]) for c in found] == [(5, None, ["1"])]


def test_watches_are_in_every_state(start: Start) -> None:
    walk = start(LOOP)
    walk.do("to", 8)
    assert walk.stepper.watch("$du")["watches"] == {"$du": None}
    assert walk.do("next")["watches"] == {"$du": "sip:10.0.0.9"}
    assert walk.do("first")["watches"] == {"$du": None}
    assert walk.do("finish")["watches"] == {"$du": "sip:10.0.0.9"}
    assert walk.stepper.watch("$du", False)["watches"] == {}
    with pytest.raises(DebugError, match="is not watched"):
        walk.stepper.watch("$ru", False)


def test_live_changes_do_not_reach_the_past(make: Make, start: Start) -> None:
    """What the run read of tables and variables is the same when it is made again."""
    proxy = make(
        'import KSR\ndef ksr_request_route(msg):\n    a = KSR.pv.get("$shv(a)")\n'
        '    b = KSR.sqlops.sql_xquery if False else KSR.registrar.lookup("location")\n    return (a, b)\n'
    )
    walk = Walk(Sandboxes(proxy), 1)
    try:
        end = walk.do("finish")
        proxy.modules.pv.shared["a"] = 5
        proxy.now += 500
        walk.do("back")
        assert walk.stepper.evaluate("(a, b)") == end["result"] and walk.stepper.note == ""
    finally:
        walk.stepper.close()
        walk.stepper.join()


def test_a_script_that_depends_on_something_else_says_so(make: Make, start: Start) -> None:
    walk = start("import KSR\nN = []\ndef ksr_request_route(msg):\n    N.append(1)\n    n = len(N)\n    return n\n")
    assert walk.do("finish")["result"] == "2"
    walk.do("back")
    assert walk.stepper.evaluate("n") == "3"
    assert walk.stepper.note == "run again, it came to something else here: n was 2 and is now 3"
    assert walk.stepper.state()["note"] == walk.stepper.note


def test_a_loop_without_end_is_stopped(start: Start) -> None:
    walk = start(ENDLESS, limit=500)
    state = walk.do("finish")
    assert state["done"] and state["exception"].startswith("stopped after 500 steps") and state["length"] == 501
    assert walk.do("back")["line"] in (5, 6)


def test_closing_ends_a_route_that_runs(make: Make) -> None:
    proxy = make(ENDLESS)
    walk = Walk(Sandboxes(proxy), 1, limit=1 << 30)
    walk.stepper.order("finish")
    walk.stepper.close()
    walk.stepper.join()
    assert not walk.stepper.thread.is_alive()
    with pytest.raises(DebugError, match="is closed"):
        walk.stepper.order("next")


def test_what_a_request_gets_when_its_script_fails(start: Start) -> None:
    walk = start("import KSR\ndef ksr_request_route(msg):\n    raise ValueError('no')\n")
    state = walk.do("finish")
    assert "ValueError: no" in state["exception"]
    assert [s["data"][:11] for s in state["effects"]["sent"]] == ["SIP/2.0 500"]


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def whole(start: Start) -> Walk:
    return start(LOOP, whole=True)


def test_a_recording_survives_a_file(whole: Walk, tmp_path: Path) -> None:
    recording = whole.stepper.recording
    assert whole.state["done"]
    save(recording, tmp_path / "x.ksr")
    again = load(tmp_path / "x.ksr")
    assert list(again) == list(recording)
    assert [again.when_watch("$du"), again.when_local("total"), again.when_header("Max-Forwards")] == [
        recording.when_watch("$du"), recording.when_local("total"), recording.when_header("Max-Forwards"),
    ]  # fmt: skip
    assert again.move(3, "next") == recording.move(3, "next")
    with pytest.raises(DebugError, match="line 13 of .* has no code"):
        again.move(0, "to", 13)


def write(path: Path, lines: list[Any]) -> Path:
    with gzip.open(path, "wt") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    return path


def test_files_that_are_none(whole: Walk, tmp_path: Path) -> None:
    path = tmp_path / "x.ksr"
    head = {"ksrshell": "trace", "version": 1}
    good = list(items(whole.stepper.recording))

    def refused(match: str) -> None:
        with pytest.raises(TraceError, match=match) as caught:
            load(path)
        assert "\n" not in str(caught.value)

    path.write_bytes(b"PK\3\4 something else")
    refused("it is not a recording of ksrshell")
    path.write_bytes(b"")
    refused("not a recording")
    write(path, ["not json"])
    refused("not a recording")
    write(path, [{"some": "json"}])
    refused("not a recording")
    write(path, [head | {"version": 2}, *good])
    refused("made by a newer ksrshell: its version is 2, this one reads up to 1")
    write(path, [head])
    refused("ends before its first step")
    write(path, [head, *good[:-1]])
    refused("its end is missing")
    write(path, [head, *good])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused("it is cut off")
    path.write_bytes(data[:200] + bytes(8) + data[208:])
    refused("damaged|cut off|not a recording")
    wrong: list[Any] = [{"point": 0}, {"text": 1}, {"source": "x", "lines": [1]}, [], {}, {"no": 1}, {"end": 1}, 5]
    for bad in wrong:
        write(path, [head, good[0], bad])
        refused("line 3 is damaged")
    write(path, [head, "{"])
    refused("line 2 is damaged: it is not JSON")


def test_every_value_of_a_file_is_checked(whole: Walk) -> None:
    """Each value replaced by something else: a clear error or a recording whose states can all be looked at."""
    good = list(items(whole.stepper.recording))
    others: list[Any] = [None, -1, 10**9, "x", [], {}, [[]], True]
    for at, item in enumerate(good):
        if "point" in item and at > 30:
            break
        for name in item:
            for other in others:
                bad = [*good[:at], item | {name: other}, *good[at + 1 :]]
                try:
                    found = build(bad)
                except TraceError:
                    continue
                list(found)


def test_a_long_run_is_quick_to_record(start: Start) -> None:
    source = "import KSR\ndef ksr_request_route(msg):\n    n = 0\n    while n < 4000:\n        n += 1\n    return n\n"
    began = time.perf_counter()
    walk = start(source, whole=True)
    assert walk.state["result"] == "4000" and time.perf_counter() - began < 8
