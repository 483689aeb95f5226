"""KSR.permissions: sequences as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sequence import check, load

DIFFERS: dict[str, str] = {}


@pytest.mark.parametrize("scenario", load("permissions"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario, DIFFERS)
