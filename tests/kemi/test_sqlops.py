"""KSR.sqlops: as Kamailio 5.6.3 answers with db_sqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import KsrError, ParamError
from lab.sequence import Bench

TABLES = """
create table t(id integer, name text, f double, b blob, d datetime);
insert into t values(1, 'one', 1.5, 'bb', '2020-01-02 03:04:05');
insert into t values(2, null, 2.0, null, null);
insert into t values(3, '', 3e20, x'6162', 'x');
create table other(x);
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calls.db"
    conn = sqlite3.connect(path)
    conn.executescript(TABLES)
    conn.close()
    return path


@pytest.fixture
def bench(file: Path) -> Iterator[Bench]:
    bench = Bench([f"sqlops:sqlcon=ca=>sqlite:///{file}", "sqlops:results_maxsize=3"])
    yield bench
    bench.proxy.modules["sqlops"].stop()


def calls(bench: Bench, *expressions: str) -> list[Any]:
    return bench.request({}, list(expressions))[0]


def test_results(bench: Bench) -> None:
    got = calls(
        bench,
        'KSR.sqlops.sql_query("ca", "select * from t", "ra")',
        'KSR.pv.get("$dbr(ra=>rows)")',
        'KSR.pv.get("$dbr(ra=>cols)")',
        'KSR.pv.get("$dbr(ra=>colname[1])")',
        'KSR.pv.get("$dbr(ra=>colname[9])")',
        *(f'KSR.pv.get("$dbr(ra=>[{row},{column}])")' for row in range(4) for column in range(5)),
        'KSR.pv.get("$dbr(ra=>[$var(none),1])")',
        'KSR.pv.get("$dbr(none=>rows)")',
    )
    rows = [1, "one", None, "bb", -238834495, 2, None, None, None, None, 3, "", None, "ab", -413362495]
    assert got == [0, 3, 5, "name", None, *rows, *[None] * 5, "one", 0]


def test_functions_of_results(bench: Bench) -> None:
    calls(bench, 'KSR.sqlops.sql_query("ca", "select * from t", "ra")')
    got = calls(
        bench,
        'KSR.sqlops.sql_num_rows("ra")',
        'KSR.sqlops.sql_num_columns("ra")',
        'KSR.sqlops.sql_is_null("ra", 0, 1)',
        'KSR.sqlops.sql_is_null("ra", 1, 1)',
        'KSR.sqlops.sql_is_null("ra", 9, 1)',
        'KSR.sqlops.sql_result_get("ra", 1, 1)',
        'KSR.sqlops.sql_result_gete("ra", 1, 1)',
        'KSR.sqlops.sql_result_getz("ra", 1, 1)',
        'KSR.sqlops.sql_result_get("ra", 0, 0)',
        'KSR.sqlops.sql_result_free("ra")',
        'KSR.sqlops.sql_result_free("ra")',
        'KSR.sqlops.sql_num_rows("ra")',
        'KSR.sqlops.sql_is_null("ra", 0, 0)',
    )
    assert got == [3, 5, 0, 1, -1, None, "", 0, 1, 1, 1, 0, -1]


def test_statements(bench: Bench, file: Path) -> None:
    got = calls(
        bench,
        'KSR.sqlops.sql_query("ca", "select * from t where id=7", "rb")',
        'KSR.pv.get("$dbr(rb=>cols)")',
        'KSR.sqlops.sql_query("ca", "insert into other values(1)", "")',
        'KSR.pv.get("$sqlrows(ca)")',
        'KSR.sqlops.sql_query("ca", "select name from t where id=1; select 2", "rb")',
        'KSR.pv.get("$dbr(rb=>[0,0])")',
        'KSR.sqlops.sql_query("ca", "select id from t where id=$var(one)", "rb")',
        'KSR.pv.get("$dbr(rb=>rows)")',
        'KSR.sqlops.sql_query("ca", "select 12345678901, \'gr\\u00fc\\u00df\'", "rb")',
        'KSR.pv.get("$dbr(rb=>[0,0])")',
        'KSR.pv.get("$dbr(rb=>[0,1])")',
        'KSR.sqlops.sql_query("ca", "select * from none", "rb")',
        'KSR.sqlops.sql_query("ca", " ", "rb")',
        'KSR.sqlops.sql_query("zz", "select 1", "rb")',
        'KSR.sqlops.sql_query_async("ca", "select 1")',
        '[KSR.sqlops.sql_query("ca", "select 1", str(n)) for n in range(4)]',
    )
    assert got == [0, 0, 0, None, 0, "one", 0, 0, 0, -539222987, "grüß", -1, -1, -1, -1, [0, 0, -1, -1]]
    conn = sqlite3.connect(file)
    assert conn.execute("select x from other").fetchall() == [(1,)]
    conn.close()


def test_into_xavps(bench: Bench) -> None:
    got = calls(
        bench,
        'KSR.sqlops.sql_xquery("ca", "select id, name from t", "x")',
        'KSR.pv.get("$xavp(x[0]=>name)")',
        'KSR.pv.get("$xavp(x[1]=>name)")',
        'KSR.pv.get("$xavp(x[2]=>id)")',
        'KSR.sqlops.sql_xquery("ca", "select 6 as id", "x")',
        'KSR.pv.get("$xavp(x=>id)")',
        'KSR.pv.get("$xavp(x[1]=>id)")',
        'KSR.sqlops.sql_xquery("ca", "select id from t where id=7", "y")',
        'KSR.sqlops.sql_xquery("ca", "wrong", "y")',
        'KSR.sqlops.sql_xquery("ca", "select 1", "")',
    )
    assert got == [1, "one", None, 3, 1, 6, 1, 1, -1, 1]


def test_into_variables(bench: Bench) -> None:
    got = calls(
        bench,
        'KSR.sqlops.sql_pvquery("ca", "select \'c\', 2, NULL, \'sip:a@b\'", "$var(a);$avp(b), $xavp(i[0]=>s);$ru")',
        'KSR.pv.get("$var(a)")',
        'KSR.pv.get("$avp(b)")',
        'KSR.pv.get("$ru")',
        'KSR.sqlops.sql_pvquery("ca", "select id, name from t", "$avp(i);$avp(n)")',
        '[KSR.pv.get("$(avp(i)[%d])" % n) for n in range(4)]',
        '[KSR.pv.get("$(avp(n)[%d])" % n) for n in range(3)]',
        'KSR.sqlops.sql_pvquery("ca", "select id, name from t", "$var(x)")',
        'KSR.pv.get("$var(x)")',
        'KSR.sqlops.sql_pvquery("ca", "select id from t where id=7", "$var(x)")',
        'KSR.sqlops.sql_pvquery("ca", "select 1", "")',
        'KSR.sqlops.sql_pvquery("ca", "select 1", "bad")',
        'KSR.sqlops.sql_pvquery("ca", "select 1", "$si")',
        'KSR.sqlops.sql_pvquery("ca", "wrong", "$var(x)")',
    )
    names = ["one", "", None]
    assert got == [1, "c", 2, "sip:a@b", 1, [1, 2, 3, None], names, -1, 3, 2, -1, -1, -1, -1]


def test_a_sandbox_writes_nothing(bench: Bench, file: Path) -> None:
    bench.proxy.sandbox = True
    module: Any = bench.proxy.modules["sqlops"].fork(bench.proxy)
    assert module.sql_query(bench.run, "ca", "insert into other values(1)", "r") == 0
    assert module.sql_query(bench.run, "ca", "select count(*) from other", "r") == 0
    assert module.results["r"].rows == [(0,)]
    assert module.sql_query(bench.run, "ca", "drop table t", "r") == -1
    conn = sqlite3.connect(file)
    assert conn.execute("select count(*) from other").fetchall() == [(0,)]
    conn.close()
    assert "r" not in vars(bench.proxy.modules["sqlops"])["results"]


def test_connections_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="NAME=>URL, got 'ca'"):
        Bench(["sqlops:sqlcon=ca"])
    with pytest.raises(ParamError, match="only SQLite is supported"):
        Bench(["sqlops:sqlcon=ca=>mysql://u:p@h/d"])
    with pytest.raises(ParamError, match="cannot be opened"):
        Bench([f"sqlops:sqlcon=ca=>sqlite:///{tmp_path}/no/x.db"])
    bench = Bench([f"sqlops:sqlcon=ca=>sqlite:///{tmp_path}/no/x.db", "sqlops:connect_mode=1"])
    assert calls(bench, 'KSR.sqlops.sql_query("ca", "select 1", "r")') == [-1]


@pytest.mark.parametrize("name", ["$dbr(ra)", "$dbr(ra=>x)", "$dbr(=>rows)", "$sqlrows()", "$dbr(ra=>[x,0])"])
def test_names_that_mean_nothing(bench: Bench, name: str) -> None:
    with pytest.raises(KsrError):
        calls(bench, f"KSR.pv.get({name!r})")
