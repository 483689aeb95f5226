"""What test_match and test_unknown_protocol expect was seen on Kamailio 5.6.3 with the same table."""

from collections.abc import Iterator

import pytest

from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError
from ksrcore.store.trusted import Trusted

ROWS: list[tuple[str, str, str | None, str | None, str | None, int]] = [
    ("1.1.1.1", "any", None, None, "t_any", 0),
    ("1.1.1.2", "udp", "^sip:alice@.*$", None, "t_alice", 0),
    ("1.1.1.3", "none", None, None, "t_none", 0),
    ("1.1.1.4", "UDP", None, "^sip:x", "t_ruri", 0),
    ("1.1.1.5", "udp", "alice", None, "t_sub", 0),
    ("1.1.1.6", "any", None, None, "low", 1),
    ("1.1.1.6", "any", None, None, "high", 9),
    ("1.1.1.7", "any", "^sip:b[[:lower:]]b@x$", "^sip:h", None, 0),
    ("1.1.1.8", "any", r"a[\]b", None, "t_backslash", 0),
]


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.open(":memory:") as database:
        for row in ROWS:
            names = ("src_ip", "proto", "from_pattern", "ruri_pattern", "tag", "priority")
            database.insert("trusted", dict(zip(names, row, strict=True)))
        yield database


@pytest.mark.parametrize(
    ("src_ip", "proto", "from_uri", "tags"),
    [
        ("1.1.1.1", "udp", "sip:z@x", ["t_any"]),
        ("1.1.1.1", "UDP", "sip:z@x", ["t_any"]),
        ("1.1.1.1", "any", "sip:z@x", ["t_any"]),
        ("1.1.1.2", "udp", "sip:alice@h", ["t_alice"]),
        ("1.1.1.2", "udp", "sip:ALICE@h", []),
        ("1.1.1.2", "tcp", "sip:alice@h", []),
        ("1.1.1.2", "any", "sip:alice@h", ["t_alice"]),
        ("1.1.1.3", "udp", "sip:a@h", []),
        ("1.1.1.3", "any", "sip:a@h", []),
        ("1.1.1.4", "udp", "sip:a@h", []),
        ("1.1.1.5", "udp", "sip:xalicey@h", ["t_sub"]),
        ("1.1.1.6", "udp", "sip:a@h", ["low", "high"]),
        ("1.1.1.7", "udp", "sip:bob@x", [None]),
        ("1.1.1.7", "udp", "sip:bOb@x", []),
        ("1.1.1.8", "udp", "sip:a\\b@x", ["t_backslash"]),
        ("9.9.9.9", "udp", "sip:a@h", []),
    ],
)
def test_match(db: Database, src_ip: str, proto: str, from_uri: str, tags: list[str | None]) -> None:
    assert [peer.tag for peer in Trusted(db).match(src_ip, proto, from_uri, "sip:h")] == tags


@pytest.mark.parametrize("proto", ["bogus", "none", ""])
def test_unknown_protocol(db: Database, proto: str) -> None:
    with pytest.raises(StoreError, match="unknown protocol"):
        Trusted(db).match("1.1.1.1", proto, "sip:a", "sip:b")


def test_modes(db: Database) -> None:
    uncached = Trusted(db)
    cached = Trusted(db, db_mode=1)
    cached.reload()
    fork = uncached.fork()
    assert uncached.match("1.1.1.1", "udp", "", "") and cached.match("1.1.1.1", "udp", "", "")
    db.execute("DELETE FROM trusted WHERE src_ip = '1.1.1.1'")
    assert not uncached.match("1.1.1.1", "udp", "", "")
    assert not fork.match("1.1.1.1", "udp", "", "")
    assert cached.match("1.1.1.1", "udp", "", "")
    with pytest.raises(StoreError, match="db_mode"):
        Trusted(db, db_mode=2)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("proto", "dccp", "proto is 'dccp'"),
        ("from_pattern", "a(b", r"from_pattern: bad regular expression 'a\(b': .*; correct the row"),
    ],
)
def test_bad_row(db: Database, column: str, value: str, words: str) -> None:
    trusted = Trusted(db, db_mode=1)
    trusted.reload()
    db.execute(f"UPDATE trusted SET {column} = ? WHERE id = 1", (value,))
    with pytest.raises(StoreError, match=f"table trusted, row 1: {words}"):
        trusted.reload()
    assert trusted.match("1.1.1.1", "udp", "", "")


def test_dump(db: Database) -> None:
    db.execute("DELETE FROM trusted WHERE src_ip <> '1.1.1.4'")
    trusted = Trusted(db, db_mode=1)
    trusted.reload()
    (entry,) = trusted.dump()
    assert entry["item"] == {
        "ip": "1.1.1.4",
        "proto": 1,
        "pattern": "NULL",
        "ruri_pattern": "^sip:x",
        "tag": "t_ruri",
        "priority": 0,
    }
