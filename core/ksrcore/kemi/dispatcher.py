"""Kamailio's dispatcher: destinations in sets, selected by an algorithm, tried one after the other, probed.

The destinations are read from ``list_file`` or, with ``db_url``, from the table ``dispatcher``; without both there are
none. Where a host name leads is asked once, when the list is read. A sandbox has its own copy of states, loads and
turns; it sends no probes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..net.address import Listen
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.format import Format, compile_format
from ..pv.state import XList
from ..run import EVENT_ROUTE
from ..store.errors import StoreError
from . import dispatcher_pv  # noqa: F401
from .dbparam import module_database
from .declare import Param, ParamError, export
from .dispatcher_list import (
    DISABLED,
    INACTIVE,
    PROBING,
    STATES,
    TRYING,
    ListError,
    Loader,
    Rows,
    file_rows,
    find_socket,
)
from .dispatcher_load import Loads
from .dispatcher_ping import Pinger
from .dispatcher_routes import DispatcherRoutes

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run
    from ..store.database import Database

__all__ = ["Dispatcher"]

log = logging.getLogger("ksrcore.dispatcher")

_STATES = {"a": 0, "i": INACTIVE, "d": DISABLED, "t": TRYING}


class Dispatcher(DispatcherRoutes):
    """Destinations in sets: selection, failover, states, probing."""

    name = "dispatcher"

    list_file = Param("", "the file with the destinations, '' none: str")
    db_url = Param("", "the database with the destinations, '' none: str")
    table_name = Param("dispatcher", "the table: str")
    setid_col = Param("setid", "column with the set: str")
    destination_col = Param("destination", "column with the URI: str")
    flags_col = Param("flags", "column with the flags: str")
    priority_col = Param("priority", "column with the priority: str")
    attrs_col = Param("attrs", "column with the attributes: str")
    force_dst = Param(1, "0: fail when a destination URI is set already: int")
    flags = Param(0, "1: hash users only; 2: keep the other destinations for failover: int")
    use_default = Param(0, "1: the last of a set is taken only when there is no other: int")
    xavp_dst = Param("_dsdst_", "XAVP with the selected destinations: str")
    xavp_dst_mode = Param(0, "1: no attrs in it; 2: the field socket; 4: the field sockname: int")
    xavp_ctx = Param("_dsctx_", "XAVP about the selection: str")
    xavp_ctx_mode = Param(0, "1: no cnt in it: int")
    hash_pvar = Param("", "what algorithm 7 hashes: text with variables")
    setid_pvname = Param("", "variable that gets the set where an address was found: str")
    attrs_pvname = Param("", "variable that gets the attributes of the address found: str")
    ds_ping_method = Param("OPTIONS", "method of the probes: str")
    ds_ping_from = Param("sip:dispatcher@localhost", "From URI of the probes: str")
    ds_ping_interval = Param(0, "seconds between probes, 0: none: int")
    ds_probing_threshold = Param(1, "failures after which a destination is inactive: int")
    ds_inactive_threshold = Param(1, "successes after which an inactive one is active: int")
    ds_ping_reply_codes = Param("", "replies that count as success beside 200: class=2;code=403 ...: str")
    ds_probing_mode = Param(0, "probe 0: those flagged, once; 1: all; 2: inactive ones flagged; 3: those flagged: int")
    ds_ping_latency_stats = Param(0, "1: measure how long probes take: int")
    ds_latency_estimator_alpha = Param(900, "weight of the past in the estimate, thousandths: int")
    ds_hash_size = Param(0, "above 0: calls are counted for algorithm 10: int")
    ds_hash_expire = Param(7200, "seconds after which an answered call is forgotten: int")
    ds_hash_initexpire = Param(7200, "seconds after which a call not yet answered is forgotten: int")
    ds_hash_check_interval = Param(30, "seconds between looks for calls to forget: int")
    outbound_proxy = Param("", "URI the probes are sent to instead: str")
    ds_default_socket = Param("", "socket to send from where a destination names none: str")
    ds_default_sockname = Param("", "the same by its name: str")
    ds_timer_mode = Param(0, "no effect: the loop runs the timers: int")
    event_callback = Param("", "callback that gets 'dispatcher:dst-down' and 'dispatcher:dst-up': str")
    ds_attrs_none = Param(0, "1: destinations without attributes get none=yes: int")
    ds_db_extra_attrs = Param("", "more columns as attributes: name=column;...: str")
    ds_load_mode = Param(0, "1: a destination that cannot be used refuses the list: int")
    reload_delta = Param(5, "seconds between reloads: int")
    ds_dns_mode = Param(1, "1: host names are resolved when the list is read; sum with 2: when matched, 4: again: int")
    ds_dns_interval = Param(600, "seconds between resolving host names again with ds_dns_mode 4: int")
    ds_dns_ttl = Param(0, "no effect: the system's resolver keeps no answers: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.hash_format: Format | None = None
        self.loads = Loads(self)
        self._default: Listen | None = None
        self._db: Database | None = None
        self._extra: list[tuple[str, str]] = []
        self._reloaded = -1e9

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._check()
        self.pinger = Pinger(self)
        if not self.list_file and not self.db_url:
            return
        if self.db_url:
            self._db = module_database(self.proxy, self.db_url)
        try:
            self.sets = self.loader().load(self._rows())
        except (ListError, StoreError, OSError) as error:
            raise ParamError(f"dispatcher: no destinations: {error}") from None
        if not self.proxy.sandbox:
            self.pinger.start()
        if self.loads.enabled:
            interval = max(1, self.ds_hash_check_interval)
            self.proxy.after(interval, self.loads.expire, every=interval)
        if self.ds_dns_mode & 4 and self.ds_dns_interval > 0:
            self.proxy.after(self.ds_dns_interval, self._resolve_all, every=self.ds_dns_interval)

    def _check(self) -> None:
        if self.ds_dns_mode & 8:
            raise ParamError("modparam dispatcher:ds_dns_mode: 8 (SRV) is not possible here; take 1, 2 or 4")
        try:
            self.hash_format = compile_format(self.hash_pvar) if self.hash_pvar else None
            self._setid = compile_spec(self.setid_pvname) if self.setid_pvname else None
            self._attrs = compile_spec(self.attrs_pvname) if self.attrs_pvname else None
        except PvError as error:
            raise ParamError(
                f"modparam dispatcher: hash_pvar, setid_pvname and attrs_pvname expect variables: {error}"
            ) from None
        if self.ds_default_sockname:
            name = self.ds_default_sockname
            self._default = next((listen for listen in self.proxy.listens if listen.name == name), None)
            if self._default is None:
                raise ParamError(f"modparam dispatcher:ds_default_sockname: no listen socket is named {name}")
        elif self.ds_default_socket:
            self._default = find_socket(self.proxy, self.ds_default_socket)
            if self._default is None:
                raise ParamError(
                    f"modparam dispatcher:ds_default_socket: {self.ds_default_socket} is none of the listen sockets"
                )
        for part in filter(None, self.ds_db_extra_attrs.split(";")):
            name, equals, column = part.partition("=")
            if not equals or not name or not column.replace("_", "a").isalnum():
                raise ParamError(
                    f"modparam dispatcher:ds_db_extra_attrs expects name=column;..., got {self.ds_db_extra_attrs!r}"
                )
            self._extra.append((name, column))

    def stop(self) -> None:
        self.pinger.stop()
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.sets = self.sets.copy()
        new.loads = self.loads.fork(new)
        new._db = self._db.fork() if self._db is not None else None
        new.pinger = Pinger(new)
        new.pinger.active = self.pinger.active
        return new

    # -- the list -----------------------------------------------------------------------------------------------------

    def loader(self) -> Loader:
        return Loader(self.proxy, self._resolve, self._default, bool(self.ds_attrs_none), bool(self.ds_load_mode))

    def _rows(self) -> Rows:
        """Raises ListError, StoreError, OSError."""
        if self._db is None:
            with open(self.list_file, encoding="latin-1") as file:
                return list(file_rows(file.read()))
        names = [self.setid_col, self.destination_col, self.flags_col, self.priority_col, self.attrs_col]
        names += [column for _, column in self._extra]
        columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        table = self.table_name.replace('"', '""')
        return [self._row(row) for row in self._db.query(f'SELECT {columns} FROM "{table}"')]

    def _row(self, row: tuple[object, ...]) -> tuple[int, str, int, int, str]:
        setid, uri, flags, priority, attrs, *more = row
        parts = [str(attrs)] if attrs else []
        parts += [f"{name}={value}" for (name, _), value in zip(self._extra, more, strict=True) if value]
        numbers = [value if isinstance(value, int) else 0 for value in (setid, flags, priority)]
        return numbers[0], str(uri or ""), numbers[1], numbers[2], ";".join(parts)

    def _may_reload(self) -> bool:
        now = self.proxy.now
        if self.reload_delta and now - self._reloaded < self.reload_delta:
            log.error("ongoing reload")
            return False
        self._reloaded = now
        return True

    def reload(self) -> bool:
        loader = self.loader()
        try:
            sets = loader.load(self._rows())
        except (ListError, StoreError, OSError) as error:
            log.error("the list stays as it was: %s", error)
            return False
        if self._db is not None and loader.skipped:
            # Kamailio refuses a table with such a row, though it starts with one.
            log.error("the list stays as it was: a row of table %s cannot be used", self.table_name)
            return False
        self.sets = sets
        return True

    # -- states -------------------------------------------------------------------------------------------------------

    def update(self, run: Run | None, number: int, uri: str, state: int, code: int = 0, reason: str = "") -> bool:
        """What a request or probe shows of a destination; the thresholds decide. False when there is no such one.

        Events get the request's ``run``; for None, a probe's, one of the destination's own, with its reply.
        """
        found = self.sets.get(number)
        item = next((item for item in found.items if item.uri == uri), None) if found is not None else None
        if found is None or item is None:
            return False
        before = item.flags
        failed = bool(state & TRYING)
        if failed and before & INACTIVE:
            state = state & ~TRYING | INACTIVE
        flags = before & ~STATES | (DISABLED if state & DISABLED else state)
        if state & TRYING:
            item.failures += 1
            if item.failures >= self.ds_probing_threshold:
                flags = flags & ~TRYING | INACTIVE
                item.failures = 0
        elif not failed and before & INACTIVE and not state & INACTIVE:
            item.failures += 1
            if item.failures < self.ds_inactive_threshold:
                flags |= INACTIVE
            else:
                item.failures = 0
        else:
            item.failures = 0
        was = item.usable
        item.flags = flags
        if was != item.usable:
            probe = {"code": code, "reason": reason, "flags": flags} if run is None else None
            self._event("dispatcher:dst-up" if item.usable else "dispatcher:dst-down", run, uri, probe)
            found.deal_relative(self.proxy.random)
        return True

    def _event(self, name: str, run: Run | None, uri: str, probe: dict[str, Any] | None) -> None:
        script = self.proxy.script
        if not self.event_callback or script is None or not script.has(self.event_callback):
            return
        if run is None:
            run = self.proxy.fake_run()
            run.msg.new_uri = uri
            run.local["dispatcher.probe"] = probe
        else:
            run = type(run)(self.proxy, run.msg, EVENT_ROUTE, run.record, run.avps, run.t, run.branch)
        run.route = EVENT_ROUTE
        script.call(run, self.event_callback, name)

    # -- states and calls ---------------------------------------------------------------------------------------------

    def _mark(self, run: Run, state: int) -> int:
        fields = self._current(run)
        if fields is None:
            return -1
        group, uri = fields.get("grp"), fields.get("uri")
        if group is None or uri is None or not isinstance(group.value, int):
            return -1
        return 1 if self.update(run, group.value, str(uri.value), state) else -1

    @staticmethod
    def _letters(text: str) -> int | None:
        state = INACTIVE if not text else 0
        for letter in text.lower():
            if letter == "p":
                state |= PROBING
            elif letter in _STATES:
                state = state & PROBING | _STATES[letter] if letter != "a" else 0
            else:
                log.warning("ds_mark_dst: expected letters of a, i, t, d, p, got %r", text)
                return None
        return state

    @export
    def ds_mark_dst(self, run: Run) -> int:
        """Mark the destination in use inactive: 1, -1 without one."""
        return self._mark(run, INACTIVE)

    @export
    def ds_mark_dst_state(self, run: Run, sval: str) -> int:
        """Mark the destination in use: a active, i inactive, t trying, d disabled; p with them: probing. 1, -1."""
        state = self._letters(sval)
        return -1 if state is None else self._mark(run, state)

    @export
    def ds_mark_addr(self, run: Run, vstate: str, vgroup: int, vuri: str) -> int:
        """Mark the destination of a set with that URI, by the letters of ``ds_mark_dst_state``: 1, -1 without one."""
        state = self._letters(vstate)
        return 1 if state is not None and self.update(run, vgroup, vuri, state) else -1

    @export
    def ds_load_update(self, run: Run) -> int:
        """BYE, CANCEL: the call is counted no more; a 2xx to INVITE: it is answered. 0."""
        msg = run.msg
        if not self.loads.enabled:
            return 0
        if msg.is_request:
            if msg.method in ("BYE", "CANCEL"):
                self.loads.remove(msg.callid)
        elif msg.method == "INVITE" and 200 <= msg.status < 300:
            self.loads.confirm(msg.callid)
        return 0

    @export
    def ds_load_unset(self, run: Run) -> int:
        """The call is counted no more: 0, -1 when it was not."""
        msg = run.msg
        if not self.loads.enabled:
            return 0
        if msg.is_request and msg.method == "INVITE":
            found = run.avps.xavps.get(self.xavp_dst)
            fields = found.value if found is not None else None
            if not isinstance(fields, XList) or fields.get("dstid") is None:
                return 0
        return 0 if self.loads.remove(msg.callid) else -1

    @export
    def ds_reload(self, run: Run) -> int:
        """Read the destinations again: 1, -1 when they cannot be used or reload_delta has not passed."""
        return 1 if self._may_reload() and self.reload() else -1
