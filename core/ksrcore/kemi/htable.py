"""Kamailio's htable: hash tables in memory for scripts, with expiry, loaded from and written to the database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Self

from ..run import EVENT_ROUTE
from ..store.errors import StoreError
from . import htable_pv  # noqa: F401
from .dbparam import module_database
from .declare import Param, ParamError, Value, export
from .htable_dmq import Replication
from .htable_rpc import HtableRpc
from .htable_table import BadMatch, Table, matcher, parse_definition

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Htable"]

log = logging.getLogger("ksrcore.htable")

#: Kamailio's number of iterators at one time.
MAX_ITERATORS: Final = 4

_RM_OPS: Final = ("re", "sw")
_MATCH_OPS: Final = ("eq", "ne", "re", "sw")


class _Iterator:
    """A walk over the keys a table had at its start; what is removed meanwhile is passed over."""

    __slots__ = ("table", "keys", "at", "key")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.keys = table.ordered()
        self.at = 0
        self.key: str | None = None

    def next(self) -> bool:
        while self.at < len(self.keys):
            key = self.keys[self.at]
            self.at += 1
            if key in self.table.items:
                self.key = key
                return True
        self.key = None
        return False


class Htable(HtableRpc):
    """Tables by name. ``$sht(table=>key)`` and its kin are in htable_pv."""

    name = "htable"

    htable = Param("", "a table: name=>size=8;autoexpire=300;initval=1;updateexpire=0;dbtable=t;dbmode=1", multi=True)
    db_url = Param("", "the database of dbtable; '' for the proxy's: str")
    key_name_column = Param("key_name", "column with the key: str")
    key_type_column = Param("key_type", "column with 0, or 1 for a key of several values: str")
    value_type_column = Param("value_type", "column with 0 for text, 1 for a number: str")
    key_value_column = Param("key_value", "column with the value: str")
    expires_column = Param("expires", "column with the unix time of expiry: str")
    array_size_suffix = Param("::size", "added to a key of several values for the item with their number: str")
    fetch_rows = Param(100, "no effect: SQLite hands rows over one by one: int")
    timer_interval = Param(20, "seconds between the runs that remove expired items: int")
    db_expires = Param(0, "1: expiry is loaded and stored too: int")
    enable_dmq = Param(0, "1: tables with dmqreplicate=1 are the same on all nodes of dmq: int")
    dmq_init_sync = Param(0, "1: ask another node for them at the start: int")
    timer_procs = Param(0, "no effect: the loop runs the timers: int")
    event_callback = Param("", "callback that gets 'htable:mod-init' and 'htable:expired:<table>': str")
    event_callback_mode = Param(0, "no effect: htable:mod-init runs once the script is loaded: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        #: Key and value of the item whose expiry is being told.
        self.record: tuple[str, int | str] | None = None
        self._iterators: dict[str, _Iterator] = {}

    def start(self) -> None:
        if self.timer_interval < 1:
            raise ParamError(f"modparam htable:timer_interval expects seconds from 1, got {self.timer_interval}")
        for text in self.htable:
            table = parse_definition(text)
            if table.name in self.tables:
                raise ParamError(f"modparam htable:htable: table {table.name} is defined twice")
            self.tables[table.name] = table
        if any(table.dbtable for table in self.tables.values()):
            self._db = module_database(self.proxy, self.db_url)
            if self._db is None:
                raise ParamError("modparam htable: dbtable needs a database; start with --db or set htable:db_url")
            for table in self.tables.values():
                # What begins as a sandbox has no rows, and its database no table of that name.
                if table.dbtable and not self.proxy.sandbox:
                    table.items = self._load(table)
        if self.enable_dmq:
            dmq = self.proxy.modules.dmq
            if not dmq.server_address:
                raise ParamError("modparam htable:enable_dmq needs dmq:server_address")
            Replication(self, dmq, bool(self.dmq_init_sync))
        self.proxy.after(self.timer_interval, self._clean, every=self.timer_interval)
        if self.event_callback:
            self.proxy.after(0.0, lambda: self._event("htable:mod-init"))

    def stop(self) -> None:
        for table in self.tables.values():
            if table.dbtable and table.dbmode and not table.cols:
                try:
                    self._store(table)
                except StoreError as error:
                    log.error("htable: table %s is not written: %s", table.name, error)
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.tables = {name: table.copy() for name, table in self.tables.items()}
        new._iterators = {}
        new._db = self._db.fork() if self._db is not None else None
        return new

    # -- timer and events ---------------------------------------------------------------------------------------------

    def _clean(self) -> None:
        now = self.proxy.wall()
        for table in reversed(list(self.tables.values())):  # as Kamailio: the latest first
            for item in table.expire(now):
                self.record = item
                self._event(f"htable:expired:{table.name}")
        self.record = None

    def _event(self, name: str) -> None:
        script = self.proxy.script
        if self.event_callback and script is not None and script.has(self.event_callback):
            run = self.proxy.fake_run()
            run.route = EVENT_ROUTE
            script.call(run, self.event_callback, name)

    # -- the database -------------------------------------------------------------------------------------------------

    def _load(self, table: Table) -> dict[str, tuple[int | str, int]]:
        assert self._db is not None
        have = self._db.columns(table.dbtable)
        if not have:
            raise StoreError(f"htable: the database has no table {table.dbtable}; create it like table htable")
        names = table.cols or (
            self.key_name_column,
            self.key_type_column,
            self.value_type_column,
            self.key_value_column,
            *((self.expires_column,) if self.db_expires else ()),
        )
        missing = [name for name in names if name not in have]
        if missing:
            raise StoreError(f"htable: table {table.dbtable} has no column {', '.join(missing)}")
        columns = ", ".join(f'"{name}"' for name in names)
        rows = self._db.query(f'SELECT {columns} FROM "{table.dbtable}" ORDER BY "{names[0]}"')
        now = int(self.proxy.wall())
        until = now + table.autoexpire if table.autoexpire else 0
        items: dict[str, tuple[int | str, int]] = {}
        if table.cols:
            for key, *cells in rows:
                if key is not None:
                    value = cells[0] if len(cells) == 1 else ",".join("" if c is None else str(c) for c in cells)
                    items[str(key)] = ("" if value is None else value if isinstance(value, int) else str(value), until)
            return items
        counts: dict[str, int] = {}
        for key, key_type, value_type, text, *expires in rows:
            if key is None or text is None:
                continue
            try:
                value = int(text) if value_type == 1 else str(text)
            except ValueError:
                log.error("htable: table %s, key %s: %r is not a number, it counts as 0", table.dbtable, key, text)
                value = 0
            when = until
            if expires and expires[0]:
                if expires[0] <= now:
                    continue
                when = int(expires[0]) if table.autoexpire else 0
            if key_type == 1:
                number = counts.get(key, 0)
                counts[key] = number + 1
                items[f"{key}[{number}]"] = (value, when)
            else:
                items[str(key)] = (value, when)
        for key, count in counts.items():
            items[f"{key}{self.array_size_suffix}"] = (count, until)
        return items

    def _store(self, table: Table) -> None:
        assert self._db is not None
        now = self.proxy.wall()
        with self._db.transaction():
            self._db.execute(f'DELETE FROM "{table.dbtable}"')
            for key, (value, until) in table.items.items():
                if until and until <= now:
                    continue
                row: dict[str, Any] = {
                    self.key_name_column: key,
                    self.key_type_column: 0,
                    self.value_type_column: int(isinstance(value, int)),
                    self.key_value_column: str(value),
                }
                if self.db_expires:
                    row[self.expires_column] = until
                self._db.insert(table.dbtable, row)

    # -- functions ----------------------------------------------------------------------------------------------------

    def _table(self, name: str) -> Table | None:
        table = self.tables.get(name)
        if table is None:
            log.error("htable: there is no table %r: define it with modparam htable:htable", name)
        return table

    @export
    def sht_get(self, run: Run, table: str, key: str) -> Value:
        """The value of an item, the table's initial value or None without one."""
        found = self._table(table)
        return None if found is None else found.get(key, self.proxy.wall())

    @export
    def sht_gete(self, run: Run, table: str, key: str) -> Value:
        """The value of an item, '' in place of None."""
        value = self.sht_get(run, table, key)
        return "" if value is None else value

    @export
    def sht_getw(self, run: Run, table: str, key: str) -> Value:
        """The value of an item, '<null>' in place of None."""
        value = self.sht_get(run, table, key)
        return "<null>" if value is None else value

    @export
    def sht_sets(self, run: Run, table: str, key: str, value: str) -> int:
        """Set an item to text: 1, -1 without such a table."""
        return self._set(table, key, value, None)

    @export
    def sht_seti(self, run: Run, table: str, key: str, value: int) -> int:
        """Set an item to a number: 1, -1 without such a table."""
        return self._set(table, key, value, None)

    @export
    def sht_setxs(self, run: Run, table: str, key: str, value: str, expire: int) -> int:
        """Set an item to text that expires in ``expire`` seconds (tables with autoexpire): 1, -1 without a table."""
        return self._set(table, key, value, expire)

    @export
    def sht_setxi(self, run: Run, table: str, key: str, value: int, expire: int) -> int:
        """Set an item to a number that expires in ``expire`` seconds (tables with autoexpire): 0, -1 no table."""
        return min(self._set(table, key, value, expire), 0)

    def _set(self, name: str, key: str, value: int | str, expire: int | None) -> int:
        table = self._table(name)
        if table is None:
            return -1
        table.set(key, value, self.proxy.wall(), expire)
        return 1

    @export
    def sht_setex(self, run: Run, table: str, key: str, expire: int) -> int:
        """Let an item expire in ``expire`` seconds, in tables with autoexpire: 1, -1 without such a table."""
        found = self._table(table)
        if found is None:
            return -1
        found.set_expire(key, expire, self.proxy.wall())
        return 1

    @export
    def sht_inc(self, run: Run, table: str, key: str) -> int:
        """Add 1 to a number: the result, -255 when it is none."""
        return self._add(table, key, 1)

    @export
    def sht_dec(self, run: Run, table: str, key: str) -> int:
        """Take 1 from a number: the result, -255 when it is none."""
        return self._add(table, key, -1)

    def _add(self, name: str, key: str, by: int) -> int:
        table = self._table(name)
        value = None if table is None else table.add(key, by, self.proxy.wall())
        return -255 if value is None else value

    @export
    def sht_is_null(self, run: Run, table: str, key: str) -> int:
        """1 when there is no such item, 2 no such table; -1 when there is one, -2 when the initial value is."""
        found = self.tables.get(table)
        if found is None:
            return 2
        if found.find(key, self.proxy.wall()) is not None:
            return -1
        return 1 if found.initval is None else -2

    @export
    def sht_rm(self, run: Run, table: str, key: str) -> int:
        """Remove an item: 1, also when it was not there; -1 without such a table."""
        found = self._table(table)
        if found is None:
            return -1
        found.remove(key)
        return 1

    @export
    def sht_reset(self, run: Run, table: str) -> int:
        """Remove all items: 0, -1 without such a table."""
        found = self._table(table)
        if found is None:
            return -1
        found.items.clear()
        return 0

    @export
    def sht_rm_name_re(self, run: Run, table: str, pattern: str) -> int:
        """Remove the items whose key matches a regular expression: 1, also without such a table; -1 a bad one."""
        return 1 if table not in self.tables else self._remove(table, "re", pattern, True)

    @export
    def sht_rm_value_re(self, run: Run, table: str, pattern: str) -> int:
        """Remove the items whose text matches a regular expression: 1, also without such a table; -1 a bad one."""
        return 1 if table not in self.tables else self._remove(table, "re", pattern, False)

    @export
    def sht_rm_name(self, run: Run, table: str, op: str, value: str) -> int:
        """Remove the items whose key fits; ``op``: re regular expression, sw starts with. 1, or -1."""
        return self._remove(table, op, value, True)

    @export
    def sht_rm_value(self, run: Run, table: str, op: str, value: str) -> int:
        """Remove the items whose text fits; ``op``: re regular expression, sw starts with. 1, or -1."""
        return self._remove(table, op, value, False)

    def _remove(self, name: str, op: str, value: str, by_key: bool) -> int:
        table = self._table(name)
        if table is None:
            return -1
        try:
            test = matcher(op, value, _RM_OPS)
        except BadMatch as error:
            log.error("htable: %s", error)
            return -1
        if by_key:
            gone = [key for key in table.items if test(key)]
        else:
            gone = [key for key, (text, _) in table.items.items() if isinstance(text, str) and test(text)]
        for key in gone:
            del table.items[key]
        if table.tell is not None:
            table.tell(table, 6 if op == "sw" else 5, "", value, 0 if by_key else 1)
        return 1

    @export
    def sht_match_name(self, run: Run, table: str, op: str, value: str) -> int:
        """1 when a key fits, else -1; ``op``: eq, ne, re regular expression, sw starts with."""
        return self._match(table, op, value, True)

    @export
    def sht_match_str_value(self, run: Run, table: str, op: str, value: str) -> int:
        """1 when a text fits, else -1; ``op``: eq, ne, re regular expression, sw starts with."""
        return self._match(table, op, value, False)

    def _match(self, name: str, op: str, value: str, by_key: bool) -> int:
        table = self._table(name)
        if table is None:
            return -1
        try:
            test = matcher(op, value, _MATCH_OPS)
        except BadMatch as error:
            log.error("htable: %s", error)
            return -1
        if by_key:
            return 1 if any(map(test, table.items)) else -1
        return 1 if any(isinstance(text, str) and test(text) for text, _ in table.items.values()) else -1

    @export
    def sht_lock(self, run: Run, table: str, key: str) -> int:
        """1, -1 without such a table. Routes run one at a time here, so there is nothing to wait for."""
        return 1 if self._table(table) is not None else -1

    @export
    def sht_unlock(self, run: Run, table: str, key: str) -> int:
        """1, -1 without such a table."""
        return 1 if self._table(table) is not None else -1

    # -- iterators ----------------------------------------------------------------------------------------------------

    def iterated(self, name: str) -> tuple[str, int | str] | None:
        """Key and value an iterator is at."""
        iterator = self._iterators.get(name)
        if iterator is None or iterator.key is None:
            return None
        item = iterator.table.items.get(iterator.key)
        return None if item is None else (iterator.key, item[0])

    @export
    def sht_iterator_start(self, run: Run, iname: str, table: str) -> int:
        """Begin a walk over a table; one of that name begins anew. 1, -1 no such table or four walks already."""
        if not iname or not table:
            log.error("sht_iterator_start expects a name and a table")
            return -1
        found = self._table(table)
        if found is None:
            return -1
        if iname not in self._iterators and len(self._iterators) >= MAX_ITERATORS:
            log.error("sht_iterator_start: %d iterators are in use already; end one", MAX_ITERATORS)
            return -1
        self._iterators[iname] = _Iterator(found)
        return 1

    @export
    def sht_iterator_end(self, run: Run, iname: str) -> int:
        """End a walk: 1, -1 without one of that name."""
        return 1 if self._iterators.pop(iname, None) is not None else -1

    @export
    def sht_iterator_next(self, run: Run, iname: str) -> int:
        """Go to the next item (first to the first): 1, -1 at the end."""
        iterator = self._iterators.get(iname)
        return 1 if iterator is not None and iterator.next() else -1

    @export
    def sht_iterator_rm(self, run: Run, iname: str) -> int:
        """Remove the item the walk is at: 1, -1 without one."""
        iterator = self._iterators.get(iname)
        if iterator is None or iterator.key is None:
            return -1
        iterator.table.items.pop(iterator.key, None)
        return 1

    @export
    def sht_iterator_sets(self, run: Run, iname: str, value: str) -> int:
        """Set the item the walk is at to text: 1, -1 without one."""
        return self._iterator_set(iname, value)

    @export
    def sht_iterator_seti(self, run: Run, iname: str, value: int) -> int:
        """Set the item the walk is at to a number: 1, -1 without one."""
        return self._iterator_set(iname, value)

    def _iterator_set(self, iname: str, value: int | str) -> int:
        iterator = self._iterators.get(iname)
        if iterator is None or iterator.key is None:
            return -1
        item = iterator.table.items.get(iterator.key)
        if item is None:
            return -1
        iterator.table.items[iterator.key] = (value, item[1])
        return 1

    @export
    def sht_iterator_setex(self, run: Run, iname: str, expire: int) -> int:
        """Let the item the walk is at expire in ``expire`` seconds: 1, -1 without one."""
        iterator = self._iterators.get(iname)
        if iterator is None or iterator.key is None:
            return -1
        return 1 if iterator.table.set_expire(iterator.key, expire, self.proxy.wall()) else -1
