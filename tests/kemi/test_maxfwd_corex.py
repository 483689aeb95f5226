"""KSR.maxfwd, corex and the quick tests of siputils: every call as recorded from Kamailio 5.6.3."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

DIFFERS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("case", load("maxfwd_corex"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
