"""KSR.htable: sequences as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError
from lab.sequence import Bench, check, load

DIFFERS: dict[str, str] = {}


@pytest.mark.parametrize("scenario", load("htable"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario, DIFFERS)


def test_items_expire() -> None:
    bench = Bench(["htable:htable=b=>size=3;autoexpire=30;", "htable:event_callback=told"])
    told: list[Any] = []

    class Script:
        def has(self, name: str) -> bool:
            return name == "told"

        def call(self, run: Any, name: str, event: str) -> int:
            bench.proxy.env.run = run
            told.append((event, bench.ksr.pv.get("$shtrecord(key)"), bench.ksr.pv.get("$shtrecord(value)")))
            return 1

    bench.proxy.script = Script()  # type: ignore[assignment]
    bench.request({}, ['KSR.htable.sht_sets("b", "k", "v")', 'KSR.htable.sht_setxi("b", "n", 1, 100)'])
    bench.proxy.now += 31
    assert bench.request({}, ['KSR.htable.sht_get("b", "k")', 'KSR.htable.sht_get("b", "n")'])[0] == [None, 1]
    bench.proxy.advance(bench.proxy.now + 20)
    assert told == [("htable:mod-init", None, None), ("htable:expired:b", "k", "v")]
    assert bench.rpc("htable.stats")[0]["all"] == 1


def test_tables_of_the_database() -> None:
    db = Database.open(":memory:")
    names = ("key_name", "key_type", "value_type", "key_value")
    many = [("many", 1, 0, text) for text in "ab"]
    for row in [("plain", 0, 0, "text"), ("number", 0, 1, "5"), *many, ("bad", 0, 1, "x")]:
        db.insert("htable", dict(zip(names, row, strict=True)))
    bench = Bench(["htable:htable=t=>size=4;dbtable=htable;dbmode=1"], db=db)
    keys = ("plain", "number", "many[0]", "many[1]", "many::size", "bad")
    values = bench.request({}, [f'KSR.htable.sht_get("t", "{key}")' for key in keys])[0]
    assert values == ["text", 5, "a", "b", 2, 0]
    bench.request({}, ['KSR.htable.sht_reset("t")', 'KSR.htable.sht_seti("t", "new", 7)'])
    bench.proxy.modules["htable"].stop()
    assert bench.db.query("SELECT key_name, value_type, key_value FROM htable") == [("new", 1, "7")]
    bench.request({}, ['KSR.htable.sht_seti("t", "new", 8)'])
    assert bench.rpc("htable.reload", "t") == "Ok. Htable reloaded."
    assert bench.request({}, ['KSR.htable.sht_get("t", "new")'])[0] == [7]


def test_a_sandbox_writes_for_itself() -> None:
    bench = Bench(["htable:htable=a=>size=4;"])
    bench.request({}, ['KSR.htable.sht_sets("a", "k", "v")'])
    fork: Any = bench.proxy.modules["htable"].fork(bench.proxy)
    assert fork.sht_get(bench.run, "a", "k") == "v"
    fork.sht_sets(bench.run, "a", "k", "w")
    assert bench.request({}, ['KSR.htable.sht_get("a", "k")'])[0] == ["v"]


@pytest.mark.parametrize("text", ["a", "a=>size=x", "a=>colour=1", "=>size=4", "a=>cols=one", "a=>size"])
def test_definitions_are_checked(text: str) -> None:
    with pytest.raises(ParamError, match="htable:htable"):
        Bench([f"htable:htable={text}"])


def test_a_table_that_is_not_in_the_database() -> None:
    with pytest.raises(StoreError, match="no table nope"):
        Bench(["htable:htable=t=>dbtable=nope"])
