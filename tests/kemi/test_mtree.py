"""KSR.mtree: as Kamailio 5.6.3 answers."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from lab.sequence import Bench

PARAMS = ["mtree:mtree=name=t;dbtable=routes", "mtree:pv_value=$avp(tv)", "mtree:mt_allow_duplicates=1"]


def database(rows: list[tuple[str, str, str]]) -> Database:
    db = Database.open(":memory:")
    db.execute("CREATE TABLE routes (id INTEGER PRIMARY KEY, tname TEXT, tprefix TEXT, tvalue TEXT)")
    for row in rows:
        db.execute("INSERT INTO routes (tname, tprefix, tvalue) VALUES (?, ?, ?)", row)
    return db


ROWS = [("x", "49", "de"), ("x", "4930", "berlin"), ("y", "1", "7")]


def match(bench: Bench, text: str, mode: int = 0, tree: str = "t") -> list[Any]:
    calls = [f"KSR.mtree.mt_match('{tree}', '{text}', {mode})", "KSR.pv.get('$avp(tv)')"]
    return bench.request({}, calls)[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("49301", [1, "berlin"]),
        ("4930", [1, "berlin"]),
        ("4911", [1, "de"]),
        ("1", [1, "7"]),
        ("5", [-1, None]),
        ("", [-1, None]),
        ("49a30", [-1, None]),
    ],
)
def test_the_longest_prefix(text: str, wanted: list[Any]) -> None:
    assert match(Bench(PARAMS, db=database(ROWS)), text) == wanted


def test_several_values() -> None:
    bench = Bench(PARAMS, db=database([*ROWS, ("x", "49", "other")]))
    assert match(bench, "491") == [1, "other"]
    calls = ["KSR.mtree.mt_match('t', '491', 2)", "[KSR.pv.get('$(avp(tvalues)[%d])' % n) for n in range(3)]"]
    assert bench.request({}, calls)[0] == [1, ["other", "de", None]]
    assert match(bench, "49", tree="none") == [-1, None]


def test_a_table_of_several_trees_with_numbers() -> None:
    params = ["mtree:mtree=name=y;dbtable=routes;multi=1;type=2", "mtree:pv_value=$avp(tv)"]
    bench = Bench(params, db=database(ROWS))
    assert match(bench, "12", tree="y") == [1, 7]
    assert match(bench, "49", tree="y") == [-1, None]


def test_rpc() -> None:
    bench = Bench(PARAMS, db=database(ROWS))
    assert bench.rpc("mtree.list", "t")[1] == {"tname": "t", "tprefix": "49", "tvalue": ["de"]}
    assert bench.rpc("mtree.list", "zz") == []
    assert len(bench.rpc("mtree.list")) >= 2
    assert bench.rpc("mtree.match", "t", "49301", 0) == {"PREFIX": "4930", "TVALUE": "berlin"}
    assert bench.rpc("mtree.match", "t", "5", 0) == "error 404: Prefix not found"
    assert bench.rpc("mtree.summary")[0]["item"]["nritems"] == 3
    bench.db.execute("DELETE FROM routes WHERE tprefix = '4930'")
    assert bench.rpc("mtree.reload", "t") == "Ok. Mtree reloaded."
    assert match(bench, "49301") == [1, "de"]
    assert bench.rpc("mtree.reload", "zz") == "error 500: Can not find specified Mtree"
    bench.db.execute("INSERT INTO routes (tname, tprefix, tvalue) VALUES ('x', 'a', 'b')")
    assert bench.rpc("mtree.reload") == "error 500: Mtree Reload Failed"
    assert match(bench, "49301") == [1, "de"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (["mtree:mtree=name=t"], "a name and a dbtable"),
        (["mtree:mtree=name=t;dbtable=routes;zz=1"], "expects name=NAME"),
        (["mtree:mtree=name=t;dbtable=routes;type=1"], "0 text or 2 number"),
        (["mtree:mtree=name=t;dbtable=none"], "no such table"),
        (["mtree:mtree=name=t;dbtable=routes;type=2"], "is no number"),
        (["mtree:mtree=name=t;dbtable=routes", "mtree:char_list=123"], "not in char_list"),
        (["mtree:pv_value=x"], "expect a variable"),
        (["mtree:db_table=x"], "name the table"),
    ],
)
def test_trees_that_cannot_be(params: list[str], said: str) -> None:
    with pytest.raises(ParamError, match=said):
        Bench(params, db=database(ROWS))


def test_two_values() -> None:
    rows = [("x", "49", "a"), ("x", "49", "b")]
    with pytest.raises(ParamError, match="two values for prefix 49"):
        Bench(PARAMS[:2], db=database(rows))
    assert match(Bench([*PARAMS[:2], "mtree:mt_ignore_duplicates=1"], db=database(rows)), "49") == [1, "a"]
