"""The debugger's words: what each does with a step, and what is said about those that make no sense."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ksrshell.changes import Where
from ksrshell.debugger.commands import HELP, Commands
from ksrshell.errors import KsrShellError
from ksrshell.stepper import Step


class FakeStep:
    """Records what it is told; ``next`` and its kin go through ``lines``."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.lines_run = [10, 11, 12, 20, 21, 13]
        self.position = 0
        self.code_lines = [10, 11, 12, 13, 20, 21]
        self.stack = [("inner", 10), ("ksr_request_route", 50)]
        self.event = "line"

    @property
    def done(self) -> bool:
        return self.position >= len(self.lines_run)

    @property
    def where(self) -> Where:
        return Where("inner", "/srv/r.py", 0 if self.done else self.lines_run[self.position])

    def into(self) -> None:
        self.told.append(("into",))
        self.position += 1

    def eval(self, expression: str) -> str:
        self.told.append(("eval", expression))
        if expression == "nobody":
            raise KsrShellError("NameError: name 'nobody' is not defined")
        return "'42'"

    def pv(self, name: str) -> str | None:
        self.told.append(("pv", name))
        return None if name == "$du" else "sip:bob@b.example"

    def set(self, name: str, expression: str) -> str:
        self.told.append(("set", name, expression))
        return expression

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: self.told.append((name, *args))


@pytest.fixture
def step() -> FakeStep:
    return FakeStep()


@pytest.fixture
def commands(step: FakeStep) -> Commands:
    return Commands(cast(Step, step))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("n", ("next",)),
        ("next", ("next",)),
        ("s", ("into",)),
        ("r", ("out",)),
        ("c", ("finish",)),
        ("k", ("next_call",)),
        ("K", ("back_call",)),
        ("back", ("back", 1)),
        ("- 3", ("back", 3)),
        ("first", ("first",)),
        ("last", ("last",)),
        ("g 5", ("goto", 5)),
        ("to 20", ("to", 20)),
        ("w $du", ("watch", "$du")),
        ("unwatch $du", ("unwatch", "$du")),
        ("p $ru", ("pv", "$ru")),
        ("$ru", ("pv", "$ru")),
        ("p user + 1", ("eval", "user + 1")),
        ("len(user)", ("eval", "len(user)")),
        ("user == 'bob'", ("eval", "user == 'bob'")),
        ("user = 'bob'", ("set", "user", "'bob'")),
        ("$du = 'sip:b'", ("set", "$du", "'sip:b'")),
        ("n = 5", ("set", "n", "5")),
    ],
)
def test_words(commands: Commands, step: FakeStep, line: str, told: tuple[Any, ...]) -> None:
    commands.run(line)
    assert step.told == [told]
    assert not commands.failed


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("n 5", "takes nothing more"),
        ("g five", "expected goto N"),
        ("back far", "expected how many lines"),
        ("w", "watch what?"),
        ("when", "when what?"),
        ("p", "print what?"),
        ("b 5", "line 5 has no code; the next with code is 10"),
        ("b 99", "line 99 has no code"),
        ("d", "innermost"),
        ("nobody", "NameError"),
    ],
)
def test_mistakes_stay_in_the_view(commands: Commands, line: str, why: str) -> None:
    commands.run(line)
    assert commands.failed and why in commands.note


def test_continue_stops_at_breakpoints(commands: Commands, step: FakeStep) -> None:
    commands.run("b 20")
    assert commands.note == "breakpoint at line 20 set"
    commands.run("c")
    assert step.where.line == 20
    commands.run("c")
    assert step.done
    commands.run("b 20")
    assert commands.note == "breakpoint at line 20 cleared" and not commands.breaks


def test_forward_is_what_back_undoes(commands: Commands, step: FakeStep) -> None:
    commands.run("+ 2")
    assert step.told == [("into",), ("into",)]


def test_up_and_down(commands: Commands) -> None:
    commands.run("u")
    assert commands.frame == 1
    commands.run("u")
    assert commands.failed and "outermost" in commands.note
    commands.run("n")
    assert commands.frame == 0


def test_values_are_shown(commands: Commands) -> None:
    commands.run("$du")
    assert commands.note == "<null>"
    commands.run("user")
    assert commands.note == "'42'"
    commands.run("")
    assert commands.note == ""


def test_help_names_every_word(commands: Commands) -> None:
    commands.run("?")
    for words, _, text in HELP:
        assert text in commands.note
        for word in words.split():
            assert word in ("NAME", "=") or word in commands._table


def test_quit(commands: Commands) -> None:
    commands.run("q")
    assert commands.finished
