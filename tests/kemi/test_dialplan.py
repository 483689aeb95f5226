"""KSR.dialplan: as Kamailio 5.6.3 answers."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from lab.sequence import Bench

TABLE = """CREATE TABLE dialplan (id INTEGER PRIMARY KEY, dpid INTEGER, pr INTEGER, match_op INTEGER, match_exp TEXT,
match_len INTEGER, subst_exp TEXT, repl_exp TEXT, attrs TEXT)"""
ROWS = [
    (1, 1, 1, r"^00([1-9].*)$", 0, r"^00([1-9].*)$", r"+\1", "intl"),
    (1, 2, 0, "911", 0, "", "112", "emerg"),
    (1, 3, 1, "^0", 0, "", "", "noop"),
    (1, 0, 1, "^77", 4, r"^77(.)", r"x\1y", "len4"),
    (2, 1, 2, "sip:a*", 0, "", "hit", "fn"),
    (2, 2, 0, "abc", 0, "^(a)(b)(c)$", r"\3\2\1-\0", "rev"),
    (3, 1, 0, "x", 0, "y", "z", ""),
]


def database(rows: list[Any]) -> Database:
    db = Database.open(":memory:")
    db.execute(TABLE)
    for row in rows:
        db.execute(
            "INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_len, subst_exp, repl_exp, attrs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    return db


@pytest.fixture
def bench() -> Bench:
    return Bench(["dialplan:attrs_pvar=$avp(at)"], db=database(ROWS))


@pytest.mark.parametrize(
    ("dpid", "text", "wanted"),
    [
        (1, "00491", [1, "+491", "intl"]),
        (1, "911", [1, "112", "emerg"]),
        (1, "0123", [1, None, "noop"]),
        (1, "7712", [1, "x1y", "len4"]),
        (1, "771", [-1, None, None]),
        (2, "sip:ab", [1, "hit", "fn"]),
        (2, "abc", [1, "cba-abc", "rev"]),
        (3, "x", [-1, None, None]),
        (9, "x", [-2, None, None]),
        (1, "", [-1, None, None]),
    ],
)
def test_rules(bench: Bench, dpid: int, text: str, wanted: list[Any]) -> None:
    calls = [f"KSR.dialplan.dp_replace({dpid}, '{text}', '$avp(o)')", "KSR.pv.get('$avp(o)')", "KSR.pv.get('$avp(at)')"]
    assert bench.request({}, calls)[0] == wanted
    assert bench.request({}, [f"KSR.dialplan.dp_match({dpid}, '{text}')"])[0] == wanted[:1]


def test_variables(bench: Bench) -> None:
    calls = [
        "KSR.pv.sets('$var(i)', '911')",
        "KSR.dialplan.dp_translate_vars(1, '$var(i)', '$var(o)')",
        "KSR.pv.get('$var(o)')",
        "KSR.dialplan.dp_translate_vars(1, '911', '$var(o)')",
        "KSR.dialplan.dp_translate_vars(1, '$avp(none)', '$var(o)')",
        "KSR.dialplan.dp_replace(1, '911', 'bad')",
        "KSR.dialplan.dp_replace(1, '911', '$si')",
        "KSR.dialplan.dp_translate(1)",
        "KSR.pv.get('$ru')",
        "KSR.dialplan.dp_translate(9)",
    ]
    got = bench.request({"ruri": "sip:00491@ex.com;x=y"}, calls)[0]
    assert got == [True, 1, "112", -1, -1, -1, 1, 1, "sip:+491@ex.com;x=y", -2]
    assert bench.request({"ruri": "sip:ex.com"}, ["KSR.dialplan.dp_translate(1)"])[0] == [-1]


def test_rpc(bench: Bench) -> None:
    assert bench.rpc("dialplan.translate", 1, "911") == {"Output": "112", "Attributes": "emerg"}
    assert bench.rpc("dialplan.translate", 1, "zz") == "error 500: No translation"
    assert bench.rpc("dialplan.translate", 9, "zz") == "error 500: Dialplan ID not matched"
    assert bench.rpc("dialplan.translate", 1) == "error 500: Invalid parameters"
    dumped = bench.rpc("dialplan.dump", 1)
    assert [entry["ENTRY"]["ATTRS"] for entry in dumped["ENTRIES"]] == ["len4", "intl", "emerg", "noop"]
    assert bench.rpc("dialplan.dump") == "error 500: Missing parameter"
    assert bench.rpc("dialplan.dump", 9) == "error 500: Dialplan ID not matched"
    bench.db.execute("DELETE FROM dialplan WHERE dpid = 1")
    assert bench.rpc("dialplan.reload") == {}
    assert bench.request({}, ["KSR.dialplan.dp_match(1, '911')"])[0] == [-2]
    bench.db.execute("UPDATE dialplan SET match_op = 7")
    assert bench.rpc("dialplan.reload") == "error 500: Dialplan Reload Failed"
    assert bench.request({}, ["KSR.dialplan.dp_match(2, 'abc')"])[0] == [1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((1, 1, 1, "(", 0, "", "", ""), "missing"),
        ((1, 1, 3, "x", 0, "", "", ""), "match_op 3"),
        ((1, 1, 0, "x", 0, "(x)", r"\2", ""), "more groups"),
    ],
)
def test_rules_that_cannot_be(row: Any, said: str) -> None:
    with pytest.raises(ParamError, match=said):
        Bench(db=database([row]))


def test_parameters_that_cannot_be() -> None:
    with pytest.raises(ParamError, match="match_dynamic can only be 0"):
        Bench(["dialplan:match_dynamic=1"])
    with pytest.raises(ParamError, match="attrs_pvar"):
        Bench(["dialplan:attrs_pvar=x"])
