"""The database of a module: its ``db_url``, or the proxy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store.database import Database, database_path

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["module_database"]


def module_database(proxy: Proxy, url: str) -> Database | None:
    """The proxy's database for '' or its own URL, else the one of ``url``, opened. Raises DatabaseError."""
    own = proxy.db
    if not url or (own is not None and database_path(url) == own.path):
        return own
    return Database.open(url)
