"""Swapped functions in the file again: only their lines change."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ksrcore.script.engine import ScriptError
from ksrcore.script.program import read
from ksrcore.script.writeback import reindent, rewrite

Start = Callable[..., Any]

SCRIPT = '''\
# A script.
import KSR

#: The word.
WORD = "one"


class Router:
    """Routes."""

    def ksr_request_route(self, msg):
        # before
        KSR.sl.sl_send_reply(200, self.text(msg))
        return 1
        # still in it

    # of text
    def text(self, msg):
        return WORD


def unused(): return 1   # short


def mod_init():
    return Router()
'''


def test_only_the_lines_of_what_was_swapped_change(start: Start) -> None:
    world = start(SCRIPT)
    world.path.chmod(0o640)
    world.script.swap('def text(self, msg):\n    return """a\n  b"""[0] + WORD\n')
    world.script.swap("WORD = 'two'\nOTHER = 3\ndef more(self):\n    return OTHER\ndef free(x):\n    return x\n")
    world.script.swap("", remove=["unused"])
    diff, names = world.script.swaps.save(only_show=True)
    assert world.path.read_text() == SCRIPT
    assert "+WORD = 'two'" in diff
    assert world.script.swaps.save() == (diff, names)
    assert sorted(names) == ["OTHER", "WORD", "free", "more", "text", "unused"]
    assert world.path.read_text() == (
        SCRIPT.replace('WORD = "one"\n', "WORD = 'two'\nOTHER = 3\n")
        .replace(
            "    def text(self, msg):\n        return WORD\n",
            '    def text(self, msg):\n        return """a\n  b"""[0] + WORD\n\n'
            "    def more(self):\n        return OTHER\n",
        )
        .replace("\n\ndef unused(): return 1   # short\n", "")
        + "\n\ndef free(x):\n    return x\n"
    )
    assert world.path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(world.path.parent) == ["swapped.py"]
    assert world.script.swaps.save() == ("", [])
    route = world.script.route("text")
    assert (route.saved, route.current) == (2, 2)
    world.script.reload()
    assert world.answer() == "atwo"


def test_after_a_save_lines_are_those_of_the_file(start: Start) -> None:
    world = start(SCRIPT)
    world.script.swap("def ksr_request_route(self, msg):\n    # one\n    # more\n    # line\n    return self.text(0)\n")
    world.script.swaps.save()
    filename = str(world.path)
    for name, text in (
        ("ksr_request_route", "def ksr_request_route"),
        ("text", "def text"),
        ("mod_init", "def mod_init"),
    ):
        version = world.script.route(name).version
        code = version.function.__code__
        assert (code.co_filename, code.co_firstlineno) == (filename, version.firstline)
        assert text in linecache.getline(filename, version.firstline)
    old = world.script.route("ksr_request_route").versions[0]
    assert "def ksr_request_route" in linecache.getline(old.function.__code__.co_filename, old.firstline)
    assert "self.text(msg)" in linecache.getline(old.filename, old.firstline + 2)


def test_rolled_back_is_what_the_file_has(start: Start) -> None:
    world = start(SCRIPT)
    world.script.swap("WORD = 'two'\n")
    world.script.rollback("WORD")
    assert world.script.swaps.save() == ("", [])
    world.script.swap("WORD = 'two'\n")
    world.script.swaps.save()
    assert "WORD = 'two'" in world.path.read_text()
    world.script.rollback("WORD", 1)
    world.script.swaps.save()
    assert world.path.read_text() == SCRIPT


def test_a_file_that_changed_meanwhile_is_not_touched(start: Start) -> None:
    world = start(SCRIPT)
    world.script.swap("WORD = 'two'\n")
    world.path.write_text(SCRIPT + "# mine\n")
    with pytest.raises(ScriptError, match="the file has changed since it was loaded: nothing was written"):
        world.script.swaps.save()
    world.path.unlink()
    with pytest.raises(ScriptError, match="cannot read the script: No such file"):
        world.script.swaps.save()


def test_a_link_stays_one_and_line_ends_stay(start: Start, tmp_path: Path) -> None:
    world = start("\ufeff" + SCRIPT.replace("\n", "\r\n"))
    real = tmp_path / "real"
    world.path.rename(real)
    world.path.symlink_to(real)
    world.script.swap("def text(self, msg):\n    return 'x'\n")
    world.script.swaps.save()
    assert world.path.is_symlink()
    assert (
        real.read_bytes()
        == b"\xef\xbb\xbf" + SCRIPT.replace("return WORD", "return 'x'").replace("\n", "\r\n").encode()
    )


def test_tabs(start: Start) -> None:
    text = SCRIPT.replace("    ", "\t")
    world = start(text)
    world.script.swap("def text(self, msg):\n    if msg:\n        return 'x'\n    return WORD\n")
    world.script.swaps.save()
    world.script.reload()
    assert world.answer() == "x"
    assert "\tdef text(self, msg):\n\t    if msg:\n" in world.path.read_text()


@pytest.mark.parametrize(
    ("before", "place", "new", "after"),
    [
        ("import a\n\ndef f(): pass\n", ("", "X"), ("constant", "X = 1"), "import a\n\nX = 1\n\ndef f(): pass\n"),
        (
            "class A:\n    pass\n",
            ("A", "f"),
            ("function", "def f(s): pass"),
            "class A:\n    pass\n\n    def f(s): pass\n",
        ),
        (
            'class A:\n    """D."""\n    def f(s): pass\n',
            ("A", "X"),
            ("constant", "X = 1"),
            'class A:\n    """D."""\n    X = 1\n    def f(s): pass\n',
        ),
        ("def f():\n    pass", ("", "f"), ("function", "def f():\n    return 1"), "def f():\n    return 1\n"),
        ("@d\n@e\ndef f():\n    pass\n", ("", "f"), ("function", "@g\ndef f(): pass"), "@g\ndef f(): pass\n"),
        ("if 1:\n    def f(): pass\nx()\n", ("", "f"), ("function", "def f(): x"), "if 1:\n    def f(): x\nx()\n"),
        ("def f():\n    pass\n\n\ndef g():\n    pass\n", ("", "f"), None, "\n\ndef g():\n    pass\n"),
    ],
)
def test_where_it_goes(before: str, place: tuple[str, str], new: tuple[str, str] | None, after: str) -> None:
    assert rewrite(read(before), {place: new}, "x.py") == after


@pytest.mark.parametrize(
    "source",
    [
        "A = 1; B = 2\n",
        "if 1:\n    def A(): pass\nelse:\n    def A(): 1\n",
        "A = 1\nA = 2\n",
        "A = None\nA = str()\n",
    ],
)
def test_what_cannot_be_written(source: str) -> None:
    with pytest.raises(ScriptError, match="A cannot be written back"):
        rewrite(read(source), {("", "A"): ("constant", "A = 3")}, "x.py")


def test_reindent_leaves_strings_alone() -> None:
    text = '  def f():\n    x = f"""\n  {1}\n   """\n    return (x,\n 1)\n\n# end\n'
    assert reindent(text, "\t") == '\tdef f():\n\t  x = f"""\n  {1}\n   """\n\t  return (x,\n\t1)\n\n\t# end\n'


def test_a_read_only_file_is_left_alone(start: Start) -> None:
    world = start(SCRIPT)
    world.path.chmod(0o444)
    world.script.swap("", remove=["unused"])
    with pytest.raises(ScriptError, match="read-only: nothing was written"):
        world.script.swaps.save()
    assert world.path.read_text() == SCRIPT
    assert world.script.swaps.save(only_show=True)[1] == ["unused"]
    world.path.chmod(0o644)
    assert world.script.swaps.save()[1] == ["unused"]
