"""KSR.sanity: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

DIFFERS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("case", load("sanity"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
