import sqlite3
from pathlib import Path

import pytest

from ksrcore.store.database import Database
from ksrcore.store.schema import TABLES, create_statements

SQL = Path("/usr/share/kamailio/db_sqlite")
EXTRAS = {"src_user", "src_domain", "src_ip", "dst_ouser", "dst_user", "dst_domain"}


def describe(db: sqlite3.Connection, table: str) -> dict[str, object]:
    """What makes two tables interchangeable: columns, keys, indexes, version."""
    indexes = {}
    for _, name, unique, origin, partial in db.execute(f"PRAGMA index_list({table})"):
        columns = [row[2] for row in db.execute(f"PRAGMA index_info({name})")]
        indexes["unique " + " ".join(columns) if origin == "u" else name] = (unique, origin, partial, columns)
    return {
        "columns": [row[1:] for row in db.execute(f"PRAGMA table_info({table})") if row[1] not in EXTRAS],
        "indexes": indexes,
        "version": db.execute("SELECT table_version FROM version WHERE table_name = ?", (table,)).fetchall(),
    }


def test_tables_equal_kamailios() -> None:
    if not (SQL / "standard-create.sql").exists():
        pytest.skip("needs Kamailio's table files: apt install kamailio-sqlite-modules")
    theirs = sqlite3.connect(":memory:")
    ours = sqlite3.connect(":memory:")
    try:
        theirs.executescript((SQL / "standard-create.sql").read_text())
        for path in sorted(SQL.glob("*-create.sql")):
            if path.name != "standard-create.sql":
                theirs.executescript(path.read_text())
        for table in TABLES.values():
            for statement in create_statements(table):
                ours.execute(statement)
        ours.executemany(
            "INSERT INTO version (table_name, table_version) VALUES (?, ?)",
            [(table.name, table.version) for table in TABLES.values()],
        )
        for name in TABLES:
            assert describe(ours, name) == describe(theirs, name), name
    finally:
        theirs.close()
        ours.close()


def test_the_tables_we_use() -> None:
    assert sorted(TABLES) == [
        "acc",
        "address",
        "aliases",
        "dbaliases",
        "dialog",
        "dialog_vars",
        "dispatcher",
        "domain",
        "domain_attrs",
        "grp",
        "htable",
        "location",
        "location_attrs",
        "missed_calls",
        "sip_trace",
        "subscriber",
        "trusted",
        "uacreg",
        "uri",
        "usr_preferences",
        "version",
    ]


def test_accounting_has_the_extra_columns() -> None:
    with Database.open(":memory:") as db:
        assert set(db.columns("acc")) >= EXTRAS
        assert set(db.columns("missed_calls")) >= EXTRAS
