"""KSR.mqueue: as recorded from Kamailio 5.6.3; queues kept in the database."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import KsrError, ParamError
from ksrcore.store.database import Database
from lab.sequence import Bench, check, load


@pytest.mark.parametrize("scenario", load("mqueue"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


@pytest.mark.parametrize(("dbmode", "read", "written"), [(0, 0, 1), (1, 1, 2), (2, 0, 2), (3, 1, 0)])
def test_kept_in_the_database(dbmode: int, read: int, written: int) -> None:
    db = Database.open(":memory:")
    db.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, val TEXT)")
    db.insert("calls", {"key": "k", "val": "v"})
    bench = Bench([f"mqueue:mqueue=name=calls;dbmode={dbmode}"], db=db)
    assert bench.request({}, ["KSR.mqueue.mq_size('calls')", "KSR.mqueue.mq_add('calls', 'x', 'y')"])[0] == [read, 1]
    bench.proxy.modules["mqueue"].stop()
    assert len(db.query("SELECT * FROM calls")) == written


def test_a_sandbox_has_its_own() -> None:
    bench = Bench(["mqueue:mqueue=name=q"])
    bench.request({}, ["KSR.mqueue.mq_add('q', 'k', 'v')"])
    fork: Any = bench.proxy.modules["mqueue"].fork(bench.proxy)
    assert fork.mq_fetch(bench.run, "q") == 1
    assert bench.request({}, ["KSR.mqueue.mq_size('q')"])[0] == [1]


@pytest.mark.parametrize("text", ["size=3", "name=q;size=x", "name=q;addmode=3", "name=q;dbmode=4", "q", "name=q;zz=1"])
def test_queues_that_cannot_be(text: str) -> None:
    with pytest.raises(ParamError, match="mqueue:mqueue expects"):
        Bench([f"mqueue:mqueue={text}"])


def test_other_errors() -> None:
    with pytest.raises(ParamError, match="two queues 'q'"):
        Bench(["mqueue:mqueue=name=q", "mqueue:mqueue_name=q"])
    with pytest.raises(ParamError, match="no such table: none"):
        Bench(["mqueue:mqueue=name=none;dbmode=1"])
    with pytest.raises(KsrError, match="name of a queue"):
        Bench().request({}, ["KSR.pv.get('$mqk()')"])
