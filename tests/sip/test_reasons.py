"""Reason phrases."""

from __future__ import annotations

import pytest

from ksrcore.sip.reasons import reason_for


@pytest.mark.parametrize(("code", "reason"), [(486, "Busy Here"), (299, "OK"), (499, "Bad Request"), (180, "Ringing")])
def test_known_and_unknown(code: int, reason: str) -> None:
    assert reason_for(code) == reason


def test_each_has_one() -> None:
    assert all(reason_for(code) for code in range(100, 700))
