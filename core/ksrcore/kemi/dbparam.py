"""The database of a module: its ``db_url``, or the proxy's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ..store.database import Database, database_path
from ..store.errors import StoreError
from .declare import Module, Param, ParamError

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["DbModule", "module_database", "table_name"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def module_database(proxy: Proxy, url: str) -> Database | None:
    """The proxy's database for '' or its own URL and in a sandbox, else the one of ``url``, opened.

    Raises DatabaseError.
    """
    own = proxy.db
    if not url or proxy.sandbox or (own is not None and database_path(url) == own.path):
        return own
    return Database.open(url)


class DbModule(Module):
    """A module with tables in a database; :meth:`start`, :meth:`stop` and :meth:`fork` take care of it."""

    db_url = Param("", "the database; '' for the proxy's: str")
    version_table = Param("version", "no effect: table versions are checked when the database is opened: str")

    db: Database | None = None
    #: Names that stand in statements: the parameters whose values are tables and columns.
    named: tuple[str, ...] = ()

    def start(self) -> None:
        for name in self.named:
            if not _NAME.match(getattr(self, name)):
                raise ParamError(f"modparam {self.name}:{name} expects a name, got {getattr(self, name)!r}")
        self.db = module_database(self.proxy, self.db_url)

    def stop(self) -> None:
        if self.db is not None and self.db is not self.proxy.db:
            self.db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.db = self.db.fork() if self.db is not None else None
        return new

    def rows(self, sql: str, params: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises StoreError, also without a database."""
        if self.db is None:
            raise StoreError(f"{self.name}: there is no database; start with --db or set modparam {self.name}:db_url")
        return self.db.query(sql, params)


def table_name(name: str) -> str:
    """A table's name given by a script, for a statement. Raises StoreError for what is none."""
    if not _NAME.match(name):
        raise StoreError(f"{name!r} is not the name of a table")
    return f'"{name}"'
