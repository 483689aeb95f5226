"""Records of whole calls (CDRs) of acc: a line in the log and a row in the database for each dialog that ends.

Start, end and duration are variables of the dialog, under the names of ``cdr_start_id``, ``cdr_end_id`` and
``cdr_duration_id``, in seconds with milliseconds, so that they are stored with it and scripts can read them.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ..logs import log_line
from ..pv.errors import PvError
from ..pv.registry import Getter, Value
from ..run import EVENT_ROUTE, Run
from ..store.errors import StoreError
from ..store.stamps import to_column
from .declare import ParamError
from .dialog_cell import CHANGED_VARS, Dialog
from .dialog_context import context
from .dialog_events import CONFIRMED_NOW, ENDED, FAILED, MADE

if TYPE_CHECKING:
    from ..sip.message import SipMessage
    from ..store.database import Database
    from ..tm.transaction import Transaction
    from .acc import Acc

__all__ = ["CallRecords"]

log = logging.getLogger("ksrcore.acc")


class CallRecords:
    """Watches dialogs for ``acc``. ``extra``: name, getter and whether it is a variable of the dialog."""

    def __init__(self, acc: Acc, extra: list[tuple[str, Getter, bool]], level: int) -> None:
        self.acc = acc
        self.extra = extra
        self.level = level
        self.names = acc.cdr_start_id, acc.cdr_end_id, acc.cdr_duration_id
        if not all(self.names):
            raise ParamError('modparam acc:cdr_start_id, cdr_end_id and cdr_duration_id expect names, got ""')

    def of(self, acc: Acc) -> CallRecords:
        """The same for a sandbox's module."""
        return CallRecords(acc, self.extra, self.level)

    def check(self, db: Database) -> None:
        """Raises ParamError when the table does not take a record."""
        table = self.acc.cdrs_table
        try:
            have = db.columns(table)
        except StoreError as error:
            raise ParamError(f"modparam acc:cdrs_table: {error}") from None
        missing = [name for name in (*self.names, *(name for name, _, _ in self.extra)) if name not in have]
        if missing:
            raise ParamError(
                f"modparam acc:cdrs_table: table {table} of database {db.path} has no column {', '.join(missing)}; "
                f"add it, for example: ALTER TABLE {table} ADD COLUMN {missing[0]} VARCHAR(128) NOT NULL DEFAULT ''"
            )

    def happened(
        self, event: int, dialog: Dialog, msg: SipMessage | None, t: Transaction | None, run: Run | None
    ) -> None:
        """What a dialog did (dialog_events)."""
        acc = self.acc
        start, end, duration = self.names
        now = f"{int(acc.proxy.wall() * 1000) / 1000:.3f}"
        if event == MADE or event == CONFIRMED_NOW and acc.cdr_start_on_confirmed:
            self._set(dialog, (start, now), (end, now), (duration, "0"))
        elif event == FAILED and acc.cdr_on_failed:
            self._write(dialog, msg, t, run)
        elif event == ENDED:
            begun = self._seconds(dialog, start)
            if begun is None:
                log.error("acc: %s has no variable %s, there is no record of it", dialog, start)
                return
            self._set(dialog, (end, now), (duration, f"{float(now) - begun:.3f}"))
            if msg is not None or acc.cdr_expired_dlg_enable:
                self._write(dialog, msg, t, run)

    def _set(self, dialog: Dialog, *values: tuple[str, str]) -> None:
        for name, value in values:
            dialog.set_variable(name, value)
        dialog.dflags |= CHANGED_VARS
        if dialog.stored:
            self.acc.proxy.modules.dialog.changed(dialog)

    @staticmethod
    def _seconds(dialog: Dialog, name: str) -> float | None:
        try:
            return float(dialog.variables[name])
        except (KeyError, ValueError):  # it was made before there were records, or a script has set it
            return None

    def _write(self, dialog: Dialog, msg: SipMessage | None, t: Transaction | None, run: Run | None) -> None:
        acc = self.acc
        if acc.cdr_skip and acc.cdr_skip in dialog.variables:
            return
        if msg is None:
            inner = acc.proxy.fake_run()
        else:
            record = run.record if run is not None else t.record if t is not None else acc.proxy.fake_run().record
            inner = Run(acc.proxy, msg, EVENT_ROUTE, record, t.avps if t is not None else None, t)
        context(inner.msg).key = dialog.key
        extra = [(name, self._value(get, inner) if own or msg is not None else None) for name, get, own in self.extra]
        if acc.cdr_log_enable and not acc.proxy.sandbox and log.isEnabledFor(self.level):
            known = [(name, dialog.variables.get(name, "")) for name in self.names]
            shown = [*known, *((name, "" if value is None else value) for name, value in extra)]
            log_line(log, self.level, "; ".join(f"{name}={value}" for name, value in shown))
        if acc.cdrs_table and acc.database is not None:
            row: dict[str, Any] = {name: self._stamp(self._seconds(dialog, name)) for name in self.names[:2]}
            row[self.names[2]] = self._seconds(dialog, self.names[2])
            for name, value in extra:
                row[name] = str(value) if value is not None else None if acc.cdr_extra_nullable else ""
            try:
                acc.database.insert(acc.cdrs_table, row)
            except StoreError as error:
                log.error("acc: the record of %s is not written to %s: %s", dialog, acc.cdrs_table, error)

    @staticmethod
    def _value(get: Getter, run: Run) -> Value:
        try:
            return get(run)
        except PvError:
            return None

    def _stamp(self, wall: float | None) -> str | float:
        """A time as the table has it: a date, or a text (time_mode 3 and 4, whatever ``time_format`` is)."""
        seconds = int(wall or 0)
        mode = self.acc.time_mode
        if mode in (3, 4):
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds) if mode == 3 else time.gmtime(seconds))
        return to_column(seconds)
