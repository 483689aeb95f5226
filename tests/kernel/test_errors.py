"""Which frames of a traceback are the user's."""

from __future__ import annotations

import traceback

import pytest

import ksrshell.view
from ksrkernel.errors import is_cell, is_machinery, lines, pruned
from ksrshell.errors import KsrShellError, RemoteError

CELL = "/tmp/ipykernel_1/123.py"


def raised(code: str, **names: object) -> BaseException:
    """What ``code`` raises as a cell."""
    try:
        exec(compile(code, CELL, "exec"), dict(names))
    except BaseException as error:
        return error
    raise AssertionError("nothing raised")


def functions(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(pruned(error.__traceback__))]


def test_what_runs_cells_is_not_the_users() -> None:
    assert functions(raised("def f():\n    1 / 0\nf()")) == ["<module>", "f"]


def test_what_we_call_is_not_the_users_nor_what_that_calls() -> None:
    error = raised("def f():\n    to_json({1: g()})\ndef g():\n    return 1j\nf()", to_json=ksrshell.view.to_json)
    assert isinstance(error, KsrShellError) and functions(error) == ["<module>", "f"]


def test_callbacks_of_the_users_stay() -> None:
    odd = type("Odd", (ksrshell.view.View,), {"__rich__": lambda self: None, "to_json": lambda self: "x"})
    code = "def bad(self):\n    raise KeyError(1)\nOdd.to_json = bad\nto_json(Odd())"
    assert functions(raised(code, Odd=odd, to_json=ksrshell.view.to_json)) == ["<module>", "bad"]


def test_libraries_that_the_user_calls_stay() -> None:
    assert functions(raised("import json\njson.loads('{')"))[:2] == ["<module>", "loads"]


def test_our_errors_are_a_line_and_those_of_scripts_show_their_frames() -> None:
    error = raised("x = 1\nraise Error('no \\x1b such')", Error=KsrShellError)
    assert lines(error) == ["\x1b[31mno \\x1b such\x1b[0m (line 2)"]
    error = RemoteError(1, "it raised", {"traceback": 'File "a.py", line 1\n  boom'})
    assert lines(error) == ["\x1b[31mit raised\x1b[0m", '\x1b[2mFile "a.py", line 1\x1b[0m', "\x1b[2m  boom\x1b[0m"]
    assert lines(KsrShellError("gone"), "the proxy x ended with status 1") == [
        "\x1b[31mthe proxy x ended with status 1\x1b[0m"
    ]
    assert lines(KeyboardInterrupt()) == ["\x1b[31minterrupted\x1b[0m"]
    assert lines(ValueError("x")) is None


@pytest.mark.parametrize("name, cell", [(CELL, True), ("<ipython-input-1-abc>", True), ("/home/u/x.py", False)])
def test_names_of_cells(name: str, cell: bool) -> None:
    assert is_cell(name) == cell and not is_machinery(name)
