"""Kamailio's hash: the slots (of 256) in which 5.6.3 listed these keys."""

from __future__ import annotations

import pytest

from ksrcore.corehash import core_hash


@pytest.mark.parametrize(
    ("key", "slot"),
    [("k", 102), ("z", 117), ("\u00c9\u00c0x", 5), ("\u00e9a", 67), ("\u65e5\u672c\u8a9e", 131), ("abcd\u00e9", 222)],
)
def test_slots(key: str, slot: int) -> None:
    assert core_hash(key.encode().decode("latin-1")) & 255 == slot
