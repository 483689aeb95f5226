"""Edits against the text as it came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ksrcore.net.address import Dest
from ksrcore.sip.lumps import Lump, Lumps

DEST = Dest("udp", "10.0.0.9", 5060)


def apply(lumps: Lumps, text: str = "0123456789") -> str:
    return lumps.apply(text, 0, len(text), DEST)


def test_no_edit_changes_nothing() -> None:
    assert apply(Lumps()) == "0123456789"


def test_insertions_at_one_place_keep_their_order() -> None:
    lumps = Lumps()
    lumps.insert(4, "a")
    lumps.insert(0, "<")
    lumps.insert(4, "b")
    lumps.insert(10, ">")
    assert apply(lumps) == "<0123ab456789>"


def test_deletion_and_replacement() -> None:
    lumps = Lumps()
    lumps.delete(2, 3)
    lumps.replace(7, 2, "x")
    assert apply(lumps) == "0156x9"
    assert lumps.deleted(2) and lumps.deleted(4) and not lumps.deleted(5)


def test_of_overlapping_edits_the_first_wins() -> None:
    lumps = Lumps()
    lumps.replace(2, 4, "AB")
    lumps.replace(4, 4, "CD")
    assert apply(lumps) == "01AB89"


def test_a_text_may_depend_on_the_destination() -> None:
    lumps = Lumps()
    lumps.insert(0, lambda dest: f"[{dest.ip}]")
    assert apply(lumps) == "[10.0.0.9]0123456789"


def test_extra_edits_come_last_and_ranges_are_respected() -> None:
    lumps = Lumps()
    lumps.insert(5, "a")
    lumps.insert(1, "no")
    assert lumps.apply("0123456789", 4, 8, DEST, [Lump(5, 0, "b", "via")]) == "4ab567"


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10), st.text(max_size=3)), max_size=8))
def test_any_edits_give_text(edits: list[tuple[int, int, str]]) -> None:
    lumps = Lumps()
    for offset, length, text in edits:
        lumps.replace(offset, min(length, 10 - offset), text)
    assert isinstance(apply(lumps), str)
