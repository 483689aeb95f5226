"""Replacing functions and constants of a running script, and going back."""

from __future__ import annotations

import gc
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ksrcore.script.engine import ScriptError

Start = Callable[..., Any]

MODULE = """
    import KSR

    WORD = "one"
    TABLE = {"a": "b"}

    def ksr_request_route(msg):
        KSR.sl.sl_send_reply(200, text(msg))
        return 1

    def text(msg):
        return WORD
"""

CLASS = """
    import functools
    import KSR

    def loud(fn):
        @functools.wraps(fn)
        def wrapper(self, msg):
            return fn(self, msg).upper()
        return wrapper

    class Base:
        GREETING = "hello"

        def text(self, msg):
            return "base"

        def __secret(self):
            return "secret"

        def reveal(self):
            return self.__secret()

    class Router(Base):
        def ksr_request_route(self, msg):
            KSR.sl.sl_send_reply(200, self.text(msg))
            return 1

        def text(self, msg):
            return "router"

        @staticmethod
        def fixed():
            return "fixed"

        @property
        def mood(self):
            return "fine"

    class Helper:
        def help(self):
            return "help"

    def free(x):
        return x

    helper = Helper()

    def mod_init():
        return Router()
"""


def test_functions_and_constants_of_a_module(start: Start) -> None:
    world = start(MODULE)
    assert world.answer() == "one"
    done = world.script.swap('WORD = "two"\n', "me")
    assert done.numbers == {"WORD": 2}
    assert world.answer() == "two"
    done = world.script.swap("MORE = (1, -2)\ndef text(msg, end='!'):\n    return WORD + end + str(len(MORE))\n")
    assert (done.numbers, done.new) == ({"MORE": 1, "text": 2}, ["MORE"])
    assert world.answer() == "two!2"
    route = world.script.route("WORD")
    assert (route.kind, [v.source for v in route.versions]) == ("constant", ['WORD = "one"\n', 'WORD = "two"\n'])
    assert "WORD" not in [route.name for route in world.script.routes()]


def test_the_same_again_is_no_version(start: Start) -> None:
    world = start(MODULE)
    assert world.script.swap("def text(msg):\n    return WORD\n").numbers == {}
    assert world.script.generation == 0
    # Comments are part of the text.
    assert world.script.swap("def text(msg):\n    # why\n    return WORD\n").numbers == {"text": 2}


def test_a_method_with_super_and_private_names(start: Start) -> None:
    world = start(CLASS)
    world.script.swap("def text(self, msg):\n    return super().text(msg) + __class__.__name__ + self.GREETING\n")
    assert world.answer() == "baseRouterhello"
    world.script.swap("class Base:\n    def __secret(self):\n        return 'swapped'\n")
    world.script.swap("def text(self, msg):\n    return (lambda: super(__class__, self).reveal())()\n")
    assert world.answer() == "swapped"


def test_decorators_static_methods_properties(start: Start) -> None:
    world = start(CLASS)
    world.script.swap("@loud\ndef text(self, msg):\n    return super().text(msg)\n")
    assert world.answer() == "BASE"
    world.script.swap(
        "@staticmethod\ndef fixed():\n    return 'static'\n\n@property\ndef mood(self):\n    return 'new'\n"
    )
    world.script.swap("def text(self, msg):\n    return self.fixed() + self.mood\n")
    assert world.answer() == "staticnew"
    # A decorator of the same swap.
    world.script.swap(
        "def quiet(fn):\n    def inner(self, msg):\n        return fn(self, msg).lower()\n    return inner\n"
        "class Router:\n    @quiet\n    def text(self, msg):\n        return 'LOW'\n"
    )
    assert world.answer() == "low"


def test_where_a_name_goes(start: Start) -> None:
    world = start(CLASS)
    done = world.script.swap(
        "def free(x):\n    return x * 2\ndef also(self):\n    return free('b')\ndef loose(a):\n    return a\n"
        "GREETING = 'hi'\nclass Helper:\n    def help(self):\n        return free('h')\n"
    )
    assert done.numbers == {"free": 2, "also": 1, "loose": 1, "GREETING": 2, "help": 2}
    assert (world.script.handler.also(), world.script.handler.GREETING) == ("bb", "hi")
    assert world.script.module.loose("x") == "x"
    assert world.script.module.helper.help() == "hh"


def test_an_indented_method_keeps_its_strings(start: Start) -> None:
    world = start(CLASS)
    world.script.swap('    def text(self, msg):\n        return """a\n    b""".replace("\\n", "|")\n')
    assert world.answer() == "a|    b"


def test_a_whole_class_takes_what_differs(start: Start) -> None:
    world = start(CLASS)
    source = world.path.read_text().replace('return "router"', 'return "whole"')
    assert world.script.swap(source).numbers == {"text": 2}
    assert world.answer() == "whole"
    with pytest.raises(ScriptError, match=r"import os: a swap takes functions .*; this needs a full reload"):
        world.script.swap("import os\n" + source)
    with pytest.raises(ScriptError, match="class Router has other bases or decorators"):
        world.script.swap("class Router(Helper):\n    def text(self, msg):\n        return 1\n")


def test_all_or_nothing(start: Start) -> None:
    world = start(MODULE)
    before = (world.script.generation, len(world.script.hits), world.script.versions_at(0))
    with pytest.raises(ScriptError, match="ZeroDivisionError"):
        world.script.swap("WORD = 'x'\ndef text(msg):\n    return 'y'\ndef more(a=1 / 0):\n    pass\n")
    assert (world.script.generation, len(world.script.hits), world.script.versions_at(0)) == before
    assert world.answer() == "one"


def test_a_message_says_which_versions_handled_it(start: Start) -> None:
    world = start(MODULE)
    world.answer()
    world.script.swap("def text(msg):\n    return 'two'\n")
    world.answer()
    world.script.rollback("text")
    world.answer()
    runs = [record.runs[0].version for record in world.proxy.recorder if record.runs]
    assert [world.script.versions_at(run)["text"] for run in runs] == [1, 2, 1]
    assert "more" not in world.script.versions_at(0)


def test_removing(start: Start) -> None:
    world = start(MODULE + "\n    def mod_init():\n        return 0\n")
    for name, why in (
        ("text", "text cannot be removed: it is used by ksr_request_route"),
        ("WORD", "used by text"),
        ("ksr_request_route", "the proxy, for every request"),
        ("nothing", "no function 'nothing'"),
        ("mod_init", "mod_init runs once, when the script is loaded"),
    ):
        with pytest.raises(ScriptError, match=why):
            world.script.swap("", remove=[name])
    done = world.script.swap("def text(msg):\n    return 'two'\n", remove=["WORD"])
    assert done.numbers == {"text": 2, "WORD": 0}
    assert not hasattr(world.script.module, "WORD")
    assert world.script.route("WORD").versions[1].removed
    with pytest.raises(ScriptError, match="it was removed"):
        world.script.swap("", remove=["WORD"])
    world.script.rollback()
    assert world.answer() == "one"
    assert world.script.module.WORD == "one"


def test_an_armed_callback_stays(start: Start) -> None:
    world = start(
        """
        import KSR
        def ksr_request_route(msg):
            KSR.seturi("sip:127.0.0.1:5090")
            KSR.tm.t_on_failure("ksr_failure")
            KSR.tm.t_relay()
            return 1
        def ksr_failure(msg):
            return 1
        """
    )
    world.receive(world.request("INVITE"))
    with pytest.raises(ScriptError, match="used by ksr_request_route, 1 transaction that armed it"):
        world.script.swap("", remove=["ksr_failure"])
    with pytest.raises(ScriptError, match="used by 1 transaction that armed it"):
        world.script.swap("def ksr_request_route(msg):\n    return 1\n", remove=["ksr_failure"])


def test_rollback_of_a_whole_swap(start: Start) -> None:
    world = start(MODULE)
    world.script.swap("WORD = 'two'\ndef text(msg):\n    return WORD + extra()\ndef extra():\n    return '+'\n")
    world.script.swap("def extra():\n    return '-'\n")
    assert world.answer() == "two-"
    assert world.script.rollback().numbers == {"extra": 1}
    assert world.answer() == "two+"
    with pytest.raises(ScriptError, match=r"first version.*rollback\(\) without a name takes back the swap"):
        world.script.rollback("extra")
    assert world.script.rollback().numbers == {"WORD": 1, "text": 1, "extra": 0}
    assert world.answer() == "one"
    assert not hasattr(world.script.module, "extra")
    with pytest.raises(ScriptError, match="nothing was swapped"):
        world.script.rollback()


def test_a_reload_lets_go_of_the_module_before(start: Start) -> None:
    world = start(MODULE)
    world.script.swap("def text(msg):\n    return WORD + '!'\n")
    assert world.answer() == "one!"
    module = weakref.ref(world.script.module)
    world.script.reload()
    gc.collect()
    assert module() is None and world.answer() == "one"


def test_rollback_across_a_reload_runs_in_the_new_module(start: Start) -> None:
    world = start(MODULE)
    world.script.swap("def text(msg):\n    return WORD + '!'\n")
    world.path.write_text(world.path.read_text().replace('"one"', '"reloaded"'))
    world.script.reload()
    assert world.answer() == "reloaded"
    world.script.rollback("text", 2)
    assert world.answer() == "reloaded!"


def test_a_callback_of_another_file(start: Start) -> None:
    world = start(MODULE)
    (world.path.parent / "elsewhere.py").write_text("class R:\n    def ksr_request_route(self, msg):\n        pass\n")
    world.path.write_text(
        "import KSR, sys\nimport elsewhere\n"
        "def mod_init():\n    del sys.modules['elsewhere']\n    return elsewhere.R()\n"
    )
    world.script.reload()
    world.script.swap("def ksr_request_route(self, msg):\n    KSR.sl.sl_send_reply(200, 'new')\n")
    assert world.answer() == "new"
    world.script.rollback("ksr_request_route")
    assert world.answer() == ""


def test_tracebacks_show_the_swapped_source(start: Start) -> None:
    world = start(MODULE)
    world.script.swap("def text(msg):\n    return 1 / 0  # swapped\n")
    world.answer()
    (run,) = world.proxy.recorder.get(1).runs
    assert "return 1 / 0  # swapped" in run.traceback and "<swap 1 of swapped.py>" in run.traceback
    # The file may change: what runs is shown, not what is on the disk.
    world.script.rollback("text")
    world.path.write_text("\n" * 50)
    try:
        world.script.module.text(1, 2)
    except TypeError:
        traceback.format_exc()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def mood(self):\n    return 1\ndef mood(self):\n    return 2\n", "mood is defined more than once"),
        ("helper = 5\n", "helper is a Helper that the script makes as it is loaded"),
        ("text = 5\n", "text is a function of the script, not a constant"),
        ("def __init__(self):\n    pass\n", "__init__ runs once"),
        ("class New:\n    def x(self):\n        pass\n", "the script has no class New"),
        ("if 1:\n    def x(self):\n        pass\n", "`if 1:`: a swap takes functions"),
        ("def x(self):\n    pass\nx()\n", "`x()`: a swap takes functions"),
    ],
)
def test_what_is_refused_says_why(start: Start, source: str, text: str) -> None:
    world = start(CLASS)
    with pytest.raises(ScriptError) as caught:
        world.script.swap(source)
    assert text in str(caught.value)
    assert world.script.generation == 0
