from collections.abc import Iterator

import pytest

from ksrcore.store.accounting import Accounting
from ksrcore.store.database import Database

FIELDS = {
    "method": "INVITE",
    "from_tag": "f",
    "to_tag": "t",
    "callid": "c4",
    "sip_code": "200",
    "sip_reason": "fine",
    "src_user": "alice",
}


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.open(":memory:") as database:
        yield database


def test_rows(db: Database) -> None:
    accounting = Accounting(db)
    assert accounting.check("acc", ["src_user", "dst_domain"]) is None
    # The pair of a time and its column value is from a row that Kamailio wrote.
    assert accounting.record("acc", 1795402753.5, FIELDS) is None
    assert accounting.record("missed_calls", 1.0, {"callid": "x"}) is None
    ((code, kind, time, user, reason),) = db.query(
        "SELECT sip_code, typeof(sip_code), time, src_user, sip_reason FROM acc"
    )
    assert (code, kind, user, reason) == ("200", "text", "alice", "fine")
    assert time == pytest.approx(2461367.62446181, abs=1e-5)
    assert db.query("SELECT to_tag FROM missed_calls") == [("",)]


def test_missing_column_and_table(db: Database) -> None:
    accounting = Accounting(db)
    text = accounting.check("acc", ["src_user", "my_extra"])
    assert text is not None and "no column my_extra; add it, for example: ALTER TABLE acc ADD COLUMN my_extra" in text
    assert "no table cdrs" in (accounting.check("cdrs") or "")
    assert "no column nope" in (accounting.record("acc", 1.0, {**FIELDS, "nope": "1"}) or "")
    assert db.query("SELECT * FROM acc") == []
    db.execute("ALTER TABLE acc ADD COLUMN nope TEXT")
    assert accounting.record("acc", 1.0, {**FIELDS, "nope": "1"}) is None


def test_database_errors_are_text(db: Database) -> None:
    accounting = Accounting(db)
    assert accounting.check("acc") is None
    db.query("PRAGMA query_only = 1")
    text = accounting.record("acc", 1.0, FIELDS)
    assert text is not None and text.startswith("accounting: row for call 'c4' not written to acc: database ")
    db.close()
    assert "is closed" in (accounting.record("acc", 1.0, FIELDS) or "")
    assert "is closed" in (Accounting(db).record("acc", 1.0, FIELDS) or "")


def test_fork(db: Database) -> None:
    assert Accounting(db).fork().record("acc", 1.0, FIELDS) is None
    assert db.query("SELECT * FROM acc") == []
