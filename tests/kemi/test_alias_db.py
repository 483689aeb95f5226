"""KSR.alias_db: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench

NAMES = ("alias_username", "alias_domain", "username", "domain")
ROWS = [
    ("ali", "ex.com", "bob", "ex.com"),
    ("multi", "ex.com", "b1", "d1"),
    ("multi", "ex.com", "b2", "d2"),
    ("other", "o.com", "z", "zz.com"),
]
DATABASE = [("dbaliases", dict(zip(NAMES, row, strict=True))) for row in ROWS]
BRANCH = "KSR.pv.get('$(branch(uri)[0])')"


@pytest.mark.parametrize(
    ("uri", "flags", "result", "becomes"),
    [
        ("sip:ali@ex.com", "", 1, "sip:bob@ex.com"),
        ("sip:ali:pw@q.com:5070;x=y?h=1", "", 1, "sip:bob@ex.com"),
        ("sip:multi@ex.com", "", 1, "sip:b1@d1"),
        ("sip:none@ex.com", "", -1, "sip:none@ex.com"),
        ("sip:ex.com", "", -1, "sip:ex.com"),
        ("tel:ali", "", 1, "sip:bob@ex.com"),
        ("sip:ali@q.com", "u", -1, "sip:ali@q.com"),
        ("sip:ali@ex.com", "du", 1, "sip:bob@ex.com"),
        ("sip:ali@q.com", "ud", 1, "sip:bob@ex.com"),
        ("sip:bob@ex.com", "r", 1, "sip:ali@ex.com"),
        ("sip:ali@ex.com", "r", -1, "sip:ali@ex.com"),
        ("sip:ali@ex.com", "z", 1, "sip:bob@ex.com"),
    ],
)
def test_lookup(uri: str, flags: str, result: int, becomes: str) -> None:
    calls = [f"KSR.alias_db.lookup_ex('dbaliases', '{flags}')", "KSR.pv.get('$ru')", BRANCH]
    assert Bench(database=DATABASE).request({"ruri": uri}, calls)[0] == [result, becomes, None]


def test_parameters() -> None:
    bench = Bench(["alias_db:use_domain=1", "alias_db:append_branches=1", "alias_db:domain_prefix=x."], DATABASE)
    lookup = "KSR.alias_db.lookup('dbaliases')"
    assert bench.request({"ruri": "sip:ali@q.com"}, [lookup])[0] == [-1]
    assert bench.request({"ruri": "sip:multi@x.ex.com"}, [lookup, BRANCH])[0] == [1, "sip:b2@d2"]
    with pytest.raises(ParamError, match="alias_db:user_column expects a name"):
        Bench(["alias_db:user_column=a b"])


def test_no_table() -> None:
    calls = ["KSR.alias_db.lookup('none')", "KSR.alias_db.lookup('')", "KSR.alias_db.lookup('a;b')"]
    assert Bench().request({}, calls)[0] == [-1, -1, -1]
