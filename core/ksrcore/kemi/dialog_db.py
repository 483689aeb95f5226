"""Dialogs in the database: Kamailio's tables ``dialog`` and ``dialog_vars``."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from ..net.address import AddressError, Listen, parse_listen
from ..store.database import Database
from ..store.errors import StoreError
from .dbparam import module_database
from .declare import ParamError
from .dialog_calls import DialogCalls
from .dialog_cell import CHANGED, CHANGED_VARS, CONFIRMED_NA, DELETED, EXPIRED, NEW, Dialog

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["COLUMNS", "DialogDb"]

log = logging.getLogger("ksrcore.dialog")

NO_DB: Final = 0
REALTIME: Final = 1
DELAYED: Final = 2
SHUTDOWN: Final = 3

#: Parameters that name columns of the table of dialogs, and the columns.
COLUMNS: Final = {
    "h_entry_column": "hash_entry",
    "h_id_column": "hash_id",
    "call_id_column": "callid",
    "from_uri_column": "from_uri",
    "from_tag_column": "from_tag",
    "to_uri_column": "to_uri",
    "to_tag_column": "to_tag",
    "from_cseq_column": "caller_cseq",
    "to_cseq_column": "callee_cseq",
    "from_route_column": "caller_route_set",
    "to_route_column": "callee_route_set",
    "from_contact_column": "caller_contact",
    "to_contact_column": "callee_contact",
    "from_sock_column": "caller_sock",
    "to_sock_column": "callee_sock",
    "state_column": "state",
    "start_time_column": "start_time",
    "timeout_column": "timeout",
    "sflags_column": "sflags",
    "toroute_name_column": "toroute_name",
}
#: Columns that have no parameter.
_FIXED: Final = ("iflags", "req_uri", "xdata")

_VARS: Final = ("vars_h_entry_column", "vars_h_id_column", "vars_key_column", "vars_value_column")


class DialogDb(DialogCalls):
    """A part of the dialog module."""

    db_url: Any
    db_mode: Any
    db_update_period: Any
    db_skip_load: Any
    table_name: Any
    vars_table_name: Any
    _db: Database | None

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._db = None

    def _open(self) -> None:
        if not 0 <= self.db_mode <= 3:
            raise ParamError(f"modparam dialog:db_mode expects 0 to 3, got {self.db_mode}")
        if self.db_mode == NO_DB:
            return
        self._db = module_database(self.proxy, self.db_url)
        if self._db is None:
            raise ParamError("modparam dialog:db_mode needs a database; start with --db or set dialog:db_url")
        self._names = [getattr(self, param) for param in COLUMNS] + list(_FIXED)
        self._var_names = [getattr(self, param) for param in _VARS]
        for table, wanted in ((self.table_name, self._names), (self.vars_table_name, self._var_names)):
            have = self._db.columns(table)
            missing = [name for name in wanted if name not in have]
            if missing:
                raise ParamError(
                    f"dialog: table {table} of database {self._db.path} has no column {', '.join(missing)}"
                    if have
                    else f"dialog: database {self._db.path} has no table {table}"
                )
        if not self.db_skip_load:
            self.load()
            if self.db_mode == SHUTDOWN:
                # They are written anew at the end: none may stay that ends meanwhile.
                for dialog in self.table.ordered():
                    self.forgotten(dialog)
        if self.db_mode == DELAYED:
            self.proxy.after(self.db_update_period, self.save_all, every=self.db_update_period)

    # -- writing ------------------------------------------------------------------------------------------------------

    def changed(self, dialog: Dialog) -> None:
        """Something of a dialog that is to be kept has changed."""
        if self.db_mode == REALTIME and self._db is not None:
            self._save(dialog)

    def forgotten(self, dialog: Dialog) -> None:
        """It is over: its rows go."""
        if self._db is None:
            return
        entry, number, *_ = self._names
        try:
            self._db.execute(f'DELETE FROM "{self.table_name}" WHERE "{entry}" = ? AND "{number}" = ?', dialog.key)
            self._forget_variables(self._db, dialog)
        except StoreError as error:
            log.error("dialog: %s", error)
        dialog.stored = False

    def save_all(self) -> None:
        """Write what has changed, take out what is over."""
        for dialog in self.table.ordered():
            if dialog.state == DELETED:
                if dialog.stored:
                    self.forgotten(dialog)
            elif dialog.state >= CONFIRMED_NA and (not dialog.stored or dialog.dflags & (NEW | CHANGED | CHANGED_VARS)):
                self._save(dialog)

    def _row(self, dialog: Dialog) -> list[Any]:
        proxy = self.proxy
        caller, callee = dialog.caller, dialog.callee
        left = dialog.deadline - proxy.now if dialog.deadline else dialog.lifetime
        profiles = []
        for at, (name, value) in enumerate(dialog.profiles):
            link = {"name": name, "value": value} if self.table.profiles[name].valued else {"name": name}
            link["puid"] = f"dlgp-{dialog.init_ts:x}-{dialog.h_id:x}-{at:x}"
            profiles.append(link)
        return [
            dialog.h_entry,
            dialog.h_id,
            dialog.callid,
            dialog.from_uri,
            caller.tag,
            dialog.to_uri,
            callee.tag,
            caller.cseq,
            callee.cseq,
            caller.routes or None,
            callee.routes or None,
            caller.contact,
            callee.contact,
            caller.listen.text if caller.listen is not None else "",
            callee.listen.text if callee.listen is not None else "",
            dialog.state,
            dialog.start_ts,
            int(proxy.wall() + left),
            dialog.sflags,
            dialog.toroute or None,
            dialog.iflags,
            dialog.req_uri,
            json.dumps({"profiles": profiles}, separators=(",", ":")) if profiles else None,
        ]

    def _save(self, dialog: Dialog) -> None:
        db = self._db
        if db is None:
            return
        row = self._row(dialog)
        names = self._names
        try:
            if not dialog.stored:
                marks = ", ".join("?" * len(names))
                columns = ", ".join(f'"{name}"' for name in names)
                db.execute(f'INSERT INTO "{self.table_name}" ({columns}) VALUES ({marks})', row)
            else:
                sets = ", ".join(f'"{name}" = ?' for name in names[2:])
                where = f'"{names[0]}" = ? AND "{names[1]}" = ?'
                db.execute(f'UPDATE "{self.table_name}" SET {sets} WHERE {where}', [*row[2:], *row[:2]])
            if dialog.variables or dialog.stored:
                self._save_variables(db, dialog)
        except StoreError as error:
            log.error("dialog: %s is not written: %s", dialog, error)
            return
        dialog.stored = True
        dialog.dflags &= ~(NEW | CHANGED | CHANGED_VARS)

    def _forget_variables(self, db: Database, dialog: Dialog) -> None:
        entry, number, _, _ = self._var_names
        db.execute(f'DELETE FROM "{self.vars_table_name}" WHERE "{entry}" = ? AND "{number}" = ?', dialog.key)

    def _save_variables(self, db: Database, dialog: Dialog) -> None:
        """Known ones keep their rows: what is read later comes in the order it was set in."""
        table = self.vars_table_name
        entry, number, key_name, value_name = self._var_names
        where = f'"{entry}" = ? AND "{number}" = ?'
        known = {key for (key,) in db.query(f'SELECT "{key_name}" FROM "{table}" WHERE {where}', dialog.key)}
        for key in known - dialog.variables.keys():
            db.execute(f'DELETE FROM "{table}" WHERE {where} AND "{key_name}" = ?', (*dialog.key, key))
        columns = ", ".join(f'"{name}"' for name in self._var_names)
        names = list(dialog.variables)
        for key in names if known else reversed(names):
            value = dialog.variables[key]
            if key in known:
                sql = f'UPDATE "{table}" SET "{value_name}" = ? WHERE {where} AND "{key_name}" = ?'
                db.execute(sql, (value, *dialog.key, key))
            else:
                db.execute(f'INSERT INTO "{table}" ({columns}) VALUES (?, ?, ?, ?)', (*dialog.key, key, value))

    # -- reading ------------------------------------------------------------------------------------------------------

    def load(self, callid: str | None = None) -> int:
        """Take over the dialogs of the database (of that Call-ID) that are not here: how many. Raises StoreError."""
        db = self._db
        if db is None:
            return 0
        names = self._names
        columns = ", ".join(f'"{name}"' for name in names)
        sql = f'SELECT {columns} FROM "{self.table_name}"'
        rows = db.query(f'{sql} WHERE "{names[2]}" = ?', (callid,)) if callid is not None else db.query(sql)
        count = 0
        for row in rows:
            if (row[0], row[1]) not in self.table.dialogs and self._take(row):
                count += 1
        if count:
            self._load_variables(db)
            self._activate()
        return count

    def _take(self, row: tuple[Any, ...]) -> bool:
        """A dialog of a row. False: it is over, or not one of a table of this size."""
        entry, number, callid = int(row[0]), int(row[1]), str(row[2])
        if entry != self.table.entry_of(callid):
            log.error("dialog: the row %d:%d was written with another hash_size and is left out", entry, number)
            return False
        if int(row[15]) == DELETED:
            return False
        proxy = self.proxy
        dialog = Dialog(entry, number, callid)
        texts = ["" if value is None else str(value) for value in row]
        caller, callee = dialog.caller, dialog.callee
        caller.known = callee.known = True
        dialog.from_uri, caller.tag, dialog.to_uri, callee.tag = texts[3:7]
        caller.cseq, callee.cseq, caller.routes, callee.routes, caller.contact, callee.contact = texts[7:13]
        caller.listen, callee.listen = self._listen(texts[13]), self._listen(texts[14])
        dialog.state = int(row[15])
        dialog.start_ts = dialog.init_ts = int(row[16])
        dialog.sflags = int(row[18])
        dialog.toroute = texts[19]
        dialog.iflags = int(row[20])
        dialog.req_uri = texts[21]
        dialog.stored = True
        wall = proxy.wall()
        # What ended while we were away has a few seconds left, in which its parties may be heard.
        left = max(int(row[17]) - wall, 10.0)
        dialog.lifetime = max(int(row[17]) - dialog.start_ts, 10)
        dialog.ka_next = proxy.now + self.ka_interval
        self.table.add(dialog)
        self.lifetimes.set(dialog, proxy.now + left)
        self.count("active_dialogs", 1)
        self._load_profiles(dialog, texts[22])
        return True

    def _listen(self, text: str) -> Listen | None:
        try:
            wanted = parse_listen(text)
        except AddressError:
            return None
        return next((listen for listen in self.proxy.listens if listen == wanted), None)

    def _load_profiles(self, dialog: Dialog, text: str) -> None:
        try:
            links = json.loads(text).get("profiles", []) if text else []
            pairs = [(str(link["name"]), str(link.get("value", ""))) for link in links]
        except (ValueError, AttributeError, TypeError, KeyError):
            log.error("dialog: %s: the xdata of its row cannot be read", dialog)
            return
        for name, value in pairs:
            if name in self.table.profiles:
                self.join(dialog, name, value)
        dialog.dflags &= ~EXPIRED

    def _load_variables(self, db: Database) -> None:
        columns = ", ".join(f'"{name}"' for name in self._var_names)
        for entry, number, key, value in db.query(f'SELECT {columns} FROM "{self.vars_table_name}" ORDER BY id'):
            dialog = self.table.get((entry, number))
            if dialog is not None:
                dialog.variables.setdefault(str(key), str(value))
