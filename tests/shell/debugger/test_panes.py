"""The parts of the debugger's screen."""

from __future__ import annotations

import pytest

from ksrshell.debugger import panes
from ksrshell.debugger.commands import Commands
from ksrshell.render.console import plain
from shell.debugger.scripted import FILE, LINES, scripted


@pytest.fixture
def commands() -> Commands:
    return Commands(scripted())


def test_header(commands: Commands) -> None:
    assert plain(panes.header(commands)) == (
        " 1 INVITE sip:bob@biloxi.example  ksr_route_relay:10  step 0 of 3  in the past"
    )
    commands.run("last")
    assert "in the past" not in plain(panes.header(commands))


def test_the_time_of_a_held_message(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ksrshell.stepper.time.monotonic", lambda: now)
    commands.step._state = {**commands.step._state, "live": True, "at_end": True}
    assert commands.step.left is None
    assert plain(panes.header(commands)).startswith(" LIVE  1 INVITE ")
    commands.step.until = 112.4
    assert plain(panes.header(commands)).startswith(" LIVE 12 s  1 INVITE ")
    now = 113.0
    assert plain(panes.header(commands)).startswith(" its time is over  1 INVITE ")
    commands.run("last")
    assert commands.step.done and commands.step.left is None


@pytest.mark.parametrize("rows", [1, 5, 12, 100])
def test_source_is_around_the_current_line(commands: Commands, rows: int) -> None:
    shown = plain(panes.source(commands, LINES, rows)).split("\n")
    assert len(shown) == min(rows, len(LINES))
    assert len([line for line in shown if line.strip().startswith("->")]) == 1
    assert any("->" in line and "line_10()" in line for line in shown)


def test_source_scrolls_and_marks_breakpoints(commands: Commands) -> None:
    commands.breaks.add((FILE, 40))
    assert "●" not in plain(panes.source(commands, LINES, 5))
    shown = plain(panes.source(commands, LINES, 5, scroll=30))
    assert "●" in shown and "line_40()" in shown
    assert plain(panes.source(commands, LINES, 5, scroll=-999)).split("\n")[0].endswith("line_1()")
    assert plain(panes.source(commands, LINES, 5, scroll=999)).split("\n")[-1].endswith("line_60()")


def test_callers_are_looked_at_after_up(commands: Commands) -> None:
    commands.run("u")
    assert "line_5()" in [line for line in plain(panes.source(commands, LINES, 5)).split("\n") if "->" in line][0]
    assert "a caller" in plain(panes.values(commands), 40)


def test_values(commands: Commands) -> None:
    assert panes.has_values(commands)
    shown = plain(panes.values(commands), 40)
    assert "'bob0'" in shown and "self" not in shown
    assert "called from ksr_request_route:5" in shown
    commands.run("g 2")
    assert "$du" in plain(panes.values(commands), 40) and "<null>" in plain(panes.values(commands), 40)


def test_lower_panes(commands: Commands) -> None:
    assert "leave as it came" in plain(panes.lower(commands, 0, 8))
    assert "no KSR call yet" in plain(panes.lower(commands, 1, 8))
    assert "nothing sent yet" in plain(panes.lower(commands, 2, 8))
    assert "nothing changed yet" in plain(panes.lower(commands, 3, 8))
    commands.run("g 1")
    assert plain(panes.lower(commands, 1, 8)).split("\n")[-1] == "  > KSR.tm.t_relay()"
    commands.run("g 2")
    assert "+Max-Forwards: 69" in plain(panes.lower(commands, 0, 8))
    assert "SIP/2.0 404 Not here" in plain(panes.lower(commands, 2, 8))
    assert plain(panes.lower(commands, 3, 8)) == "$du = sip:b"
    assert len(plain(panes.lower(commands, 1, 1)).split("\n")) == 1


def test_outcome(commands: Commands) -> None:
    assert plain(panes.outcome(commands)) == ""
    commands.run("g 1")
    assert plain(panes.outcome(commands)) == "about to call KSR.tm.t_relay()"
    commands.run("last")
    assert "the run has ended, result 1" in plain(panes.outcome(commands))
    commands.run("n")
    assert "the run has ended: back() goes back in it" in plain(panes.outcome(commands))


def test_a_long_text_takes_two_columns_or_scrolls() -> None:
    lines = [f"row {n}" for n in range(20)]
    shown = plain(panes.text(lines, 10, 80)).split("\n")
    assert len(shown) == 10 and shown[0].split() == ["row", "0", "row", "10"]
    wide = [f"row {n} " + "x" * 60 for n in range(20)]
    assert plain(panes.text(wide, 10, 80)).split("\n")[0].startswith("row 0 ")
    assert plain(panes.text(wide, 10, 80, scroll=99)).split("\n")[-1].startswith("row 19 ")
