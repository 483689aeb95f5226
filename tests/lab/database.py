"""A SQLite database on Kamailio's own schema, with subscribers and allowed source addresses."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from lab.needs import SCHEMA_FOLDER, need_file

DOMAIN = "lab.test"
TABLE_FILES = ("standard", "auth_db", "usrloc", "permissions", "acc", "htable")


def user(index: int) -> str:
    """The name of subscriber number ``index``."""
    return f"u{index:03d}"


def password(name: str) -> str:
    """The password that subscriber ``name`` has in every database of the lab."""
    return f"pw-{name}"


def make_database(path: Path, users: int = 100, allowed: Iterable[str] = ("127.0.0.1",), domain: str = DOMAIN) -> Path:
    """Writes a new database: ``users`` subscribers u000, u001 ... and ``allowed`` source addresses in group 1."""
    need_file(SCHEMA_FOLDER, "kamailio-sqlite-modules")
    with closing(sqlite3.connect(path)) as db, db:
        for name in TABLE_FILES:
            db.executescript((SCHEMA_FOLDER / f"{name}-create.sql").read_text())
        db.executemany(
            "INSERT INTO subscriber (username, domain, password) VALUES (?, ?, ?)",
            [(user(i), domain, password(user(i))) for i in range(users)],
        )
        db.executemany("INSERT INTO address (grp, ip_addr, mask, port) VALUES (1, ?, 32, 0)", [(a,) for a in allowed])
    return path


def users_csv(path: Path, names: Sequence[str], wrong: bool = False) -> Path:
    """SIPp's injection file: a line ``user;[authentication ...]`` for each name (``wrong``: a bad password)."""
    rows = [
        f"{name};[authentication username={name} password={'not-' if wrong else ''}{password(name)}]" for name in names
    ]
    path.write_text("SEQUENTIAL\n" + "".join(row + "\n" for row in rows))
    return path
