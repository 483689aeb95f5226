"""Accounting rows in `acc` and `missed_calls`, as Kamailio's acc module writes them with `db_url`."""

from collections.abc import Iterable, Mapping

from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError
from ksrcore.store.stamps import to_column

__all__ = ["Accounting"]

_CORE = ("method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason", "time")


class Accounting:
    """Writes accounting rows. Nothing here raises: a call does not fail because its record does."""

    __slots__ = ("_columns", "db")

    def __init__(self, db: Database) -> None:
        self.db = db
        self._columns: dict[str, frozenset[str]] = {}

    def check(self, table: str, columns: Iterable[str] = ()) -> str | None:
        """None when `table` takes the fixed columns and the extra ones in `columns`, else the error's text."""
        try:
            have = frozenset(self.db.columns(table))
        except StoreError as error:
            return f"accounting: {error}"
        if not have:
            return f"accounting: database {self.db.path} has no table {table}"
        missing = [name for name in (*_CORE, *columns) if name not in have]
        if missing:
            return (
                f"accounting: table {table} of database {self.db.path} has no column {', '.join(missing)}; "
                f"add it, for example: ALTER TABLE {table} ADD COLUMN {missing[0]} VARCHAR(128) NOT NULL DEFAULT ''"
            )
        self._columns[table] = have
        return None

    def record(self, table: str, wall: float, fields: Mapping[str, str]) -> str | None:
        """Insert a row; `wall` (unix seconds) goes into `time`. None, or an error's text for the log.

        `fields` has method, from_tag, to_tag, callid, sip_code, sip_reason and the extras (`db_extra`), as wire text.
        An absent field is stored empty.
        """
        known = self._columns.get(table)
        if known is None or not known.issuperset(fields):
            problem = self.check(table, fields)
            if problem is not None:
                return problem
        try:
            self.db.insert(table, {**fields, "time": to_column(wall)})
        except StoreError as error:
            return f"accounting: row for call {fields.get('callid', '')!r} not written to {table}: {error}"
        return None

    def fork(self) -> "Accounting":
        """A view whose rows reach nobody."""
        return Accounting(self.db.fork())
