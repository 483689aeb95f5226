"""KSR.rr: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

RUINED = "Kamailio removes half of the field, and what stays is no SIP"
DIFFERS: dict[str, dict[str, str]] = {
    "remove": {"sent": RUINED},
    "remove readd": {"sent": RUINED},
    "reply": {"sent": RUINED},
}


@pytest.mark.parametrize("case", load("rr"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
