"""Subscribers: the `subscriber` table of Kamailio's auth_db.

Nothing is cached: a query costs about 4 us, and what kamctl changes counts for the next request.
"""

import hashlib
from dataclasses import dataclass

from ksrcore.store.database import Database
from ksrcore.store.errors import DatabaseConflict, StoreError

__all__ = ["Subscriber", "Subscribers", "ha1", "ha1b"]

_COLUMNS = "username, domain, password, ha1, ha1b"


def ha1(username: str, realm: str, password: str) -> str:
    """md5(username:realm:password), 32 hex digits (RFC 2617 section 3.2.2.2); arguments are wire text."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode("latin-1"), usedforsecurity=False).hexdigest()


def ha1b(username: str, domain: str, realm: str, password: str) -> str:
    """As `ha1` for clients that give user@domain as their user name: md5(username@domain:realm:password)."""
    return ha1(f"{username}@{domain}", realm, password)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One row of `subscriber`. Its repr leaves the secrets out."""

    username: str
    domain: str
    password: str
    ha1: str
    ha1b: str

    def __repr__(self) -> str:
        return f"Subscriber({self.username}@{self.domain})"


class Subscribers:
    """The subscribers of a database; on `Database.fork()` it is a sandboxed view."""

    __slots__ = ("db", "table")

    def __init__(self, db: Database, table: str = "subscriber") -> None:
        db.check(table, like="subscriber")
        self.db = db
        self.table = table

    def get(self, username: str, domain: str | None = None) -> Subscriber | None:
        """The subscriber; without `domain` the first of that name, as auth_db with `use_domain` 0."""
        sql = f'SELECT {_COLUMNS} FROM "{self.table}" WHERE username = ?'
        if domain is None:
            rows = self.db.query(sql + " ORDER BY id LIMIT 1", (username,))
        else:
            rows = self.db.query(sql + " AND domain = ?", (username, domain))
        return Subscriber(*rows[0]) if rows else None

    def add(self, username: str, domain: str, password: str, *, realm: str | None = None) -> Subscriber:
        """Add a subscriber; `realm` is that of the challenges (default: the domain). The password is kept in clear
        beside its hashes, as kamctl does with its default settings. Raises StoreError, DatabaseError."""
        for what, value, limit in (("user name", username, 64), ("domain", domain, 64), ("password", password, 64)):
            if not value:
                raise StoreError(f"subscriber: the {what} is empty")
            if len(value) > limit:
                raise StoreError(f"subscriber: the {what} has {len(value)} bytes; the column takes {limit}")
            if any(char < " " or char == "\x7f" for char in value):
                raise StoreError(f"subscriber: the {what} has a control character")
        if any(char in username for char in '@: "<>') or any(char in domain for char in '@ "<>'):
            raise StoreError(
                f"subscriber: expected NAME and DOMAIN without @, :, quotes or blanks, got {username!r} and {domain!r}"
            )
        realm = domain if realm is None else realm
        new = Subscriber(
            username, domain, password, ha1(username, realm, password), ha1b(username, domain, realm, password)
        )
        try:
            self.db.insert(
                self.table,
                {"username": username, "domain": domain, "password": password, "ha1": new.ha1, "ha1b": new.ha1b},
            )
        except DatabaseConflict:
            raise StoreError(f"subscriber {username}@{domain} exists already; remove it first to change it") from None
        return new

    def remove(self, username: str, domain: str) -> bool:
        """Whether there was such a subscriber (in a fork always True: its writes are only recorded)."""
        sql = f'DELETE FROM "{self.table}" WHERE username = ? AND domain = ?'
        return self.db.execute(sql, (username, domain)) != 0

    def list(self) -> list[Subscriber]:
        """All, by domain and name."""
        return [
            Subscriber(*row)
            for row in self.db.query(f'SELECT {_COLUMNS} FROM "{self.table}" ORDER BY domain, username')
        ]

    def fork(self) -> "Subscribers":
        """A view for sandboxed runs: reads live rows, writes reach nobody (see ForkedDatabase)."""
        forked = Subscribers.__new__(Subscribers)
        forked.db = self.db.fork()
        forked.table = self.table
        return forked
