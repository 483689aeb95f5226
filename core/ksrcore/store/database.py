"""The SQL database: SQLite through the standard library, with Kamailio's tables (store/schema.py).

Text is **wire text** on both sides of this API: a latin-1 str in which each character is one byte of the message, as
everywhere in the core. The file gets those bytes as SQL text, which is what Kamailio writes and its tools read.

Durability: WAL with `synchronous=OFF`. A committed row is in the operating system's page cache, so it survives the
death of the process (kill -9), though perhaps not that of the machine. Measured on 5,000 updates of `location`, NORMAL
costs the same at the median (28 us against 27) but its fsync at each checkpoint stopped the caller for up to 119 ms
(OFF: 2 ms), and the caller is the loop thread that routes calls.
"""

import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Self

from ksrcore.store.errors import DatabaseBusy, DatabaseConflict, DatabaseError
from ksrcore.store.schema import TABLES, Table, create_statements

__all__ = ["BUSY_TIMEOUT", "Database", "ForkedDatabase", "Value"]

BUSY_TIMEOUT = 2.0
"""Seconds a statement waits for another program's lock before it raises DatabaseBusy."""

Value = str | int | float | bytes | None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ROWS = re.compile(r"\s*(SELECT|VALUES|WITH|EXPLAIN|INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_QUESTION = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\?""")


def database_path(url: str) -> str:
    """The file of a database URL, or ":memory:".

    `sqlite:///relative/path`, `sqlite:////absolute/path` (Kamailio's db_sqlite), a plain path, `:memory:`.
    """
    scheme, sep, rest = url.partition("://")
    if not sep:
        path = url
    elif scheme != "sqlite":
        raise DatabaseError(
            f"database URL {_shown(url)}: only SQLite is supported now; give sqlite:////absolute/path or a file's path"
        )
    elif not rest.startswith("/"):
        raise DatabaseError(f"database URL {url}: expected sqlite:///relative/path or sqlite:////absolute/path")
    else:
        path = rest[1:]
    if not path:
        raise DatabaseError(f"database URL {url!r}: the path is empty; expected sqlite:////absolute/path")
    if "\0" in path:
        raise DatabaseError(f"database URL {url!r}: the path has a NUL character")
    return path


def _shown(url: str) -> str:
    """`url` without the password it may carry."""
    scheme, _, rest = url.partition("://")
    account, at, host = rest.rpartition("@")
    return f"{scheme}://{account.partition(':')[0]}{at}{host}"


def _raw_text(sql: str, params: Sequence[Value]) -> tuple[str, list[Value]]:
    """Make wire text bind as its own bytes.

    sqlite3 encodes a str as UTF-8, so wire text is first decoded as that. Bytes that are no UTF-8 can only be bound as
    a blob, which SQL never finds equal to text: their place in the statement becomes a cast.
    """
    bound: list[Value] = []
    casts: set[int] = set()
    for index, value in enumerate(params):
        if isinstance(value, str) and not value.isascii():
            try:
                raw = value.encode("latin-1")
            except UnicodeEncodeError:
                raise DatabaseError(f"text for the database is not wire text (latin-1): {value[:40]!r}") from None
            try:
                value = raw.decode("utf-8")
            except UnicodeDecodeError:
                value = raw
                casts.add(index)
        bound.append(value)
    if casts:
        place = iter(range(len(bound)))

        def mark(match: re.Match[str]) -> str:
            if match.group(1) is not None:
                return match.group(1)
            return "CAST(? AS TEXT)" if next(place, -1) in casts else "?"

        sql = _QUESTION.sub(mark, sql)
    return sql, bound


class Database:
    """One SQLite database with Kamailio's tables.

    Calls may come from the loop thread and from debugged routes' threads; a lock lets one at a time through. Every
    statement commits on its own unless inside `transaction()`. What other programs commit is seen by the next query.
    """

    __slots__ = ("_conn", "_in_transaction", "_lock", "path")

    def __init__(self, conn: sqlite3.Connection, path: str, lock: AbstractContextManager[bool] | None = None) -> None:
        self._conn: sqlite3.Connection | None = conn
        self._lock: AbstractContextManager[bool] = threading.RLock() if lock is None else lock
        self._in_transaction = False
        self.path = path

    @classmethod
    def open(cls, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> Self:
        """Open or make the database at `url`, make the tables it lacks, check the ones it has.

        A new file gets mode 0600: it holds passwords. Raises DatabaseError.
        """
        path = database_path(url)
        if path != ":memory:":
            cls._check_place(path)
        try:
            conn = sqlite3.connect(
                path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except (sqlite3.Error, ValueError) as error:
            raise DatabaseError(f"database {path}: cannot be opened: {error}") from None
        conn.text_factory = partial(str, encoding="latin-1")
        db = cls(conn, path)
        try:
            db._prepare()
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _check_place(path: str) -> None:
        if os.path.isdir(path):
            raise DatabaseError(f"database {path}: is a directory; give the path of a file in it")
        if os.path.exists(path) and not os.path.isfile(path):
            raise DatabaseError(f"database {path}: is not a regular file; give another path")
        parent = os.path.dirname(path) or "."
        if not os.path.isdir(parent):
            raise DatabaseError(f"database {path}: its directory {parent} does not exist; create it first")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except PermissionError:
            raise DatabaseError(
                f"database {path}: this user may not write it; check the owner and mode of the file and its directory"
            ) from None
        except OSError as error:
            raise DatabaseError(f"database {path}: cannot be opened: {error.strerror}") from None

    def _prepare(self) -> None:
        try:
            conn = self._connection()
            conn.execute("PRAGMA synchronous=OFF").fetchall()
            conn.execute("PRAGMA journal_mode=WAL").fetchall()
            # Only a write shows that the file is writable: sqlite3 opens a read-only one silently.
            conn.execute("BEGIN IMMEDIATE")
            try:
                self._make_tables(conn)
                conn.execute("COMMIT")
            except BaseException:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._error(error) from None
        for table in TABLES.values():
            self.check(table.name)

    @staticmethod
    def _make_tables(conn: sqlite3.Connection) -> None:
        there = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
        for table in TABLES.values():
            if table.name not in there:
                for statement in create_statements(table):
                    conn.execute(statement)
                conn.execute(
                    "INSERT INTO version (table_name, table_version) VALUES (?, ?) "
                    "ON CONFLICT (table_name) DO UPDATE SET table_version = excluded.table_version",
                    (table.name, table.version),
                )

    def check(self, name: str, like: str | None = None) -> None:
        """Raise DatabaseError unless table `name` has the columns and version of the model `like` (default: itself)."""
        model = TABLES[like or name]
        have = self.columns(name)
        if not have:
            raise DatabaseError(
                f"database {self.path}: there is no table {name}; create it with the columns of {model.name}"
            )
        for column in model.columns:
            if column.name not in have and not column.optional:
                raise DatabaseError(
                    f"database {self.path}: table {name} has no column {column.name} (expected {column.ddl}); "
                    "migrate it to Kamailio 5.6 or use another database"
                )
        self._check_version(name, model)

    def _check_version(self, name: str, model: Table) -> None:
        found = self.version_of(name)
        if found != model.version:
            raise DatabaseError(
                f"database {self.path}: table {name} has version {'none' if found is None else found} "
                f"(expected {model.version}, Kamailio 5.6); migrate it or use another database"
            )

    def _connection(self) -> sqlite3.Connection:
        if self._conn is None:
            raise DatabaseError(f"database {self.path}: is closed")
        return self._conn

    def _error(self, error: Exception) -> DatabaseError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        where = f"database {self.path}: "
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return DatabaseBusy(f"{where}another program keeps it locked; end that program's transaction and try again")
        if code == sqlite3.SQLITE_NOTADB:
            return DatabaseError(f"{where}is not an SQLite database; move the file away or give another path")
        if code == sqlite3.SQLITE_CORRUPT:
            return DatabaseError(f"{where}the file is damaged ({error}); restore it from a copy or move it away")
        if code == sqlite3.SQLITE_READONLY:
            return DatabaseError(f"{where}is read-only; make the file and its directory writable for this user")
        if code == sqlite3.SQLITE_CONSTRAINT:
            return DatabaseConflict(f"{where}{error}")
        return DatabaseError(f"{where}{error}")

    def _run(self, sql: str, params: Sequence[Value]) -> sqlite3.Cursor:
        for value in params:
            if type(value) is str and not value.isascii():
                sql, params = _raw_text(sql, params)
                break
        try:
            return self._connection().execute(sql, params)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise self._error(error) from None

    def query(self, sql: str, params: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All the rows of a statement."""
        with self._lock:
            try:
                return self._run(sql, params).fetchall()
            except sqlite3.Error as error:
                raise self._error(error) from None

    def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement that changes rows; the number of rows it changed."""
        with self._lock:
            return self._run(sql, params).rowcount

    def insert(self, table: str, mapping: Mapping[str, Value]) -> int:
        """Insert one row, columns by name; its id."""
        for name in (table, *mapping):
            if not _NAME.match(name):
                raise DatabaseError(f"database {self.path}: {name!r} is not a name of a table or column")
        names = ", ".join(f'"{name}"' for name in mapping)
        sql = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(mapping))})'
        with self._lock:
            return self._insert(sql, tuple(mapping.values()))

    def _insert(self, sql: str, params: Sequence[Value]) -> int:
        return self._run(sql, params).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the statements of the block together, or none of them when it raises. Keeps other threads out."""
        with self._lock:
            if self._in_transaction:
                raise DatabaseError(f"database {self.path}: a transaction is already open in this thread")
            self._run("BEGIN IMMEDIATE", ())
            self._in_transaction = True
            try:
                yield
                self._run("COMMIT", ())
            except BaseException:
                conn = self._conn
                if conn is not None and conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
            finally:
                self._in_transaction = False

    def generation(self) -> tuple[int, int]:
        """A token that differs after any change, by this or another program (`PRAGMA data_version`; about 2 us)."""
        with self._lock:
            conn = self._connection()
            try:
                return conn.execute("PRAGMA data_version").fetchone()[0], conn.total_changes
            except sqlite3.Error as error:
                raise self._error(error) from None

    def tables(self) -> list[str]:
        """The names of all tables, also those that are not Kamailio's, sorted."""
        return [
            row[0]
            for row in self.query(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY 1"
            )
        ]

    def columns(self, table: str) -> list[str]:
        """The column names of a table; empty when there is no such table."""
        return [row[0] for row in self.query("SELECT name FROM pragma_table_info(?)", (table,))]

    def version_of(self, table: str) -> int | None:
        """The table's version in `version`, None without one."""
        rows = self.query("SELECT table_version FROM version WHERE table_name = ?", (table,))
        if not rows:
            return None
        version = rows[0][0]
        return version if isinstance(version, int) else None

    def fork(self) -> "ForkedDatabase":
        """A view for sandboxed runs: see ForkedDatabase."""
        return ForkedDatabase(self)

    def close(self) -> None:
        """Close; a second time does nothing. Later statements raise DatabaseError."""
        with self._lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ForkedDatabase(Database):
    """Reads pass to the parent's live rows; writes are put into `writes` and reach nobody, not even its own reads.

    `execute` answers -1 for a write (how many rows it would change is unknown) and `insert` 0. SQLite itself tells
    which statements write (`PRAGMA query_only`); statements that are neither query nor row change are recorded without
    being tried. `transaction()` only groups; writes of a block that raises are dropped. The forks of a fork share what
    they read: a row that one of them has seen is the same for all, whatever becomes of the live one.
    """

    __slots__ = ("_parent", "writes", "_read")

    def __init__(self, parent: Database) -> None:
        super().__init__(parent._connection(), parent.path, parent._lock)
        self._parent = parent
        self.writes: list[tuple[str, tuple[Value, ...]]] = []
        self._read: dict[tuple[str, tuple[Value, ...]], list[tuple[Any, ...]]] | None = None

    def _connection(self) -> sqlite3.Connection:
        return self._parent._connection()

    def _guarded(self, sql: str, params: Sequence[Value]) -> tuple[list[tuple[Any, ...]], bool]:
        """(rows, whether it was a write)."""
        if not _ROWS.match(sql):  # BEGIN, ATTACH, PRAGMA, CREATE ... would act on the connection or the file
            self.writes.append((sql, tuple(params)))
            return [], True
        key = (sql, tuple(params))
        if self._read is not None and key in self._read:
            return list(self._read[key]), False
        with self._lock:
            conn = self._connection()
            conn.execute("PRAGMA query_only=1")
            try:
                bound_sql, bound = _raw_text(sql, params)
                rows = conn.execute(bound_sql, bound).fetchall()
                if self._read is not None:
                    self._read[key] = list(rows)
                return rows, False
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                    self.writes.append((sql, tuple(params)))
                    return [], True
                raise self._error(error) from None
            except (sqlite3.Warning, OverflowError, ValueError) as error:
                raise self._error(error) from None
            finally:
                conn.execute("PRAGMA query_only=0")

    def query(self, sql: str, params: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        return self._guarded(sql, params)[0]

    def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        rows, wrote = self._guarded(sql, params)
        return -1 if wrote else len(rows)

    def _insert(self, sql: str, params: Sequence[Value]) -> int:
        self._guarded(sql, params)
        return 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._in_transaction:
                raise DatabaseError(f"database {self.path}: a transaction is already open in this thread")
            mark = len(self.writes)
            self._in_transaction = True
            try:
                yield
            except BaseException:
                del self.writes[mark:]
                raise
            finally:
                self._in_transaction = False

    def fork(self) -> "ForkedDatabase":
        # Forks of one fork read the same: what one of them has read stays so for all.
        if self._read is None:
            self._read = {}
        forked = ForkedDatabase(self._parent)
        forked._read = self._read
        forked.writes.extend(self.writes)
        return forked

    def close(self) -> None:
        """Nothing to close: the connection is the parent's."""
