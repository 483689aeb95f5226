"""KSR.pdt: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import pytest

from ksrcore.store.database import Database
from lab.sequence import Bench

ROWS = [
    ("*", "49", "de.com"),
    ("*", "4930", "b.com"),
    ("ex.com", "49", "ex-de.com"),
    ("ex.com", "1", "us.com"),
    ("*", "x", "y"),
]


def database() -> Database:
    db = Database.open(":memory:")
    db.execute("CREATE TABLE pdt (id INTEGER PRIMARY KEY, sdomain TEXT, prefix TEXT, domain TEXT)")
    for row in ROWS:
        db.execute("INSERT INTO pdt (sdomain, prefix, domain) VALUES (?, ?, ?)", row)
    return db


@pytest.mark.parametrize(
    ("uri", "call", "result", "becomes"),
    [
        ("sip:4930123@ex.com", "pd_translate('ex.com', 0)", 1, "sip:30123@ex-de.com"),
        ("sip:4930123@ex.com", "pd_translate('ex.com', 1)", 1, "sip:4930123@ex-de.com"),
        ("sip:4930123@ex.com", "pd_translate('*', 2)", 1, "sip:4930123@b.com"),
        ("sips:491:pw@ex.com:5070;x=y", "pd_translate('ex.com', 0)", 1, "sips:1:pw@ex-de.com"),
        ("sip:49@other.com", "pd_translate('ex.com', 0)", 1, "sip:ex-de.com"),
        ("sip:+4930123@ex.com", "pd_translate('ex.com', 0)", -1, None),
        ("sip:777@ex.com", "pd_translate('ex.com', 0)", -1, None),
        ("sip:49@ex.com", "pd_translate('zz.com', 0)", -1, None),
        ("sip:49@ex.com", "pd_translate('', 0)", -1, None),
        ("sip:ex.com", "pd_translate('ex.com', 0)", -1, None),
        ("sip:4930123@ex.com", "pprefix2domain(0, 0)", 1, "sip:123@b.com"),
        ("sip:4930123@ex.com", "pprefix2domain(0, 1)", 1, "sip:30123@ex-de.com"),
        ("sip:1555@ex.com", "pprefix2domain(0, 0)", -1, None),
        ("sip:1555@ex.com", "pprefix2domain(1, 2)", 1, "sip:1555@us.com"),
        ("sip:4930123@ex.com", "pprefix2domain(0, 3)", 1, "sip:123@b.com"),
    ],
)
def test_domains(uri: str, call: str, result: int, becomes: str | None) -> None:
    got = Bench(db=database()).request({"ruri": uri}, [f"KSR.pdt.{call}", "KSR.pv.get('$ru')"])[0]
    assert got == [result, becomes or uri]


def test_a_prefix_that_is_taken_off() -> None:
    bench = Bench(["pdt:prefix=00"], db=database())
    calls = ["KSR.pdt.pd_translate('*', 2)", "KSR.pv.get('$ru')"]
    assert bench.request({"ruri": "sip:00491@ex.com"}, calls)[0] == [1, "sip:491@de.com"]
    assert bench.request({"ruri": "sip:491@ex.com"}, calls)[0] == [-1, "sip:491@ex.com"]


def test_rpc() -> None:
    bench = Bench(db=database())
    entries = [{"ENTRY": {"DOMAIN": "de.com", "PREFIX": "49"}}, {"ENTRY": {"DOMAIN": "b.com", "PREFIX": "4930"}}]
    assert bench.rpc("pdt.list", "*") == [{"SDOMAIN": "*", "RECORDS": entries}]
    bench.db.execute("DELETE FROM pdt")
    assert bench.rpc("pdt.reload") == {} and bench.rpc("pdt.list") == []
    bench.db.execute("DROP TABLE pdt")
    assert bench.rpc("pdt.reload") == "error 500: Failed to reload"
