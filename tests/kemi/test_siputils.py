"""KSR.siputils: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

HEADERS = "Kamailio puts the parameter behind the headers of the URI, which is no URI then"
GARBAGE = "Kamailio adds bytes of memory for the padding it takes away"
DIFFERS: dict[str, dict[str, str]] = {
    "ruri params h": {
        "KSR.pv.get('$ru')": HEADERS,
        "KSR.siputils.add_uri_param(';m=2',)": HEADERS,
        "KSR.siputils.uri_param_rm('n',)": HEADERS,
    },
    "enc empty": {"sent": "Kamailio writes a NUL byte"},
    "cpd ruri": {"KSR.pv.get('$ru')": GARBAGE, "sent": GARBAGE},
    "cpd": {"sent": GARBAGE},
}


@pytest.mark.parametrize("case", load("siputils"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
