import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.store.database import Database
from ksrcore.store.errors import DatabaseError, StoreError
from ksrcore.store.subscribers import Subscribers, ha1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Subscribers]:
    with Database.open(str(tmp_path / "k.db")) as db:
        yield Subscribers(db)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_add_get_list_remove(store: Subscribers) -> None:
    alice = store.add("alice", "a.test", "wonder")
    assert alice.ha1 == md5("alice:a.test:wonder")
    assert alice.ha1b == md5("alice@a.test:a.test:wonder")
    store.add("alice", "b.test", "other", realm="r")
    assert store.get("alice", "a.test") == alice
    assert store.get("alice") == alice
    other = store.get("alice", "b.test")
    assert other is not None and other.ha1 == md5("alice:r:other")
    assert store.get("bob") is None
    assert store.get("alice", "c.test") is None
    assert repr(store.list()) == "[Subscriber(alice@a.test), Subscriber(alice@b.test)]"
    assert store.remove("alice", "a.test")
    assert not store.remove("alice", "a.test")
    assert repr(store.get("alice")) == "Subscriber(alice@b.test)"


def test_rfc2617_example() -> None:
    assert ha1("Mufasa", "testrealm@host.com", "Circle Of Life") == "939e7578ed9e3c518a452acee763bce9"


def test_wire_text_is_hashed_as_its_bytes(store: Subscribers) -> None:
    found = store.add("j\xc3\xb6rg", "a.test", "p\xc3\xa4ss")
    assert found.ha1 == md5("j\u00f6rg:a.test:p\u00e4ss")


@pytest.mark.parametrize(
    ("name", "domain", "password", "words"),
    [
        ("", "d", "p", "user name is empty"),
        ("n", "", "p", "domain is empty"),
        ("n", "d", "", "password is empty"),
        ("n" * 65, "d", "p", "has 65 bytes"),
        ("n\n", "d", "p", "control character"),
        ("a@b", "d", "p", "expected NAME and DOMAIN"),
        ("a", "d e", "p", "expected NAME and DOMAIN"),
    ],
)
def test_refused(store: Subscribers, name: str, domain: str, password: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        store.add(name, domain, password)
    assert store.list() == []


def test_twice(store: Subscribers) -> None:
    store.add("a", "d", "p")
    with pytest.raises(StoreError, match="a@d exists already"):
        store.add("a", "d", "q")


def test_another_programs_change_counts_at_once(store: Subscribers) -> None:
    store.add("a", "d", "p")
    assert store.get("a", "d") is not None
    outside = sqlite3.connect(store.db.path)
    with outside:
        outside.execute("UPDATE subscriber SET password = 'new'")
    outside.close()
    found = store.get("a", "d")
    assert found is not None and found.password == "new"


def test_fork(store: Subscribers) -> None:
    store.add("a", "d", "p")
    fork = store.fork()
    assert fork.remove("a", "d")
    fork.add("b", "d", "p")
    assert repr(store.list()) == repr(fork.list()) == "[Subscriber(a@d)]"


def test_table_of_another_name(store: Subscribers) -> None:
    with pytest.raises(DatabaseError, match="no table users"):
        Subscribers(store.db, "users")
