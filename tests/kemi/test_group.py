"""KSR.group: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench

DATABASE = [
    ("grp", {"username": "bob", "domain": "ex.com", "grp": "int"}),
    ("grp", {"username": "ann", "domain": "o.com", "grp": "int"}),
]
PAIRS = [("sip:bob@ex.com", "int"), ("sip:bob@ex.com", "x"), ("sip:ann@q.com", "int"), ("From", "int"), ("", "int")]


@pytest.mark.parametrize(("use_domain", "other"), [(0, 1), (1, -6)])
def test_membership(use_domain: int, other: int) -> None:
    bench = Bench([f"group:use_domain={use_domain}"], DATABASE)
    calls = [f"KSR.group.is_user_in({uri!r}, {group!r})" for uri, group in [*PAIRS, ("sip:bob@ex.com", "")]]
    assert bench.request({}, calls)[0] == [1, -6, other, -1, -1, -1]


def test_expressions_are_refused() -> None:
    with pytest.raises(ParamError, match="no KEMI function uses it"):
        Bench(["group:re_table=re_grp"])
