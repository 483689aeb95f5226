"""A script's file that is edited while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from ksrcore.script.watch import Watcher

Start = Callable[..., Any]

SCRIPT = """\
import KSR

WORD = "one"
calls = []


def ksr_request_route(msg):
    KSR.sl.sl_send_reply(200, text(msg))
    return 1


def text(msg):
    return WORD


def last(msg):
    return 1 / 0
"""


class Edited:
    def __init__(self, world: Any) -> None:
        self.world = world
        self.told: list[tuple[str, bool]] = []
        self.watcher = Watcher(world.script, lambda text, done: self.told.append((text, done is not None)))

    def save(self, text: str) -> list[tuple[str, bool]]:
        """As editors do: another file in the place of the old."""
        new = self.world.path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.world.path)
        return self.look()

    def look(self) -> list[tuple[str, bool]]:
        self.told.clear()
        self.watcher.look()
        self.watcher.look()
        return list(self.told)


@pytest.fixture
def edited(start: Start) -> Edited:
    return Edited(start(SCRIPT))


def test_only_what_changed_is_swapped(edited: Edited) -> None:
    world = edited.world
    world.script.module.calls.append("kept")
    changed = (
        "# a comment\n" + SCRIPT.replace("return WORD", "return WORD + more()") + "\n\ndef more():\n    return '+'\n"
    )
    told = edited.save(changed.replace('"one"', '"two"'))
    assert told == [("taken over from the file: WORD version 2, text version 2, more version 1", True)]
    assert world.answer() == "two+"
    assert world.script.module.calls == ["kept"]
    route = world.script.route("text")
    assert (route.current, route.saved, route.version.who, route.version.firstline) == (2, 2, "file", 13)
    assert world.script.route("ksr_request_route").current == 1
    # Lines of what did not change are those of the file, too.
    with pytest.raises(ZeroDivisionError) as caught:
        world.script.module.last(0)
    assert caught.traceback[-1].lineno + 1 == 18
    assert edited.look() == []


def test_a_file_written_in_place_waits_until_it_is_whole(edited: Edited) -> None:
    world = edited.world
    text = SCRIPT.replace('"one"', '"two"')
    world.path.write_text(text[:40])
    edited.watcher.look()
    world.path.write_text(text)
    edited.watcher.look()
    assert edited.told == []
    edited.watcher.look()
    assert [taken for _, taken in edited.told] == [True]


def test_layout_alone_changes_nothing(edited: Edited) -> None:
    assert edited.save("\n\n" + SCRIPT.replace("return 1 / 0", "# why\n\n    return (1 / 0)")) == []
    route = edited.world.script.route("last")
    assert (route.current, len(route.versions), route.version.firstline) == (1, 1, 18)
    # Only the lines are new.
    with pytest.raises(ZeroDivisionError) as caught:
        edited.world.script.module.last(0)
    assert caught.traceback[-1].lineno + 1 == 21
    assert edited.save(SCRIPT.replace('"one"', '"x"'))[0][1]
    assert edited.world.answer() == "x"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("def text(msg):", "def text(msg:", "line 12|:12: does not compile"),
        ("import KSR", "import KSR\nimport os", "import os is new or changed: that needs a full reload"),
        ("calls = []", "calls = [text]", "`calls = \\[text\\]` is new or changed: that needs a full reload"),
        ("def last(msg):", "class New:\n  def last(msg):", "class New is new: that needs a full reload"),
        ("def last(msg):", "def mod_init():", "mod_init runs once, when the script is loaded"),
        ("return WORD", "return KSR.nothing()", "KSR.nothing"),
        (
            "def text(msg):\n    return WORD",
            "",
            "text cannot be removed: it is used by ksr_request_route|text is not def",
        ),
    ],
)
def test_what_is_not_taken_is_one_line(edited: Edited, old: str, new: str, why: str) -> None:
    import re

    ((text, taken),) = edited.save(SCRIPT.replace(old, new))
    assert not taken and re.search(why, text) and "\n" not in text
    assert edited.world.answer() == "one"
    assert edited.world.script.generation == 0
    assert edited.look() == []  # said once
    assert edited.save(SCRIPT.replace('"one"', '"two"'))[0][1]
    assert edited.world.answer() == "two"


def test_a_file_that_is_gone_for_a_moment(edited: Edited) -> None:
    edited.world.path.unlink()
    assert edited.look() == []
    assert edited.save(SCRIPT.replace('"one"', '"back"'))[0][1]
    assert edited.world.answer() == "back"


def test_what_was_swapped_at_the_prompt_stays(edited: Edited) -> None:
    world = edited.world
    world.script.swap("WORD = 'prompt'\n")
    edited.save(SCRIPT.replace("return WORD", "return WORD + '!'"))
    assert world.answer() == "prompt!"
    world.script.swaps.save()
    assert edited.look() == []
    assert "WORD = 'prompt'" in world.path.read_text()


def test_a_function_taken_out_of_the_file_goes(edited: Edited) -> None:
    told = edited.save(SCRIPT.partition("\n\ndef last")[0])
    assert told == [("taken over from the file: last removed", True)]
    assert not hasattr(edited.world.script.module, "last")
