"""What was swapped is in the server's folder: a later node has the same versions, whatever it cost to make them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.kamailio import journal
from ksrcore.net.address import Listen
from ksrcore.script.engine import ScriptError
from ksrcore.script.python import PythonScript

SCRIPT = """
import KSR

LIMIT = 3


def ksr_request_route(msg):
    return answer(msg)


def answer(msg):
    return LIMIT
"""

Load = Callable[[], PythonScript]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Makes the script as a new node does."""
    path = tmp_path / "route.py"
    path.write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)

    def load() -> PythonScript:
        proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)])
        load_script(str(path), proxy, ksr)
        assert isinstance(proxy.script, PythonScript)
        return proxy.script

    return load


def loaded(script: PythonScript) -> dict[tuple[str, str], int]:
    return {place: slot.current for place, slot in script.swaps.slots.by_place.items()}


def value(script: PythonScript) -> int:
    return int(script.module.answer(None))


def test_the_same_versions_again(script: Load) -> None:
    first = script()
    base = loaded(first)
    first.swap("\n\ndef answer(msg):\n    return 4\n", "me")
    first.swap("def answer(msg):\n    return 5\n\n\ndef more(msg):\n    return 6\n\n\nLIMIT = 9\n", "me")
    first.rollback("answer", 2)
    journal.write(first, base, 7)
    again = script()
    assert journal.load(again, 7) == ([], False)
    assert value(again) == 4 and again.module.more(None) == 6 and again.module.LIMIT == 9
    old, new = first.swaps.slot("answer"), again.swaps.slot("answer")
    assert [(v.number, v.source, v.who, v.time) for v in new.versions] == [
        (v.number, v.source, v.who, v.time) for v in old.versions
    ]
    assert (new.current, new.versions[1].firstline, old.versions[1].firstline) == (2, 3, 3)
    assert again.module.answer.__code__.co_firstlineno == 3
    again.rollback("answer", 3)
    assert value(again) == 5
    again.rollback("answer", 1)
    assert value(again) == 9
    again.rollback("", None)  # the second swap, as a whole
    assert not hasattr(again.module, "more") and again.module.LIMIT == 3 and value(again) == 4


def test_what_was_removed_stays_away(script: Load) -> None:
    first = script()
    base = loaded(first)
    first.swap("def more(msg):\n    return 6\n", "me")
    first.swap("", "me", remove=["more"])
    journal.write(first, base, 7)
    again = script()
    assert journal.load(again, 7) == ([], False)
    assert not hasattr(again.module, "more")
    again.rollback("more", 1)
    assert again.module.more(None) == 6


def test_it_is_bounded(script: Load) -> None:
    first = script()
    base = loaded(first)
    for number in range(200):
        first.swap(f"def answer(msg):\n    return {number}\n", "me")
    journal.write(first, base, 7)
    size = Path(journal.JOURNAL).stat().st_size
    assert size < 200 * journal.KEPT
    again = script()
    journal.load(again, 7)
    assert value(again) == 199
    slot = again.swaps.slot("answer")
    assert len(slot.versions) == journal.KEPT + 1
    again.rollback("answer")
    assert value(again) == 198
    again.rollback("answer", 1)
    assert value(again) == 3
    # What is in use is kept, however old.
    first.rollback("answer", 2)
    for number in range(journal.KEPT + 5):
        first.swap(f"LIMIT = {number + 100}\n", "me")
    first.swap(f"def other(msg):\n    return '{'x' * journal.MOST}'\n", "me")
    journal.write(first, base, 7)
    again = script()
    assert journal.load(again, 7) == ([], False)
    assert value(again) == 0 and again.module.LIMIT == journal.KEPT + 104
    assert len(again.swaps.slot("LIMIT").versions) == 2


def test_another_start_of_the_server(script: Load) -> None:
    first = script()
    base = loaded(first)
    journal.write(first, base, 7)
    assert journal.load(script(), 8) == ([], False)
    first.swap("def answer(msg):\n    return 4\n", "me")
    journal.write(first, base, 7)
    again = script()
    assert journal.load(again, 8) == ([], True)
    assert value(again) == 3
    assert Path(journal.JOURNAL).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"slots": 3}', '{"generation": 7, "done": []}'])
def test_what_is_no_journal(script: Load, text: str) -> None:
    Path(journal.JOURNAL).write_text(text)
    assert journal.load(script(), 7) == ([], False)


def test_what_cannot_be_made_any_more_is_told(script: Load) -> None:
    first = script()
    base = loaded(first)
    first.swap("def answer(msg):\n    return 4\n", "me")
    first.swap("LIMIT = 5\n", "me")
    journal.write(first, base, 7)
    kept = json.loads(Path(journal.JOURNAL).read_text())
    entry = next(entry for entry in kept["slots"] if entry["place"] == ["", "answer"])
    entry["versions"][0][1] = "def answer(msg:\n"
    Path(journal.JOURNAL).write_text(json.dumps(kept))
    again = script()
    problems, gone = journal.load(again, 7)
    assert len(problems) == 1 and "answer, which was swapped before" in problems[0] and not gone
    assert value(again) == 5
    with pytest.raises(ScriptError):
        again.rollback("nothing")
