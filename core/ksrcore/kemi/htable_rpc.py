"""The ``htable.*`` commands."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..store.database import Database
from ..store.errors import StoreError
from .declare import Module, RpcError, rpc
from .htable_table import Item, Table, item_hash

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["HtableRpc"]


class HtableRpc(Module, ABC):
    """The tables and their commands; :class:`~ksrcore.kemi.htable.Htable` has the rest of the module."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.tables: dict[str, Table] = {}
        self._db: Database | None = None

    @abstractmethod
    def _load(self, table: Table) -> dict[str, Item]:
        """The items of a table in the database. Raises StoreError."""

    @abstractmethod
    def _store(self, table: Table) -> None:
        """Write a table's items to the database. Raises StoreError."""

    def _named(self, params: list[Any], least: int, what: str) -> Table:
        if len(params) < least:
            raise RpcError(500, what)
        table = self.tables.get(str(params[0]))
        if table is None:
            raise RpcError(500, "No such htable")
        return table

    @rpc("htable.get")
    def rpc_get(self, params: list[Any]) -> dict[str, Any]:
        """Table, key: the item."""
        table = self._named(params, 2, "Not enough parameters (htable name and key name)")
        key = str(params[1])
        item = table.items.get(key)
        now = self.proxy.wall()
        if item is None or (item[1] and item[1] <= now):
            raise RpcError(500, "Key name doesn't exist in htable.")
        expire = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item[1])) if item[1] else "NEVER"
        flags = 2 if isinstance(item[0], str) else 0
        return {"item": {"name": key, "value": item[0], "flags": flags, "expire": expire}}

    @rpc("htable.sets")
    def rpc_sets(self, params: list[Any]) -> str:
        """Table, key, text: set it."""
        table = self._named(params, 3, "Not enough parameters (htable name, key name and value)")
        table.set(str(params[1]), str(params[2]), self.proxy.wall())
        return "Ok. Key set to new value."

    @rpc("htable.seti")
    def rpc_seti(self, params: list[Any]) -> str:
        """Table, key, number: set it."""
        table = self._named(params, 3, "Not enough parameters (htable name, key name and value)")
        table.set(str(params[1]), _integer(params[2]), self.proxy.wall())
        return "Ok. Key set to new value."

    @rpc("htable.setex")
    def rpc_setex(self, params: list[Any]) -> str:
        """Table, key, seconds: let it expire then."""
        table = self._named(params, 3, "Not enough parameters (htable name, item name and expire)")
        table.set_expire(str(params[1]), _integer(params[2]), self.proxy.wall())
        return "Ok"

    @rpc("htable.setxs")
    def rpc_setxs(self, params: list[Any]) -> str:
        """Table, key, text, seconds: set it and let it expire then."""
        table = self._named(params, 4, "Not enough parameters (htable name, key name, value and expire)")
        table.set(str(params[1]), str(params[2]), self.proxy.wall(), _integer(params[3]))
        return "Ok. Key set to new value."

    @rpc("htable.setxi")
    def rpc_setxi(self, params: list[Any]) -> str:
        """Table, key, number, seconds: set it and let it expire then."""
        table = self._named(params, 4, "Not enough parameters (htable name, key name, value and expire)")
        table.set(str(params[1]), _integer(params[2]), self.proxy.wall(), _integer(params[3]))
        return "Ok. Key set to new value."

    @rpc("htable.delete")
    def rpc_delete(self, params: list[Any]) -> str:
        """Table, key: remove it."""
        table = self._named(params, 2, "Not enough parameters (htable name & key name")
        if table.tell is not None:
            table.tell(table, 4, str(params[1]), None, 0)
        if table.items.pop(str(params[1]), None) is None:
            raise RpcError(404, "Key not found in htable.")
        return "Ok. Key deleted."

    @rpc("htable.dump")
    def rpc_dump(self, params: list[Any]) -> list[dict[str, Any]]:
        """Table: its items by slot."""
        table = self._named(params, 1, "No htable name given")
        now = self.proxy.wall()
        slots: dict[int, list[dict[str, Any]]] = {}
        for key in table.ordered():
            value, until = table.items[key]
            if until and until <= now:
                continue
            kind = "int" if isinstance(value, int) else "str"
            entry = {"name": key, "value": value, "type": kind}
            slots.setdefault(item_hash(key) & (table.slots - 1), []).append(entry)
        return [{"entry": slot, "size": len(items), "slot": items} for slot, items in slots.items()]

    @rpc("htable.flush")
    def rpc_flush(self, params: list[Any]) -> str:
        """Table: remove all items."""
        self._named(params, 1, "No htable name given").items.clear()
        return "Ok. Htable flushed."

    @rpc("htable.listTables")
    def rpc_list(self, params: list[Any]) -> list[dict[str, Any]]:
        """The tables and their definitions."""
        return [
            {
                "name": table.name,
                "dbtable": table.dbtable,
                "dbmode": table.dbmode,
                "expire": table.autoexpire,
                "updateexpire": table.updateexpire,
                "size": table.slots,
                "dmqreplicate": 0,
            }
            for table in reversed(self.tables.values())
        ]

    @rpc("htable.stats")
    def rpc_stats(self, params: list[Any]) -> list[dict[str, Any]]:
        """How many items the tables have, in all and at least and at most in a slot."""
        rows = []
        for table in reversed(self.tables.values()):
            counts: dict[int, int] = {}
            for key in table.items:
                slot = item_hash(key) & (table.slots - 1)
                counts[slot] = counts.get(slot, 0) + 1
            least = min(counts.values()) if len(counts) == table.slots else 0
            most = max(counts.values(), default=0)
            rows.append({"name": table.name, "slots": table.slots, "all": len(table.items), "min": least, "max": most})
        return rows

    def _with_database(self, params: list[Any]) -> Table:
        if self._db is None:
            raise RpcError(500, "No htable db_url")
        table = self._named(params, 1, "No htable name given")
        if not table.dbtable:
            raise RpcError(500, "No database htable")
        return table

    @rpc("htable.reload")
    def rpc_reload(self, params: list[Any]) -> str:
        """Table: read it from the database again."""
        table = self._with_database(params)
        try:
            table.items = self._load(table)
        except StoreError as error:
            raise RpcError(500, str(error)) from None
        return "Ok. Htable reloaded."

    @rpc("htable.store")
    def rpc_store(self, params: list[Any]) -> str:
        """Table: write it to the database."""
        table = self._with_database(params)
        if table.cols:
            raise RpcError(500, f"table {table.name} has cols and cannot be written")
        try:
            self._store(table)
        except StoreError as error:
            raise RpcError(500, str(error)) from None
        return "Ok. Htable successfully stored to DB."


def _integer(value: Any) -> int:
    """A number as a command is given it: as Kamailio's jsonrpcs, 0 for what is none, also for digits in a string."""
    if isinstance(value, str):
        return 0
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
