import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ksrcore
from ksrcore.store.contact import ALL_METHODS, Contact
from ksrcore.store.database import Database
from ksrcore.store.errors import DatabaseBusy, DatabaseError, StoreError
from ksrcore.store.location import Location

NOW = 1795402655


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database.open(str(tmp_path / "k.db"), busy_timeout=0.05) as database:
        yield database


@pytest.fixture
def loc(db: Database) -> Location:
    return Location(db, started=NOW)


def add(loc: Location, uri: str, aor: str = "alice", **values: object) -> Contact:
    contact = Contact(aor, loc.new_ruid(), uri, expires=NOW + 600, last_modified=NOW)
    return loc.insert(contact.replace(**values))


def uris(loc: Location, aor: str = "alice", now: float = NOW) -> str:
    return " ".join(c.contact for c in loc.get(aor, now))


def dump(loc: Location) -> list[str]:
    return [f"{aor}: {' '.join(c.contact for c in contacts)}" for aor, contacts in loc.all()]


def rows(loc: Location) -> list[str]:
    assert loc.db is not None
    return [row[0] for row in loc.db.query("SELECT contact FROM location ORDER BY id")]


def test_the_row_is_kamailios(loc: Location, db: Database) -> None:
    """Compared with rows that Kamailio 5.6.3 wrote for the same two registrations."""
    add(loc, "sip:alice@127.0.0.1:9999", q=700, callid="c1", cseq=1, user_agent="UA x",
        received="sip:1.2.3.4:5", socket="udp:127.0.0.1:23517")  # fmt: skip
    add(loc, "sip:alice@127.0.0.2:9999;transport=udp", expires=NOW + 300, callid="c2", cseq=2, user_agent="n/a",
        path="<sip:p.test;lr>", socket="udp:127.0.0.1:23517", methods=9, reg_id=2,
        instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>")  # fmt: skip
    found = db.query("SELECT * FROM location")
    first, second = (list(row) for row in found)
    for row in (first, second):
        row[7] = round(row[7], 8)
        row[11] = round(row[11], 8)
        assert row.pop(1).startswith("uloc-6b03ab9f-")
    assert first == [
        1, "alice", None, "sip:alice@127.0.0.1:9999", "sip:1.2.3.4:5", None, 2461367.63026620, 0.7, "c1", 1,
        2461367.62332176, 0, 0, "UA x", "udp:127.0.0.1:23517", None, None, 0, 0, -1, 0, 0,
    ]  # fmt: skip
    assert second == [
        2, "alice", None, "sip:alice@127.0.0.2:9999;transport=udp", None, "<sip:p.test;lr>", 2461367.62679398, -1.0,
        "c2", 2, 2461367.62332176, 0, 0, "n/a", "udp:127.0.0.1:23517", 9,
        "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>", 2, 0, -1, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("use_domain", [False, True])
def test_load_gives_back_what_was_stored(db: Database, use_domain: bool) -> None:
    loc = Location(db, started=NOW, use_domain=use_domain)
    aor = "alice@a.test" if use_domain else "alice"
    add(loc, "sip:a@h", aor, q=500, path="<sip:p>", methods=5, instance="<i>", reg_id=1, flags=2, cflags=4, keepalive=1,
        received="sip:r", socket="tcp:1.1.1.1:5060", connection_id=7, callid="j\xc3\xb6", cseq=9)  # fmt: skip
    add(loc, "sip:b@h", aor, expires=0)
    again = Location(db, started=NOW, use_domain=use_domain)
    assert again.load(NOW) == []
    for old, new in zip(loc.get(aor, NOW), again.get(aor, NOW), strict=True):
        assert repr(old) == repr(new)
    assert db.query("SELECT DISTINCT username, domain FROM location") == [("alice", "a.test" if use_domain else None)]
    assert again.record(aor)[1].methods == ALL_METHODS


def test_order(loc: Location) -> None:
    a = add(loc, "a", q=500)
    b = add(loc, "b")
    add(loc, "c", q=500)
    add(loc, "d", q=1000)
    add(loc, "e", q=0)
    assert uris(loc) == "d a c e b"
    a = loc.update(a, expires=NOW + 700, last_modified=NOW + 1)
    add(loc, "f", q=500)
    assert uris(loc) == "d a c f e b"
    loc.update(b, q=500)
    assert uris(loc) == "b d a c f e"  # before the first whose q is not smaller, as Kamailio does
    loc.update(a, q=-1)
    assert uris(loc) == "a b d c f e"
    loc.update(a, q=0)
    assert uris(loc) == "a b d c f e"


def test_desc_time_order(db: Database) -> None:
    loc = Location(db, started=NOW, desc_time_order=True)
    a = add(loc, "a", q=1000)
    add(loc, "b")
    assert uris(loc) == "b a"
    loc.update(a, last_modified=NOW + 1)
    assert uris(loc) == "a b"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0, "r1 r1 r1 r1 -"), (1, "r1 r2 - - -"), (2, "r1 r1 r3 - -"), (3, "r1 r2 r2 - r1")],
)
def test_matching_mode(db: Database, mode: int, expected: str) -> None:
    loc = Location(db, started=NOW, matching_mode=mode)
    for ruid, callid, path in (("r1", "i1", ""), ("r2", "i2", "p2"), ("r3", "i2", "p3")):
        add(loc, "sip:a", ruid=ruid, callid=callid, path=path)
    asked = [("sip:a", "i1", ""), ("sip:a", "i2", ""), ("sip:a", "i2", "p3"), ("sip:a", "i9", "p9")]
    asked.append(("sip:A", "i1", ""))
    if mode == 1:
        asked[2] = ("sip:b", "i2", "p3")
    found = [loc.match("alice", *question) for question in asked]
    assert " ".join("-" if c is None else c.ruid for c in found) == expected
    assert loc.match("nobody", "sip:a", "i1") is None


def test_match_instance(loc: Location) -> None:
    contact = add(loc, "a", instance="<i>", reg_id=2)
    assert loc.match_instance("alice", "<i>", 2) is contact
    assert loc.match_instance("alice", "<i>", 1) is None
    assert loc.by_ruid(contact.ruid) is contact


def test_delete(loc: Location) -> None:
    a = add(loc, "a")
    add(loc, "b")
    add(loc, "c", "bob")
    assert loc.counts() == (2, 3)
    assert loc.delete(a) and not loc.delete(a)
    assert [c.contact for c in loc.delete_aor("alice")] == ["b"]
    assert loc.delete_aor("alice") == []
    assert rows(loc) == ["c"]
    assert dump(loc) == ["bob: c"]
    assert loc.counts() == (1, 1)


def test_expire(loc: Location) -> None:
    a = add(loc, "a", expires=NOW + 10)
    add(loc, "b", expires=NOW + 10)
    add(loc, "c", expires=0)
    d = add(loc, "d", expires=NOW + 50)
    loc.update(a, expires=NOW + 30)
    loc.update(d, expires=NOW + 5)
    assert uris(loc, now=NOW + 10) == "a c"
    assert [c.contact for c in loc.expire(NOW + 10)] == ["d", "b"]
    assert rows(loc) == ["a", "c"]
    assert loc.expire(NOW + 29) == []
    assert [c.contact for c in loc.expire(NOW + 30)] == ["a"]
    assert loc.expire(NOW * 2) == []
    assert dump(loc) == ["alice: c"]


def test_a_locked_database_leaves_both_as_they_were(loc: Location, db: Database) -> None:
    a = add(loc, "a", expires=NOW + 10)
    holder = sqlite3.connect(db.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for write in (
        lambda: add(loc, "b"),
        lambda: loc.update(a, q=1),
        lambda: loc.delete(a),
        lambda: loc.delete_aor("alice"),
        lambda: loc.expire(NOW + 11),
    ):
        with pytest.raises(DatabaseBusy):
            write()
        assert loc.record("alice") == [a]
    holder.execute("ROLLBACK")
    holder.close()
    assert rows(loc) == ["a"]
    assert loc.expire(NOW + 11) == [a]
    assert loc.expire(NOW + 11) == []
    assert rows(loc) == []


@pytest.mark.parametrize("db_mode", [0, 1, 2])
def test_transaction(db: Database, db_mode: int) -> None:
    loc = Location(db, started=NOW, db_mode=db_mode)
    a = add(loc, "a", expires=NOW + 10)
    loc.flush()
    with pytest.raises(KeyError), loc.transaction():
        add(loc, "b")
        add(loc, "x", "bob")
        loc.update(a, q=1, expires=NOW + 5)
        with loc.transaction():
            loc.delete(a)
        raise KeyError
    assert loc.record("alice") == [a]
    assert dump(loc) == ["alice: a"]
    loc.flush()
    with loc.transaction():
        add(loc, "b")
        loc.update(a, q=1)
    assert uris(loc) == "a b"
    loc.flush()
    assert db.query("SELECT contact FROM location ORDER BY id") == ([("a",), ("b",)] if db_mode else [])
    assert [c.contact for c in loc.expire(NOW + 10)] == ["a"]


def test_memory_only(db: Database) -> None:
    loc = Location(None, started=NOW, db_mode=0)
    a = add(loc, "a")
    loc.update(a, q=1)
    assert loc.flush() == 0
    assert loc.load(NOW) == []
    assert loc.counts() == (0, 0)


def test_write_back(db: Database) -> None:
    loc = Location(db, started=NOW, db_mode=2)
    a = add(loc, "a")
    b = add(loc, "b")
    assert rows(loc) == []
    assert loc.flush() == 2
    assert sorted(rows(loc)) == ["a", "b"]
    loc.delete(b)
    loc.update(a, cseq=77)
    loc.delete(add(loc, "c"))
    assert loc.flush() == 3
    assert loc.flush() == 0
    assert db.query("SELECT contact, cseq FROM location") == [("a", 77)]
    again = Location(db, started=NOW, db_mode=2)
    again.load(NOW)
    assert again.flush() == 0
    assert uris(again) == "a"


def test_a_row_deleted_by_someone_comes_back_with_the_refresh(loc: Location, db: Database) -> None:
    a = add(loc, "a")
    db.execute("DELETE FROM location")
    loc.update(a, cseq=5)
    assert rows(loc) == ["a"]


def test_load_leaves_out_what_it_cannot_use(loc: Location, db: Database) -> None:
    def row(ruid: str, **values: object) -> None:
        fields = {"ruid": ruid, "username": "alice", "contact": f"sip:{ruid}", "expires": 2500000, **values}
        db.insert("location", fields)  # type: ignore[arg-type]

    row("julian")
    row("text", expires="2030-05-28 21:32:15")
    row("unix", expires=NOW + 5)
    row("old", expires="2001-01-01 00:00:00")
    row("nodate", expires="tomorrow")
    row("noseq", cseq="many")
    row("noq", q="high")
    row("nocontact", contact="")
    row("nouser", username="")
    row("blob", contact=b"x")
    assert loc.load(NOW) == [
        "table location, row 5 is left out: Invalid isoformat string: 'tomorrow'",
        "table location, row 6 is left out: cseq is 'many', expected a number",
        "table location, row 7 is left out: q is 'high', expected a number",
        "table location, row 8 is left out: contact is '', expected text",
        "table location, row 9 is left out: username is '', expected text",
        "table location, row 10 is left out: contact is b'x', expected text",
    ]
    assert [(c.ruid, c.expires) for c in loc.get("alice", NOW)] == [
        ("julian", 5133240000),
        ("text", 1906234335),
        ("unix", NOW + 5),
    ]
    assert "sip:old" not in rows(loc)
    assert len(rows(loc)) == 9


def test_bad_calls(loc: Location, db: Database) -> None:
    a = add(loc, "a")
    for call, words in (
        (lambda: loc.insert(a), "already in table"),
        (lambda: loc.insert(Contact("x", "r", "")), "needs contact"),
        (lambda: loc.update(a, aor="b"), "cannot change aor"),
        (lambda: loc.update(a, colour=1), "a contact has no colour"),
        (lambda: loc.update(Contact("x", "r", "sip:x")), "is not in table"),
        (lambda: Location(db, started=1, db_mode=3), "db_mode 3"),
        (lambda: Location(db, started=1, db_mode=9), "expected 0, 1 or 2"),
        (lambda: Location(None, started=1), "needs a database"),
        (lambda: Location(db, started=1, matching_mode=4), "matching_mode"),
        (lambda: Location(db, started=1, table="places"), "no table places"),
    ):
        with pytest.raises(StoreError, match=words):
            call()
    with pytest.raises(DatabaseError):
        loc.update(a, cseq=2**70)
    assert loc.record("alice") == [a]


def test_fork(loc: Location, db: Database) -> None:
    a = add(loc, "a")
    add(loc, "b", "bob")
    fork = loc.fork()
    late = add(loc, "late", "carol")
    assert dump(fork) == ["alice: a", "bob: b", "carol: late"]
    new = add(fork, "a2", q=900)
    changed = fork.update(a, cseq=9)
    fork.delete_aor("bob")
    add(fork, "n", "new")
    deeper = fork.fork()
    deeper.delete(late)
    with pytest.raises(KeyError), fork.transaction():
        fork.delete(late)
        raise KeyError
    assert dump(fork) == ["alice: a2 a", "carol: late", "new: n"]
    assert dump(deeper) == ["alice: a2 a", "new: n"]
    assert fork.counts() == (3, 4)
    assert fork.by_ruid(new.ruid) is new and fork.by_ruid(a.ruid) is changed
    assert fork.match("alice", "a") is changed and fork.get("bob", NOW) == []
    assert {c.contact for c in fork.expire(NOW + 600)} == {"a2", "a", "late", "n"}
    assert dump(fork) == []
    assert dump(loc) == ["alice: a", "bob: b", "carol: late"]
    assert loc.record("alice") == [a] and a.cseq == 0
    assert rows(loc) == ["a", "b", "late"]
    assert fork.load(NOW) == []
    assert dump(fork) == dump(loc)


def test_a_fork_numbers_ruids_as_the_live_one_would(loc: Location) -> None:
    loc.new_ruid()
    assert loc.fork().new_ruid() == loc.new_ruid() == f"uloc-{NOW:x}-{os.getpid():x}-2"


def test_registrations_survive_kill(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ksrcore.store.contact import Contact\n"
        "from ksrcore.store.database import Database\n"
        "from ksrcore.store.location import Location\n"
        "loc = Location(Database.open(sys.argv[1]), started=1)\n"
        "c = loc.insert(Contact('alice', loc.new_ruid(), 'sip:a@h', expires=2000000000))\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    loc.update(c, cseq=n)\n"
        "    loc.insert(Contact(f'u{n}', loc.new_ruid(), 'sip:u@h', expires=2000000000))\n"
        "    print(n, flush=True)\n"
    )
    assert ksrcore.__file__ is not None
    path = str(tmp_path / "k.db")
    env = {**os.environ, "PYTHONPATH": str(Path(ksrcore.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, env=env)
    assert child.stdout is not None
    with child:
        for _ in range(50):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        said = 50 + sum(1 for line in child.stdout if line.endswith(b"\n"))
    with Database.open(path) as db:
        loc = Location(db, started=2)
        assert loc.load(1_900_000_000) == []
        assert loc.record("alice")[0].cseq >= said
        assert loc.get(f"u{said}", 1_900_000_000)
