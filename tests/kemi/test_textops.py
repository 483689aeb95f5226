"""KSR.textops: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

LENGTH = "Kamailio leaves Content-Length as it was, and the message is broken"
DIFFERS: dict[str, dict[str, str]] = {
    "search_append": {"sent": LENGTH},
    "replace": {"sent": LENGTH},
    "replace_all": {"sent": LENGTH},
    "replace_all2": {"sent": LENGTH},
    "replace_body_all": {"sent": "of two edits that overlap Kamailio keeps both texts"},
    "replace_str": {"sent": LENGTH},
    "replace_str f": {"sent": LENGTH},
    "subst g": {"sent": LENGTH},
    "subst g2": {"sent": LENGTH},
    "subst delim": {"sent": LENGTH},
    "get part": {"KSR.pv.get('$var(o)')": "Kamailio's raw part includes the closing delimiter"},
}


@pytest.mark.parametrize("case", load("textops"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)
