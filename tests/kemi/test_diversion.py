"""KSR.diversion: as Kamailio 5.6.3 edits."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sequence import Bench

EDITED = (
    "[line for line in (KSR.textopsx.msg_apply_changes(), KSR.pv.get('$mb'))[1].split('\\r\\n') if line[:1] in 'XD']"
)


@pytest.mark.parametrize(
    ("step", "calls", "lines"),
    [
        (
            {"ruri": "sip:r@q"},
            ["KSR.pv.sets('$ru', 'sip:n@m')", "KSR.diversion.add_diversion('unconditional')"],
            ["Diversion: <sip:r@q>;reason=unconditional"],
        ),
        ({}, ["KSR.diversion.add_diversion_uri('user-busy', 'sip:x@y')"], ["Diversion: <sip:x@y>;reason=user-busy"]),
        (
            {"fields": ["X-A: 1", "Diversion: <sip:old@o>;reason=x", "X-B: 2"]},
            ["KSR.diversion.add_diversion('a')", "KSR.diversion.add_diversion_uri('b', 'sip:b')"],
            ["X-A: 1", "Diversion: <sip:b>;reason=b", "Diversion: <sip:bob@ex.com>;reason=a",
             "Diversion: <sip:old@o>;reason=x", "X-B: 2"],
        ),
    ],
)  # fmt: skip
def test_fields(step: dict[str, Any], calls: list[str], lines: list[str]) -> None:
    *results, edited = Bench().request(step, [*calls, EDITED])[0]
    assert set(results) == {1} and [line for line in edited if line] == lines
