"""KSR.drouting: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.drouting import Drouting
from ksrcore.store.database import Database
from lab.sequence import Bench

TABLES = {
    "dr_gateways": "gwid, type, address, strip, pri_prefix, attrs",
    "dr_rules": "ruleid, groupid, prefix, timerec, priority, gwlist",
    "dr_gw_lists": "id, gwlist",
    "dr_groups": "username, domain, groupid",
}
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "dr_gateways": [
        (1, 1, "127.0.0.1:5060", 0, None, "a1"),
        (2, 2, "10.1.0.2", 2, "00", "a2"),
        (3, 1, "gw3.invalid:5070", 0, None, None),
        (4, 3, "10.1.0.4", 1, "+", None),
    ],
    "dr_rules": [
        (1, "0", "49", "", 0, "1;2"),
        (2, "0", "4930", "", 0, "2"),
        (3, "0", "1", "", 0, "#1"),
        (4, "0", "", "", 0, "3"),
        (5, "1,2", "49", "", 0, "4"),
        (6, "0", "44", "", 0, "1,4;2"),
        (7, "0", "7", "", 5, "1"),
        (8, "0", "7", "", 9, "2"),
    ],
    "dr_gw_lists": [(1, "2;1")],
    "dr_groups": [("bob", "ex.com", 0), ("ann", "ex.com", 1)],
}


def unresolvable(name: str, *args: Any, **kwargs: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr("ksrcore.kemi.drouting.getaddrinfo", unresolvable)
    db = Database.open(":memory:")
    for table, columns in TABLES.items():
        db.execute(f"CREATE TABLE {table} ({columns})")
        for row in ROWS[table]:
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    return db


@pytest.mark.parametrize(
    ("user", "group", "uris"),
    [
        ("49123", 0, ["sip:49123@127.0.0.1:5060", "sip:00123@10.1.0.2"]),
        ("493012", 0, ["sip:003012@10.1.0.2"]),
        ("155", 0, ["sip:005@10.1.0.2", "sip:155@127.0.0.1:5060"]),
        ("442", 0, ["sip:442@127.0.0.1:5060", "sip:+42@10.1.0.4", "sip:002@10.1.0.2"]),
        ("49123", 2, ["sip:+9123@10.1.0.4"]),
        ("712", 0, ["sip:002@10.1.0.2"]),
        ("71", 0, []),
        ("88", 0, []),
        ("49123", 5, []),
        ("bob", 0, []),
    ],
)
def test_routing(db: Database, user: str, group: int, uris: list[str]) -> None:
    bench = Bench(db=db)
    calls = [f"KSR.drouting.do_routing({group})", "KSR.pv.get('$ru')"]
    calls += ["KSR.drouting.use_next_gw()", "KSR.pv.get('$ru')"] * 3
    got = bench.request({"ruri": f"sip:{user}@ex.com"}, calls)[0]
    last = uris[-1] if uris else f"sip:{user}@ex.com"
    wanted: list[Any] = [item for uri in uris for item in (1, uri)]
    assert got == (wanted + [-1, last] * 4)[:8]


def test_by_the_user_in_from_and_attributes(db: Database) -> None:
    bench = Bench(["drouting:attrs_avp=$avp(at)"], db=db)
    calls = ["KSR.drouting.do_routing_furi()", "KSR.pv.get('$ru')", "KSR.pv.get('$avp(at)')"]
    calls += ["KSR.drouting.next_routing()", "KSR.pv.get('$avp(at)')"]
    step = {"ruri": "sip:49123:pw@ex.com;x=y", "from": "<sip:bob@ex.com>;tag=1"}
    assert bench.request(step, calls)[0] == [1, "sip:49123:pw@127.0.0.1:5060;x=y", "a1", 1, "a2"]
    step = {"ruri": "sip:49123@ex.com", "from": "<sip:ann@ex.com>;tag=1"}
    assert bench.request(step, calls[:2])[0] == [1, "sip:+9123@10.1.0.4"]
    step = {"ruri": "sip:49123@ex.com", "from": "<sip:ann@q.com>;tag=1"}
    assert bench.request(step, calls[:1])[0] == [-1]
    assert Bench(["drouting:use_domain=0"], db=db).request(step, calls[:1])[0] == [1]


def test_gateways(db: Database) -> None:
    bench = Bench(db=db)
    calls = [
        "KSR.drouting.goes_to_gw()",
        "KSR.drouting.goes_to_gw_type(2)",
        "KSR.drouting.goes_to_gw_type(1)",
        "KSR.drouting.is_from_gw()",
        "KSR.drouting.is_from_gw_type(1)",
        "KSR.drouting.is_from_gw_type(2)",
        "KSR.drouting.is_from_gw_type_flags(1, 1)",
    ]
    assert bench.request({"ruri": "sip:x@10.1.0.2:5099"}, calls)[0] == [1, 1, -1, 1, 1, -1, 1]
    assert bench.request({"ruri": "sip:x@ex.com", "source": "10.1.0.9"}, calls)[0] == [-1] * 7
    flags = ["KSR.drouting.is_from_gw_type_flags(2, 1)", "KSR.pv.get('$rU')"]
    assert bench.request({"ruri": "sip:123@ex.com", "source": "10.1.0.2"}, flags)[0] == [1, "3"]


@pytest.mark.parametrize(("order", "lengths"), [(1, {3}), (2, {2})])
def test_by_chance(db: Database, order: int, lengths: set[int]) -> None:
    bench = Bench([f"drouting:sort_order={order}"], db=db)
    module = bench.proxy.modules["drouting"]
    assert isinstance(module, Drouting)
    bench.proxy.random.seed(3)
    orders = {tuple(gw.id for gw in module._order(module.rules[0]["44"][0])) for _ in range(50)}
    assert {len(ids) for ids in orders} == lengths and {ids[0] for ids in orders} == {1, 4}
    assert {ids[-1] for ids in orders} == {2}


def test_reload(db: Database) -> None:
    bench = Bench(db=db)
    db.execute("DELETE FROM dr_rules WHERE ruleid = 1")
    assert bench.rpc("drouting.reload") == "reload ok"
    assert bench.request({"ruri": "sip:49123@ex.com"}, ["KSR.drouting.do_routing(0)"])[0] == [-1]
    db.execute("UPDATE dr_rules SET timerec = '20300101T000000' WHERE ruleid = 2")
    assert bench.rpc("drouting.reload") == "error 500: Failed to load data"
    with pytest.raises(ParamError, match="timerec, which is not supported"):
        Bench(db=db)


@pytest.mark.parametrize("text", ["enable_keepalive=1", "sort_order=3", "attrs_avp=x"])
def test_parameters_that_cannot_be(db: Database, text: str) -> None:
    with pytest.raises(ParamError, match="drouting:"):
        Bench([f"drouting:{text}"], db=db)
