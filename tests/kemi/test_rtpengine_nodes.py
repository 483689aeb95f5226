"""Sets of rtpengines, the hash that finds one, and which one a call has."""

from __future__ import annotations

import pytest

from ksrcore.kemi.rtpengine_nodes import Calls, Sets, hash_of


def test_sets() -> None:
    sets = Sets()
    sets.add_text("udp:h:1=2 udp:h:2", 7)
    sets.add_text(" 3 ==  udp6:[::1]:3=0")
    assert [(node.number, node.index, node.url, node.weight) for node in sets] == [
        (7, 0, "udp:h:1", 2),
        (7, 1, "udp:h:2", 1),
        (3, 2, "udp6:[::1]:3", 0),
    ]
    assert (3 in sets, 0 in sets) == (True, False)
    copy, nodes = sets.fork()
    next(iter(copy)).switch_off()
    assert not next(iter(sets)).disabled and len(nodes) == 3


# As Kamailio 5.6.3 chose among weights 1, 2 and 4.
@pytest.mark.parametrize(
    ("algorithm", "chosen"),
    [(0, [2, 2, 1, 1, 2, 2, 2, 2, 2, 1]), (1, [2, 0, 2, 2, 2, 2, 2, 1, 1, 2]), (2, [2, 1, 2, 2, 2, 2, 1, 2, 0, 2])],
)
def test_hashes(algorithm: int, chosen: list[int]) -> None:
    by_cut = [0, 1, 1, 2, 2, 2, 2]
    callids = [f"call{n * n * 7 + n}@x{'y' * (n % 5)}" for n in range(10)]
    assert [by_cut[hash_of(callid, algorithm) % 7] for callid in callids] == chosen


def test_calls() -> None:
    sets = Sets()
    one, two = sets.add_text("udp:h:1 udp:h:2")
    calls = Calls(1, 60.0)
    calls.insert("a", "", one, 0.0)
    calls.insert("a", "", two, 0.0)
    calls.insert("a", "b", two, 0.0)
    calls.insert("", "", one, 0.0)
    assert (calls.find("a", "", 1.0), calls.find("a", "b", 1.0), calls.find("x", "", 1.0)) == (one, two, None)
    assert len(calls) == 2
    copies = calls.fork({})
    assert calls.remove("a", "b") and not calls.remove("a", "b")
    assert calls.remove("a", "") and not len(calls)
    assert len(copies) == 2 and copies.remove("a", "")
    # What is too old goes when its row is used by another call.
    calls.insert("old", "", one, 0.0)
    assert calls.find("old", "", 100.0) is one
    calls.insert("new", "", two, 100.0)
    assert (len(calls), calls.find("old", "", 100.0)) == (1, None)
