"""usrloc: contacts in the database before the reply, expiry, sandboxes, statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError
from lab.sequence import Bench

SAVE = 'KSR.registrar.save("location", 0)'


def register(bench: Bench, *contacts: str, **step: Any) -> Any:
    fields = [f"Contact: {contact}" for contact in contacts]
    return bench.request({"method": "REGISTER", "fields": fields, **step}, [SAVE])


def rows(bench: Bench) -> list[Any]:
    return [row[0] for row in bench.db.query("SELECT contact FROM location ORDER BY id")]


def test_a_contact_is_stored_before_its_200_leaves() -> None:
    bench = Bench()
    seen: list[Any] = []
    bench.proxy.transmit = lambda data, dest: seen.append(rows(bench)) or True  # type: ignore[func-returns-value]
    register(bench, "<sip:bob@1.1.1.1>")
    assert seen == [["sip:bob@1.1.1.1"]]


def test_contacts_survive_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "db.sqlite")
    register(Bench(db=Database.open(path)), "<sip:bob@1.1.1.1>;q=0.3")
    again = Bench(db=Database.open(path))
    results, _ = again.request({"method": "INVITE"}, ['KSR.registrar.lookup("location")', 'KSR.pv.get("$ru")'])
    assert results == [1, "sip:bob@1.1.1.1"]
    assert again.proxy.counters["usrloc:registered_users"] == 1


def test_all_contacts_of_a_register_or_none() -> None:
    bench = Bench()
    (result,), ((first, *_),) = register(bench, "<sip:a@1>", "<sip:b@1>;q=7")
    assert (result, first, rows(bench)) == (-1, "SIP/2.0 400 Bad Request", [])


def test_a_database_that_refuses_is_a_500_and_changes_nothing() -> None:
    bench = Bench()
    register(bench, "<sip:a@1>")
    bench.db.execute("DROP TABLE location")
    (result,), ((first, *_),) = register(bench, "<sip:b@1>")
    assert (result, first) == (-1, "SIP/2.0 500 Server Internal Error")
    assert [c.contact for _, found in bench.proxy.modules.usrloc.tables["location"].all() for c in found] == ["sip:a@1"]


def test_expired_contacts_go_with_the_timer() -> None:
    bench = Bench(["registrar:event_callback=gone", "registrar:min_expires=0"])
    told: list[str] = []

    class Script:
        def has(self, name: str) -> bool:
            return name == "gone"

        def call(self, run: Any, name: str, event: str) -> int:
            bench.proxy.env.run = run
            told.append(f"{event} {bench.ksr.pv.get('$ulc(exp=>addr)')}")
            return 1

    bench.proxy.script = Script()  # type: ignore[assignment]
    register(bench, "<sip:a@1>;expires=5", "<sip:b@1>")
    bench.proxy.now += 6
    lookup = ['KSR.registrar.lookup("location")', 'KSR.pv.get("$ru")', 'KSR.pv.get("$branch(count)")']
    assert bench.request({}, lookup)[0] == [1, "sip:b@1", None]
    bench.proxy.advance(bench.proxy.now + 60)
    assert (rows(bench), told) == (["sip:b@1"], ["usrloc:contact-expired sip:a@1"])
    counters = bench.proxy.counters
    assert [counters[f"usrloc:location_{n}"] for n in ("users", "contacts", "expires")] == [1, 1, 1]


def test_a_sandbox_registers_for_itself() -> None:
    bench = Bench()
    register(bench, "<sip:a@1>")
    fork: Any = bench.proxy.modules["usrloc"].fork(bench.proxy)
    contact = fork.tables["location"].record("bob")[0]
    fork.tables["location"].delete(contact)
    assert fork.rpc_lookup.__self__ is fork
    assert fork.tables["location"].record("bob") == []
    assert rows(bench) == ["sip:a@1"]
    assert bench.request({}, ['KSR.registrar.registered("location")'])[0] == [1]


def test_memory_only() -> None:
    bench = Bench()
    bench.request({"method": "REGISTER", "fields": ["Contact: <sip:m@1>"]}, ['KSR.registrar.save("location", 1)'])
    assert rows(bench) == []
    assert bench.request({}, ['KSR.registrar.registered("location")'])[0] == [1]


def test_write_back(tmp_path: Path) -> None:
    bench = Bench(["usrloc:db_mode=2"])
    register(bench, "<sip:a@1>")
    assert rows(bench) == []
    bench.proxy.modules["usrloc"].stop()
    assert rows(bench) == ["sip:a@1"]


def test_database_counts() -> None:
    bench = Bench()
    register(bench, "<sip:a@1>", "<sip:b@1>")
    assert [bench.rpc(f"ul.{n}", "location") for n in ("db_users", "db_contacts", "db_expired_contacts")] == [1, 2, 0]


def test_further_tables() -> None:
    bench = Bench(["usrloc:preload=aliases", "usrloc:db_mode=0"])
    step = {"method": "REGISTER", "fields": ["Contact: <sip:m@1>"]}
    assert bench.request(step, ['KSR.registrar.save("aliases", 0)'])[0] == [1]
    assert [d["Domain"]["Stats"]["Records"] for d in bench.rpc("ul.dump")["Domains"]] == [1, 0]


@pytest.mark.parametrize(
    ("param", "error"),
    [("usrloc:db_mode=3", StoreError), ("usrloc:ka_mode=1", ParamError), ("usrloc:timer_interval=0", ParamError)],
)
def test_parameters_are_checked(param: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Bench([param])
