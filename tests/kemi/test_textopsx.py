"""KSR.textopsx: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

DIFFERS: dict[str, dict[str, str]] = {
    "regsub": {
        "KSR.textops.regex_substring('abc', 'b', -1, 1, '$var(o)')": "there is no group -1",
        "KSR.pv.get('$var(o)')": "there is no group -1",
    },
    "set buffer bad": {
        "KSR.textopsx.msg_set_buffer('garbage')": "Kamailio leaves an unusable message behind",
        "KSR.pv.get('$ru')": "Kamailio leaves an unusable message behind",
    },
}


@pytest.mark.parametrize("case", load("textopsx"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
