"""Kamailio's sqlops: SQL of the script's own, on connections it names (``sqlcon``), SQLite for now.

A database is opened as it is: no table is made or checked. Values are what Kamailio makes of SQLite's: numbers cut to
32 bits, those with a fraction null, a column declared ``datetime`` a time from a Julian day. A sandbox rolls
a statement back as soon as its result is there.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..pv.state import XList
from ..store.database import BUSY_TIMEOUT, database_path
from ..store.errors import StoreError
from . import sqlops_pv  # noqa: F401
from .declare import Module, Param, ParamError, Value, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Sqlops"]

log = logging.getLogger("ksrcore.sqlops")

_ROWS = re.compile(r"\s*(SELECT|VALUES|WITH|EXPLAIN|INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_SAVEPOINT = "ksr_sandbox"

#: The Julian day of 1970-01-01.
_JULIAN = 2440587.5


class _Time(int):
    """What a column declared ``datetime`` holds: seconds."""


def _time(data: bytes) -> _Time:
    number = re.match(rb"\s*[-+]?\d+(?:\.\d*)?", data)
    day = float(number[0]) if number is not None else 0.0
    return _Time((day - _JULIAN) * 86400.0 + 0.5)


# By the declared type of a column, for connections opened with detect_types.
sqlite3.register_converter("datetime", _time)


class _Nulls(dict[str, None]):
    """Values for ``$name`` in a statement, which SQLite takes for parameters: all null."""

    def __missing__(self, key: str) -> None:
        return None


class Result:
    """The rows of a query, values as scripts see them."""

    __slots__ = ("columns", "rows")

    def __init__(self, columns: list[str], rows: list[tuple[Value, ...]]) -> None:
        self.columns = columns
        self.rows = rows


def _value(value: Any) -> Value:
    if value is None or isinstance(value, float):
        return None
    if isinstance(value, int):
        return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class Connection:
    """One database. Raises StoreError with one line."""

    def __init__(self, url: str) -> None:
        path = database_path(url)
        try:
            self._conn = sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
                detect_types=sqlite3.PARSE_DECLTYPES,
            )
            self._conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"database {path}: cannot be opened: {error}") from None
        self._conn.text_factory = partial(str, encoding="latin-1")

    def close(self) -> None:
        self._conn.close()

    def query(self, sql: str, sandbox: bool) -> Result:
        """Run the first statement of ``sql``, wire text. In a sandbox it leaves nothing behind."""
        raw = sql.encode("latin-1", "replace")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = sql
        try:
            text = _first(text)
            if not text.strip():
                raise StoreError("the statement is empty")
            if not sandbox:
                return self._run(text)
            if not _ROWS.match(text):
                raise StoreError(f"a sandbox does not run {text.split()[0]}")
            self._conn.execute(f"SAVEPOINT {_SAVEPOINT}")
            try:
                return self._run(text)
            finally:
                self._conn.execute(f"ROLLBACK TO {_SAVEPOINT}")
                self._conn.execute(f"RELEASE {_SAVEPOINT}")
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise StoreError(str(error)) from None

    def _run(self, text: str) -> Result:
        cursor = self._conn.execute(text, _Nulls() if "$" in text or ":" in text or "@" in text else ())
        rows = [tuple(map(_value, row)) for row in cursor.fetchall()]
        # Without rows Kamailio's driver tells no columns either.
        return Result([item[0] for item in cursor.description] if rows else [], rows)


def _first(text: str) -> str:
    """The first statement: what follows it is not run, as in Kamailio."""
    at = text.find(";")
    while at >= 0:
        if sqlite3.complete_statement(text[: at + 1]):
            return text[: at + 1]
        at = text.find(";", at + 1)
    return text


class Sqlops(Module):
    """``results``: by the names scripts gave them."""

    name = "sqlops"

    sqlcon = Param("", "NAME=>URL: a connection, such as ca=>sqlite:////var/lib/calls.db", multi=True)
    sqlres = Param("", "no effect: names of results need no declaration", multi=True)
    tr_buf_size = Param(2048, "no effect: the size of texts is not bounded: int")
    connect_mode = Param(0, "1: start although a database cannot be opened: int")
    results_maxsize = Param(32, "the most results kept at a time: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.results: dict[str, Result] = {}
        self._connections: dict[str, Connection] = {}

    def start(self) -> None:
        for text in self.sqlcon:
            name, arrow, url = text.partition("=>")
            if not arrow or not name.strip() or not url.strip():
                raise ParamError(f"modparam sqlops:sqlcon expects NAME=>URL, got {text!r}")
            try:
                # What begins as a sandbox opens nobody's database: it finds an empty one.
                address = ":memory:" if self.proxy.sandbox else url.strip()
                self._connections[name.strip()] = Connection(address)
            except StoreError as error:
                if not self.connect_mode:
                    self.stop()
                    raise ParamError(f"modparam sqlops:sqlcon {name.strip()}: {error}") from None
                log.error("sqlops: connection %s: %s", name.strip(), error)

    def stop(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.results = dict(self.results)
        return new

    def _query(self, function: str, connection: str, sql: str) -> Result | None:
        """The result, None, logged, when there is none."""
        found = self._connections.get(connection)
        if found is None:
            known = ", ".join(self._connections) or "none; set modparam sqlops:sqlcon"
            log.error("%s: there is no connection %r, only %s", function, connection, known)
            return None
        try:
            return found.query(sql, self.proxy.sandbox)
        except StoreError as error:
            log.error("%s: connection %s: %s: %s", function, connection, error, sql[:200])
            return None

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def sql_query(self, run: Run, scon: str, squery: str, sres: str) -> int:
        """Run a statement and keep its rows as ``sres`` ('' not at all) for ``$dbr(sres=>[0,0])``: 0, -1 error."""
        if sres and sres not in self.results and len(self.results) >= self.results_maxsize:
            log.error("sql_query: %d results are kept already (modparam sqlops:results_maxsize)", len(self.results))
            return -1
        found = self._query("sql_query", scon, squery)
        if sres:
            self.results[sres] = found or Result([], [])
        return 0 if found is not None else -1

    @export
    def sql_xquery(self, run: Run, scon: str, squery: str, xavp: str) -> int:
        """Run a statement and put its rows on top of the XAVP ``xavp``, columns by their names: 1, -1 error."""
        found = self._query("sql_xquery", scon, squery)
        if found is None:
            return -1
        for row in reversed(found.rows if xavp else []):
            item = XList(run.avps.xavps.fold)
            for column, value in zip(found.columns, row, strict=True):
                item.append(column, value)
            run.avps.xavps.add(xavp, item)
        return 1

    @export
    def sql_pvquery(self, run: Run, scon: str, squery: str, sres: str) -> int:
        """Run a statement, its columns into the variables ``$a;$b``, last row first: 1, 2 no rows, -1 error."""
        try:
            targets = [compile_spec(text) for text in re.split(r"[;,]\s*(?=\$)", sres.strip().rstrip(";,")) if text]
        except PvError as error:
            log.error("sql_pvquery: %s", error)
            return -1
        if not targets or not all(target.writable for target in targets):
            log.error("sql_pvquery expects variables that can be written, such as $var(a);$avp(b), got %r", sres)
            return -1
        found = self._query("sql_pvquery", scon, squery)
        if found is None:
            return -1
        if not found.rows:
            return 2
        for row in reversed(found.rows):
            for column, value in enumerate(row):
                if column >= len(targets):
                    log.error("sql_pvquery: a row has %d columns for %d variables", len(row), len(targets))
                    return -1
                if not self._assign(run, targets[column], value):
                    return -1
        return 1

    def _assign(self, run: Run, target: Accessor, value: Value) -> bool:
        if value is None and target.spec.name == "avp":
            return True
        try:
            target.set(run, value)
        except PvError as error:
            log.error("sql_pvquery: %s", error)
            return False
        return True

    @export
    def sql_query_async(self, run: Run, scon: str, squery: str) -> int:
        """Run a statement later, without a result: -1, as in Kamailio with SQLite, whose driver cannot."""
        log.error("sql_query_async: SQLite has no asynchronous statements; use sql_query")
        return -1

    @export
    def sql_result_free(self, run: Run, sres: str) -> int:
        """Forget a result: 1, also when there was none."""
        self.results.pop(sres, None)
        return 1

    @export
    def sql_num_rows(self, run: Run, sres: str) -> int:
        """How many rows a result has, 0 without one."""
        found = self.results.get(sres)
        return len(found.rows) if found is not None else 0

    @export
    def sql_num_columns(self, run: Run, sres: str) -> int:
        """How many columns a result has, 0 without one."""
        found = self.results.get(sres)
        return len(found.columns) if found is not None else 0

    def cell(self, name: str, row: int, column: int) -> Value:
        """A value of a result, None without one."""
        found = self.results.get(name)
        if found is None or not 0 <= row < len(found.rows) or not 0 <= column < len(found.columns):
            return None
        return found.rows[row][column]

    @export
    def sql_is_null(self, run: Run, res: str, i: int, j: int) -> int:
        """1 when the value at row ``i``, column ``j`` is null, 0 when it is not, -1 when there is no such value."""
        found = self.results.get(res)
        if found is None or not 0 <= i < len(found.rows) or not 0 <= j < len(found.columns):
            return -1
        return 1 if found.rows[i][j] is None else 0

    @export
    def sql_result_get(self, run: Run, res: str, i: int, j: int) -> Value:
        """The value at row ``i``, column ``j`` of a result, None without one."""
        return self.cell(res, i, j)

    @export
    def sql_result_gete(self, run: Run, res: str, i: int, j: int) -> Value:
        """The value at row ``i``, column ``j`` of a result, '' without one."""
        value = self.cell(res, i, j)
        return "" if value is None else value

    @export
    def sql_result_getz(self, run: Run, res: str, i: int, j: int) -> Value:
        """The value at row ``i``, column ``j`` of a result, 0 without one."""
        value = self.cell(res, i, j)
        return 0 if value is None else value
