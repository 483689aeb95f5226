"""KSR.nathelper: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

FAMILY = "Kamailio puts an IPv4 address behind IP6 and fails half way"
TWICE = "Kamailio writes both addresses one after the other"
DIFFERS: dict[str, dict[str, str]] = {
    "fns ip bad": {"KSR.nathelper.fix_nated_sdp_ip(10,'x')": "x is no address", "sent": "x is no address"},
    "fns lf": {"sent": "Kamailio adds no a=direction to a body with bare line feeds"},
    "fns v6": {"KSR.nathelper.fix_nated_sdp(10)": FAMILY, "sent": FAMILY},
    "fns twice": {"KSR.nathelper.fix_nated_sdp(10)": TWICE, "sent": TWICE},
}


@pytest.mark.parametrize("case", load("nathelper"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
