import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.store.database import Database, database_path
from ksrcore.store.errors import DatabaseBusy, DatabaseConflict, DatabaseError


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database.open(str(tmp_path / "k.db")) as database:
        yield database


def other(db: Database) -> sqlite3.Connection:
    """Another program's connection."""
    return sqlite3.connect(db.path, isolation_level=None, timeout=0)


def refused(url: object, **options: float) -> str:
    with pytest.raises(DatabaseError) as caught:
        Database.open(str(url), **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/k.db", "/var/lib/k.db"),
        ("sqlite:///k.db", "k.db"),
        ("sqlite:///a/b.db", "a/b.db"),
        ("/var/lib/k.db", "/var/lib/k.db"),
        ("k.db", "k.db"),
        (":memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_url(url: str, path: str) -> None:
    assert database_path(url) == path


@pytest.mark.parametrize("url", ["mysql://kamailio:secret@localhost/kamailio", "postgres://h/d", "http://x"])
def test_url_of_another_server(url: str) -> None:
    text = refused(url)
    assert "only SQLite is supported now" in text
    assert "secret" not in text


@pytest.mark.parametrize("url", ["sqlite://k.db", "sqlite://", "sqlite:///", "", "sqlite:///a\0b"])
def test_url_malformed(url: str) -> None:
    assert "database URL" in refused(url)


def test_file_urls_open_the_named_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Database.open("sqlite:///relative.db").close()
    Database.open(f"sqlite:///{tmp_path}/absolute.db").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["absolute.db", "relative.db"]
    assert (tmp_path / "absolute.db").stat().st_mode & 0o777 == 0o600


def test_rows(db: Database) -> None:
    assert db.insert("subscriber", {"username": "alice", "domain": "a.test"}) == 1
    assert db.query("SELECT username, password FROM subscriber") == [("alice", "")]
    assert db.execute("UPDATE subscriber SET password = ? WHERE username = ?", ("x", "alice")) == 1
    assert db.execute("DELETE FROM subscriber WHERE username = 'nobody'") == 0
    assert db.version_of("location") == 9
    assert db.version_of("nothing") is None
    assert "location" in db.tables()
    assert db.columns("nothing") == []


def test_wire_text_keeps_its_bytes(db: Database) -> None:
    for name in ("j\xc3\xb6rg", "\xff\xfe", "plain", "nul\0in"):
        db.insert("subscriber", {"username": name, "domain": "d"})
        found = db.query(
            "SELECT username, typeof(username), hex(username), '?' FROM subscriber WHERE username = ?", (name,)
        )
        assert found == [(name, "text", name.encode("latin-1").hex().upper(), "?")]
    with pytest.raises(DatabaseError, match="not wire text"):
        db.query("SELECT ?", ("\u20ac",))


def test_reopening_keeps_rows_and_alters_nothing(db: Database) -> None:
    db.insert("subscriber", {"username": "alice", "domain": "a.test"})
    before = db.query("SELECT name, sql FROM sqlite_master ORDER BY name")
    with Database.open(db.path) as again:
        assert again.query("SELECT name, sql FROM sqlite_master ORDER BY name") == before
        assert again.query("SELECT count(*) FROM subscriber") == [(1,)]


def test_changes_of_other_programs_are_seen_at_once(db: Database) -> None:
    assert db.query("SELECT username FROM subscriber") == []
    token = db.generation()
    assert db.generation() == token
    outside = other(db)
    outside.execute("INSERT INTO subscriber (username, domain) VALUES ('eve', 'x')")
    outside.close()
    assert db.query("SELECT username FROM subscriber") == [("eve",)]
    assert db.generation() != token
    token = db.generation()
    db.execute("DELETE FROM subscriber")
    assert db.generation() != token


def test_transaction_is_all_or_nothing(db: Database) -> None:
    with pytest.raises(KeyError), db.transaction():
        db.insert("subscriber", {"username": "a", "domain": "x"})
        raise KeyError
    assert db.query("SELECT * FROM subscriber") == []
    with db.transaction():
        db.insert("subscriber", {"username": "a", "domain": "x"})
        with pytest.raises(DatabaseError, match="already open"), db.transaction():
            pass
    assert db.query("SELECT username FROM subscriber") == [("a",)]


def test_threads_take_turns(db: Database) -> None:
    def work(number: int) -> None:
        for index in range(50):
            with db.transaction():
                db.insert("subscriber", {"username": f"{number}-{index}", "domain": "x"})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.query("SELECT count(*) FROM subscriber") == [(200,)]


def test_bad_statements(db: Database) -> None:
    for run in (
        lambda: db.query("SELEC 1"),
        lambda: db.query("SELECT ?", ()),
        lambda: db.query("SELECT 1; SELECT 2"),
        lambda: db.execute("UPDATE location SET cseq = ?", (2**70,)),
        lambda: db.insert("no_table", {"a": 1}),
        lambda: db.insert("acc; --", {"a": 1}),
        lambda: db.insert("acc", {"a b": 1}),
        lambda: db.query("SELECT \ud800"),
    ):
        with pytest.raises(DatabaseError) as caught:
            run()
        assert db.path in str(caught.value)
    db.insert("subscriber", {"username": "a", "domain": "x"})
    with pytest.raises(DatabaseConflict, match="UNIQUE"):
        db.insert("subscriber", {"username": "a", "domain": "x"})


def test_closed(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(DatabaseError, match="is closed"):
        db.query("SELECT 1")


def test_place_is_wrong(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "no" / "k.db")
    (tmp_path / "file").write_text("x")
    assert "does not exist" in refused(tmp_path / "file" / "k.db")
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused(tmp_path / "pipe")


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    path.write_text("#!KAMAILIO\n" * 500)
    assert "is not an SQLite database" in refused(path)
    assert path.read_text() == "#!KAMAILIO\n" * 500


def test_truncated_file(db: Database, tmp_path: Path) -> None:
    db.close()
    data = Path(db.path).read_bytes()
    cut = tmp_path / "cut.db"
    cut.write_bytes(data[: len(data) // 2])
    assert "the file is damaged" in refused(cut)
    cut.write_bytes(data[:50])
    assert "the file is damaged" in refused(cut)


def test_damaged_pages(db: Database, tmp_path: Path) -> None:
    db.close()
    data = bytearray(Path(db.path).read_bytes())
    data[100:4096] = b"\xff" * (4096 - 100)
    cut = tmp_path / "cut.db"
    cut.write_bytes(data)
    assert "the file is damaged" in refused(cut)


def test_locked_at_open(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy, match="another program keeps it locked"):
            Database.open(str(path), busy_timeout=0.05)
    finally:
        holder.close()
    Database.open(str(path)).close()


def test_locked_later(tmp_path: Path) -> None:
    with Database.open(str(tmp_path / "k.db"), busy_timeout=0.05) as db:
        holder = other(db)
        holder.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        with pytest.raises(DatabaseBusy):
            db.insert("subscriber", {"username": "a", "domain": "x"})
        assert 0.03 < time.monotonic() - begin < 1
        with pytest.raises(DatabaseBusy), db.transaction():
            pass
        assert db.query("SELECT * FROM subscriber") == []
        holder.execute("ROLLBACK")
        holder.close()
        db.insert("subscriber", {"username": "a", "domain": "x"})


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root for a moment; test_readonly_for_users covers the rest")
def test_readonly_even_as_root() -> None:
    """Root may write any file, so the effective user is another one while the database is opened."""
    folder = Path(tempfile.mkdtemp())
    try:
        Database.open(str(folder / "k.db")).close()
        (folder / "k.db").chmod(0o444)
        folder.chmod(0o555)
        os.seteuid(65534)
        try:
            assert "this user may not write it" in refused(folder / "k.db")
            assert "this user may not write it" in refused(folder / "new.db")
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(folder)


if os.geteuid() != 0:  # root may write a read-only file: the test above is for root

    def test_readonly_for_users(tmp_path: Path) -> None:
        Database.open(str(tmp_path / "k.db")).close()
        (tmp_path / "k.db").chmod(0o444)
        assert "this user may not write it" in refused(tmp_path / "k.db")


def test_became_readonly(db: Database) -> None:
    db.query("PRAGMA query_only = 1")
    with pytest.raises(DatabaseError, match="is read-only"):
        db.insert("subscriber", {"username": "a", "domain": "x"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "ALTER TABLE location DROP COLUMN path",
            ["table location", "no column path", "expected path VARCHAR(512) DEFAULT NULL"],
        ),
        (
            "UPDATE version SET table_version = 8 WHERE table_name = 'location'",
            ["table location has version 8", "expected 9"],
        ),
        ("DELETE FROM version WHERE table_name = 'subscriber'", ["table subscriber has version none", "expected 7"]),
    ],
)
def test_another_schema(db: Database, change: str, words: list[str]) -> None:
    db.execute(change)
    db.close()
    text = refused(db.path)
    for word in words:
        assert word in text
    outside = sqlite3.connect(db.path)
    assert outside.execute("SELECT count(*) FROM version").fetchone()[0] >= 18
    outside.close()


def test_missing_tables_are_made_and_extras_are_optional(db: Database) -> None:
    db.execute("DROP TABLE dialog")
    db.execute("ALTER TABLE acc DROP COLUMN src_ip")
    db.close()
    with Database.open(db.path) as again:
        assert again.version_of("dialog") == 7
        assert "hash_entry" in again.columns("dialog")
        assert "src_ip" not in again.columns("acc")


def test_fork_reads_live_rows_and_writes_nothing(db: Database) -> None:
    fork = db.fork()
    db.insert("subscriber", {"username": "alice", "domain": "x"})
    assert fork.query("SELECT username FROM subscriber") == [("alice",)]
    assert fork.insert("subscriber", {"username": "bob", "domain": "x"}) == 0
    assert fork.execute("DELETE FROM subscriber WHERE username = ?", ("alice",)) == -1
    assert fork.execute("BEGIN") == -1
    assert fork.query("PRAGMA user_version = 4") == []
    with pytest.raises(KeyError), fork.transaction():
        fork.execute("DELETE FROM acc")
        raise KeyError
    with fork.transaction():
        fork.execute("DELETE FROM acc")
    with pytest.raises(DatabaseError, match="no such table"):
        fork.execute("DELETE FROM no_such")
    assert fork.writes == [
        ('INSERT INTO "subscriber" ("username", "domain") VALUES (?, ?)', ("bob", "x")),
        ("DELETE FROM subscriber WHERE username = ?", ("alice",)),
        ("BEGIN", ()),
        ("PRAGMA user_version = 4", ()),
        ("DELETE FROM acc", ()),
    ]
    assert fork.fork().writes == fork.writes
    fork.close()
    assert db.query("SELECT username FROM subscriber") == [("alice",)]
    db.insert("subscriber", {"username": "carol", "domain": "x"})
    assert db.query("PRAGMA user_version") == [(0,)]


def test_committed_rows_survive_kill(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ksrcore.store.database import Database\n"
        "db = Database.open(sys.argv[1])\n"
        "n = 0\n"
        "while True:\n"
        "    db.insert('subscriber', {'username': f'u{n}', 'domain': 'x'})\n"
        "    sys.stdout.write(f'{n}\\n')\n"
        "    sys.stdout.flush()\n"
        "    n += 1\n"
    )
    path = str(tmp_path / "k.db")
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, env=environment())
    assert child.stdout is not None
    with child:
        for _ in range(100):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        said = 99 + sum(1 for line in child.stdout if line.endswith(b"\n"))
    with Database.open(path) as db:
        assert db.query("SELECT count(*) FROM subscriber")[0][0] >= said + 1
        assert db.query("PRAGMA integrity_check") == [("ok",)]


def environment() -> dict[str, str]:
    """The child imports ksrcore from where this process does."""
    import ksrcore

    assert ksrcore.__file__ is not None
    return {**os.environ, "PYTHONPATH": str(Path(ksrcore.__file__).parents[1])}
