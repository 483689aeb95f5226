"""The debugger without a screen."""

from __future__ import annotations

from io import StringIO

from ksrshell.debugger.commands import Commands
from ksrshell.debugger.plain import run
from shell.debugger.scripted import scripted


def session(*lines: str) -> str:
    out = StringIO()
    run(Commands(scripted()), StringIO("".join(line + "\n" for line in lines)), out)
    return out.getvalue()


def test_a_session() -> None:
    said = session("n", "user", "back far", "q")
    assert "(ksr) ksr_route_relay line 11" in said
    assert "(ksr) <user>\n" in said
    assert "(ksr) *** expected how many lines, got 'far'\n" in said
    assert said.endswith("(ksr) ")


def test_the_end_of_the_input_ends_it() -> None:
    assert session("c").endswith("(ksr) \n")
    assert session("").count("(ksr)") == 2
