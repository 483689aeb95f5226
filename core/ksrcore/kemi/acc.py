"""Kamailio's acc: a line in the log and a row in the database for each transaction that is flagged for it.

A transaction is watched when one of the accounting flags is set at its creation (or ``acc_prepare_flag``, or always
with ``acc_prepare_always``). What is written: answered transactions; with ``failed_transaction_flag`` failed ones too;
INVITEs that failed with the missed flag, which that takes back. With ``cdr_enable``, records of whole calls are written
too (acc_cdr).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, Self

from ..logs import log_line
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Getter, Value
from ..run import EVENT_ROUTE, Run
from ..sip.errors import SipError
from ..store.accounting import Accounting
from ..store.database import Database
from ..tm.hooks import ACK_IN, CANCEL_IN, COMPLETED, FAILURE, REPLY_OUT, REQUEST_IN, Hooks
from .acc_cdr import CallRecords
from .core_log import NOTICE
from .dbparam import module_database
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..sip.message import SipMessage
    from ..tm.transaction import Transaction

__all__ = ["Acc"]

log = logging.getLogger("ksrcore.acc")

_LEVELS: Final = {-1: logging.ERROR, 0: logging.WARNING, 1: NOTICE, 2: logging.INFO, 3: logging.DEBUG}
_FIXED: Final = {
    "acc_method_column": "method",
    "acc_from_tag_column": "from_tag",
    "acc_to_tag_column": "to_tag",
    "acc_callid_column": "callid",
    "acc_sip_code_column": "sip_code",
    "acc_sip_reason_column": "sip_reason",
    "acc_time_column": "time",
    "multi_leg_info": "",
}

ANSWERED: Final = "transaction answered"
MISSED: Final = "call missed"
REQUEST: Final = "request accounted"
ACKED: Final = "request acknowledged"

_LAST_EVENTS: Final = COMPLETED | FAILURE

Extra = list[tuple[str, Getter]]


class Acc(Module):
    """Accounting to the log and to the database."""

    name = "acc"

    early_media = Param(0, "1: provisional replies with a body are accounted too: int")
    failed_transaction_flag = Param(-1, "message flag that makes failed transactions count, -1 for none: int")
    failed_filter = Param("", "status codes of failures that never count, such as 404,407: str")
    report_ack = Param(0, "1: ACKs of accounted INVITEs are accounted too: int")
    report_cancels = Param(0, "1: CANCELs of accounted INVITEs are accounted too: int")
    detect_direction = Param(0, "1: requests of the callee are written with the caller's tag as from_tag: int")
    acc_prepare_flag = Param(-1, "message flag that lets the accounting flags be set later, -1 for none: int")
    acc_prepare_always = Param(0, "1: the accounting flags may be set later, always: int")
    acc_extra_nullable = Param(0, "1: extra values that are null become NULL in the database: int")
    multi_leg_info = Param("", "only its default: str")
    log_flag = Param(-1, "message flag for lines in the log, -1 for none: int")
    log_missed_flag = Param(-1, "message flag for lines about missed calls, -1 for none: int")
    log_level = Param(1, "level of the lines: -1 error, 0 warning, 1 notice, 2 info, 3 debug: int")
    log_facility = Param("LOG_DAEMON", "no effect: where the log goes is the server's choice: str")
    log_extra = Param("", "more to write: name=$pv;name=$pv: str")
    db_flag = Param(-1, "message flag for rows in the database, -1 for none: int")
    db_missed_flag = Param(-1, "message flag for rows about missed calls, -1 for none: int")
    db_table_acc = Param("acc", "table of transactions: str")
    db_table_missed_calls = Param("missed_calls", "table of missed calls: str")
    db_url = Param("", "the database; '' for the proxy's: str")
    acc_method_column = Param("method", "only its default: str")
    acc_from_tag_column = Param("from_tag", "only its default: str")
    acc_to_tag_column = Param("to_tag", "only its default: str")
    acc_callid_column = Param("callid", "only its default: str")
    acc_sip_code_column = Param("sip_code", "only its default: str")
    acc_sip_reason_column = Param("sip_reason", "only its default: str")
    acc_time_column = Param("time", "only its default: str")
    db_extra = Param("", "more columns: name=$pv;name=$pv: str")
    db_insert_mode = Param(0, "no effect: a row is written at once: int")
    cdr_enable = Param(0, "1: a record of each dialog: int")
    cdr_skip = Param("", "dialog variable that keeps a call from being recorded: str")
    cdr_expired_dlg_enable = Param(0, "1: calls that no message ended (by time, by dlg_end_dlg) are recorded too: int")
    cdr_start_on_confirmed = Param(0, "1: a call starts with its ACK, 0: with its INVITE: int")
    cdr_facility = Param("LOG_DAEMON", "no effect: where the log goes is the server's choice: str")
    cdr_extra = Param("", "more to record: name=$pv;name=$pv: str")
    cdr_extra_nullable = Param(0, "1: extra values that are null become NULL in the database: int")
    cdr_start_id = Param("start_time", "variable of the dialog, and column, of its start: str")
    cdr_end_id = Param("end_time", "the same of its end: str")
    cdr_duration_id = Param("duration", "the same of its duration in seconds: str")
    cdr_log_enable = Param(1, "1: records are written to the log: int")
    cdrs_table = Param("", "table of the records, '' for none: str")
    time_mode = Param(0, "a second time: 1 seconds and microseconds, 2 seconds.milliseconds, 3 local, 4 UTC: int")
    time_attr = Param("time_attr", "name of that value: str")
    time_exten = Param("time_exten", "name of the microseconds of time_mode 1: str")
    time_format = Param("%Y-%m-%d %H:%M:%S", "format of time_mode 3 and 4, as strftime: str")
    reason_from_hf = Param(0, "1: the reason is that of the reply's Reason field when it has one: int")
    clone_msg = Param(1, "no effect: a request is never shared between processes: int")
    cdr_on_failed = Param(1, "1: calls that failed are recorded too: int")
    acc_extra_size = Param(64, "the most values in log_extra and db_extra: int")
    cdr_extra_size = Param(64, "the most values in cdr_extra: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._accounting: Accounting | None = None
        self._db: Database | None = None
        self._db_extra: Extra = []
        self.records: CallRecords | None = None

    def start(self) -> None:
        for name, only in _FIXED.items():
            if getattr(self, name) != only:
                raise ParamError(
                    f"modparam acc:{name} can only be {only!r} here, got {getattr(self, name)!r}; leave it out"
                )
        if not 0 <= self.time_mode <= 4:
            raise ParamError(f"modparam acc:time_mode expects 0 to 4, got {self.time_mode}")
        log_extra = self._extra("log_extra")
        self._log_getters = [get for _, get in log_extra]
        # With the fixed values in the order of _values().
        self._log_format = (
            "ACC: %s: timestamp=%s;method=%s;from_tag=%s;to_tag=%s;call_id=%s;code=%s;reason=%s"
            + "".join(f";{name.replace('%', '%%')}=%s" for name, _ in log_extra)
        )
        self._db_extra = self._extra("db_extra")
        try:
            self._filter = {int(code) for code in self.failed_filter.split(",") if code.strip()}
        except ValueError:
            raise ParamError(
                f"modparam acc:failed_filter expects codes separated by ',', got {self.failed_filter!r}"
            ) from None
        self._level = _LEVELS.get(self.log_level, NOTICE)
        # Masks of the message flags.
        self._log_bit, self._log_missed_bit = self._bit("log_flag"), self._bit("log_missed_flag")
        self._db_bit, self._db_missed_bit = self._bit("db_flag"), self._bit("db_missed_flag")
        self._failed_bit = self._bit("failed_transaction_flag")
        self._missed_bits = self._log_missed_bit | self._db_missed_bit
        self._acc_bits = self._log_bit | self._db_bit
        self._events = _LAST_EVENTS | (REPLY_OUT if self.early_media else 0)
        self._invite_events = (
            self._events | (ACK_IN if self.report_ack else 0) | (CANCEL_IN if self.report_cancels else 0)
        )
        self._watch_bits = self._missed_bits | self._acc_bits | self._bit("acc_prepare_flag")
        self._db = module_database(self.proxy, self.db_url)
        if self._db is not None:
            self._accounting = Accounting(self._db)
            if self._db_bit | self._db_missed_bit:
                extra = [name for name, _ in self._db_extra]
                if self.time_mode:
                    extra += [self.time_attr, self.time_exten] if self.time_mode == 1 else [self.time_attr]
                for bit, table in (
                    (self._db_bit, self.db_table_acc),
                    (self._db_missed_bit, self.db_table_missed_calls),
                ):
                    problem = self._accounting.check(table, extra) if bit else None
                    if problem is not None:
                        raise ParamError(problem)
        elif self._db_bit | self._db_missed_bit:
            raise ParamError("modparam acc:db_flag needs a database; start with --db or set acc:db_url")
        if self.cdr_enable:
            own = [spec.partition("=")[2].strip().startswith("$dlg_var(") for spec in _parts(self.cdr_extra)]
            fields = self._extra("cdr_extra", "cdr_extra_size")
            marked = [(name, get, mark) for (name, get), mark in zip(fields, own, strict=True)]
            self.records = CallRecords(self, marked, self._level)
            if self.cdrs_table:
                if self._db is None:
                    raise ParamError("modparam acc:cdrs_table needs a database; start with --db or set acc:db_url")
                self.records.check(self._db)
        self._hook()

    @property
    def database(self) -> Database | None:
        """Where rows go."""
        return self._db

    def _hook(self) -> None:
        self._hooks: Hooks = self.proxy.modules.tm.engine.hooks
        if self._watch_bits or self.acc_prepare_always:
            self._hooks.add(REQUEST_IN, self._request)

    def _bit(self, name: str) -> int:
        flag: int = getattr(self, name)
        if flag > 31:
            raise ParamError(f"modparam acc:{name} expects a message flag, 0 to 31 or -1, got {flag}")
        return 1 << flag if flag >= 0 else 0

    def _extra(self, param: str, limit: str = "acc_extra_size") -> Extra:
        found: Extra = []
        for part in _parts(getattr(self, param)):
            name, equals, text = part.partition("=")
            try:
                if not equals or not name.strip():
                    raise PvError("no name", part)
                found.append((name.strip(), compile_spec(text.strip()).get))
            except PvError as error:
                raise ParamError(
                    f"modparam acc:{param} expects name=$pv;name=$pv such as src=$si, got {part!r}: {error}"
                ) from None
        most = getattr(self, limit)
        if len(found) > most:
            raise ParamError(f"modparam acc:{param} has {len(found)} values, {limit} allows {most}")
        return found

    def stop(self) -> None:
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        if self._db is not None:
            new._db = proxy.db if self._db is self.proxy.db else self._db.fork()
            new._accounting = Accounting(new._db) if new._db is not None else None
        if self.records is not None:
            new.records = self.records.of(new)
        new._hook()
        return new

    # -- transactions -------------------------------------------------------------------------------------------------

    def _request(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        """A transaction was created: watch it when it is flagged."""
        if not self.acc_prepare_always and not t.msg.flags & self._watch_bits:
            return
        now_or_later = self.acc_prepare_always or t.msg.flags & (self._acc_bits | self._bit("acc_prepare_flag"))
        events = self._invite_events if t.is_invite and now_or_later else self._events
        self._hooks.arm(t, events, self._event)

    def _event(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        msg = t.msg
        index = t.relayed if event == COMPLETED else -1
        if event == FAILURE and reply is not None:
            index = next((client.index for client in reversed(t.branches) if client.reply is reply), -1)
        if 0 <= index < len(t.branches):
            # What is written shows the URIs of the branch whose reply it is about.
            branch = t.branches[index]
            before = msg.new_uri, msg.dst_uri
            msg.new_uri, msg.dst_uri = branch.uri, branch.dst_uri
            self._write(event, t, run, reply, code)
            msg.new_uri, msg.dst_uri = before
        else:
            self._write(event, t, run, reply, code)

    def _write(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        msg = t.msg
        if event == COMPLETED:
            if code >= 300 and t.is_invite and msg.flags & self._missed_bits:
                self._missed(t, reply, code)
            if msg.flags & self._acc_bits and (code < 300 or self._counts_failed(msg, code)):
                self._account(ANSWERED, t, msg, reply, code, self._text(t, reply), msg.flags)
        elif event == FAILURE:
            if t.is_invite and msg.flags & self._missed_bits:
                self._missed(t, reply, code)
        elif event == REPLY_OUT:
            if code < 200 and reply is not None and reply.body and msg.flags & self._acc_bits:
                self._account(ANSWERED, t, msg, reply, code, self._text(t, reply), msg.flags)
        elif event == ACK_IN:
            if run is not None and msg.flags & self._acc_bits:
                self._account(ACKED, t, run.msg, None, t.status, t.reason, msg.flags)
        elif event == CANCEL_IN and run is not None and msg.flags & self._acc_bits:
            self._account(ANSWERED, t, run.msg, None, 200, "canceling", msg.flags)

    def _counts_failed(self, msg: SipMessage, code: int) -> bool:
        return bool(msg.flags & self._failed_bit and code not in self._filter)

    def _missed(self, t: Transaction, reply: SipMessage | None, code: int) -> None:
        flags = t.msg.flags
        values = self._values(t, t.msg, reply, code, self._text(t, reply, code))
        run = Run(self.proxy, t.msg, EVENT_ROUTE, t.record, t.avps, t)
        if flags & self._log_missed_bit:
            self._line(MISSED, run, values)
        if flags & self._db_missed_bit:
            self._row(self.db_table_missed_calls, run, values)
        t.msg.flags &= ~self._missed_bits

    def _text(self, t: Transaction, reply: SipMessage | None, code: int = 0) -> str:
        if reply is not None:
            if self.reason_from_hf:
                header = reply.index.get("reason")
                if header is not None and header.body:
                    return header.body
            return reply.reason
        if code and t.status < 200:
            for client in t.branches:
                if client.status == code and client.reply is not None:
                    return client.reply.reason
            return _REASONS.get(code, t.reason)
        return t.reason

    def _account(
        self, title: str, t: Transaction, msg: SipMessage, reply: SipMessage | None, code: int, reason: str, flags: int
    ) -> None:
        values = self._values(t, msg, reply, code, reason)
        run = Run(self.proxy, msg, EVENT_ROUTE, t.record, t.avps, t)
        if flags & self._log_bit:
            self._line(title, run, values)
        if flags & self._db_bit:
            self._row(self.db_table_acc, run, values)

    def _values(
        self, t: Transaction | None, msg: SipMessage, reply: SipMessage | None, code: int, reason: str
    ) -> dict[str, str]:
        """The fixed values, as the database names them."""
        try:
            from_ = msg.from_
            from_tag = from_.tag if from_ is not None else ""
        except SipError:
            from_tag = ""
        to_tag = msg.to_tag
        if reply is not None:
            to_tag = reply.to_tag or to_tag
        elif not to_tag and t is not None and code >= 200:
            to_tag = t.to_tag
        if self.detect_direction and self.proxy.modules.rr.upstream(msg):
            from_tag, to_tag = to_tag, from_tag
        return {
            "method": msg.method,
            "from_tag": from_tag,
            "to_tag": to_tag,
            "callid": msg.callid,
            "sip_code": str(code) if code else "",
            "sip_reason": reason,
        }

    # -- backends -----------------------------------------------------------------------------------------------------

    def _second_time(self, wall: float) -> list[tuple[str, str]]:
        mode = self.time_mode
        if mode == 1:
            return [(self.time_attr, str(int(wall))), (self.time_exten, str(int(wall % 1 * 1e6)))]
        if mode == 2:
            return [(self.time_attr, f"{wall:.3f}")]
        moment = time.localtime(wall) if mode == 3 else time.gmtime(wall)
        return [(self.time_attr, time.strftime(self.time_format, moment))]

    def _line(self, title: str, run: Run, values: dict[str, str]) -> None:
        if self.proxy.sandbox or not log.isEnabledFor(self._level):
            return
        wall = self.proxy.wall()
        moment = f"{int(wall)}"
        if self.time_mode == 1:
            moment += f";{self.time_exten}={int(wall % 1 * 1e6)}"
        elif self.time_mode:
            moment += "".join(f";{name}={value}" for name, value in self._second_time(wall))
        extra: list[Value]
        try:
            extra = ["" if (value := get(run)) is None else value for get in self._log_getters]
        except PvError:
            extra = [self._shown(get, run) for get in self._log_getters]
        log_line(log, self._level, self._log_format % (title, moment, *values.values(), *extra))

    @staticmethod
    def _shown(get: Getter, run: Run) -> Value:
        try:
            value = get(run)
        except PvError:
            return ""
        return "" if value is None else value

    def _row(self, table: str, run: Run, values: dict[str, str]) -> bool:
        accounting = self._accounting
        if accounting is None:
            log.error("acc: there is no database; start with --db or set modparam acc:db_url")
            return False
        row: dict[str, Any] = dict(values)
        wall = self.proxy.wall()
        for name, get in self._db_extra:
            value: Any
            try:
                value = get(run)
            except PvError:
                value = None
            if value is None:
                value = None if self.acc_extra_nullable else ""
            row[name] = value if value is None else str(value)
        if self.time_mode:
            row.update(self._second_time(wall))
        problem = accounting.record(table, wall, row)
        if problem is not None:
            log.error("acc: %s", problem)
            return False
        return True

    # -- functions ----------------------------------------------------------------------------------------------------

    def _request_values(self, run: Run, comment: str) -> dict[str, str] | None:
        """Of "404 Not Found" or "a remark": the values to write, None for ''."""
        if not comment.strip():
            log.error("acc: the comment is empty; expected CODE REASON or a text")
            return None
        code, _, rest = comment.partition(" ")
        if len(code) == 3 and code.isascii() and code.isdigit():
            return self._values(None, run.msg, None, int(code), rest.strip())
        return self._values(None, run.msg, None, 0, comment)

    @export
    def acc_log_request(self, run: Run, comment: str) -> int:
        """Write a line about the request; ``comment``: "404 Not Found" or a text. 1, -1 for ''."""
        values = self._request_values(run, comment)
        if values is None:
            return -1
        self._line(REQUEST, run, values)
        return 1

    @export
    def acc_db_request(self, run: Run, comment: str, table: str) -> int:
        """Write a row about the request into ``table``: 1, -1 when that fails."""
        values = self._request_values(run, comment)
        if values is None or not table:
            return -1
        return 1 if self._row(table, run, values) else -1

    @export
    def acc_request(self, run: Run, comment: str, table: str) -> int:
        """Both: a line and a row. 1, -1 when one of them fails."""
        values = self._request_values(run, comment)
        if values is None:
            return -1
        self._line(REQUEST, run, values)
        return 1 if table and self._row(table, run, values) else -1


def _parts(text: str) -> list[str]:
    """The definitions in ``name=$pv;name=$pv``."""
    return [part.strip() for part in text.split(";") if part.strip()]


#: What a failed branch is accounted with when the failure is our own.
_REASONS: Final = {
    408: "Request Timeout",
    477: "Unfortunately error on sending to next hop occurred",
    478: "Unresolvable destination",
    487: "Request Terminated",
    500: "Server Internal Error",
}
