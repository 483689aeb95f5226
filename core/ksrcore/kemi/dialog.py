"""Kamailio's dialog: calls, from their INVITE to their end.

A dialog is made by ``dlg_manage()`` (or ``dlg_flag``) for an initial INVITE; what follows of the call finds it by the
``did`` in our Record-Route or by Call-ID and tags. The parts: ``dialog_cell`` what is remembered, ``dialog_calls`` how
it changes, ``dialog_ends`` how it ends, ``dialog_requests`` what we send, ``dialog_others`` what versions after 5.6
add, ``dialog_db`` the tables, ``dialog_rpc`` and ``dialog_pv`` the commands and variables.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Getter
from ..run import BRANCH_ROUTE, FAILURE_ROUTE, ONREPLY_ROUTE
from ..store.errors import StoreError
from . import dialog_pv  # noqa: F401
from .declare import Param, ParamError, Value, export
from .dialog_cell import KA_DST, KA_SRC, TIMEOUT_NORESET, Profile, Table
from .dialog_context import Lifetimes, context
from .dialog_db import DialogDb
from .dialog_others import DialogOthers
from .dialog_requests import BRIDGE_BODY
from .dialog_rpc import DialogRpc
from .pv import put_result

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Dialogs"]

log = logging.getLogger("ksrcore.dialog")

_PROPERTIES: Final = {"ka-src": KA_SRC, "ka-dst": KA_DST, "timeout-noreset": TIMEOUT_NORESET}

#: Where a dialog may leave a profile.
_LEAVE: Final = BRANCH_ROUTE | FAILURE_ROUTE | ONREPLY_ROUTE


class Dialogs(DialogRpc, DialogDb, DialogOthers):
    """The calls there are."""

    name = "dialog"

    enable_stats = Param(1, "0: no statistics: int")
    hash_size = Param(4096, "size of the table, a power of 2; part of what is in the database: int")
    rr_param = Param("did", "parameter of our Record-Route that carries the dialog's numbers: str")
    dlg_flag = Param(-1, "message flag that makes a dialog of an initial INVITE, -1 for none: int")
    timeout_avp = Param("", "AVP with a number of seconds, the dialog's lifetime: str")
    default_timeout = Param(43200, "lifetime without one, in seconds: int")
    early_timeout = Param(300, "seconds after which a dialog without a final reply goes: int")
    noack_timeout = Param(60, "seconds without an ACK after which ten are left: int")
    end_timeout = Param(300, "seconds after which one that is over goes, if nothing else takes it: int")
    dlg_extra_hdrs = Param("", "header fields of BYEs we send: str")
    dlg_match_mode = Param(0, "requests within are found 0 by did, 1 by did or tags, 2 by tags without a did: int")
    detect_spirals = Param(1, "0: an INVITE that comes back makes another dialog: int")
    db_url = Param("", "the database; '' for the proxy's: str")
    db_mode = Param(0, "0 no database, 1 written at once, 2 every db_update_period, 3 at the end: int")
    db_update_period = Param(60, "seconds between writes of db_mode 2: int")
    db_fetch_rows = Param(200, "no effect: SQLite hands rows over one by one: int")
    db_skip_load = Param(0, "1: nothing is read at the start: int")
    table_name = Param("dialog", "table of dialogs: str")
    call_id_column = Param("callid", "column of the Call-ID: str")
    from_uri_column = Param("from_uri", "column of the From URI: str")
    from_tag_column = Param("from_tag", "column of the From tag: str")
    to_uri_column = Param("to_uri", "column of the To URI: str")
    to_tag_column = Param("to_tag", "column of the To tag: str")
    from_cseq_column = Param("caller_cseq", "column of the caller's CSeq: str")
    to_cseq_column = Param("callee_cseq", "column of the callee's CSeq: str")
    from_route_column = Param("caller_route_set", "column of the Routes to the caller: str")
    to_route_column = Param("callee_route_set", "column of the Routes to the callee: str")
    from_contact_column = Param("caller_contact", "column of the caller's Contact: str")
    to_contact_column = Param("callee_contact", "column of the callee's Contact: str")
    from_sock_column = Param("caller_sock", "column of our socket towards the caller: str")
    to_sock_column = Param("callee_sock", "column of our socket towards the callee: str")
    h_id_column = Param("hash_id", "column of the hash id: str")
    h_entry_column = Param("hash_entry", "column of the hash entry: str")
    state_column = Param("state", "column of the state: str")
    start_time_column = Param("start_time", "column of the time of the answer: str")
    timeout_column = Param("timeout", "column of the time of the end: str")
    sflags_column = Param("sflags", "column of the script's flags: str")
    toroute_name_column = Param("toroute_name", "column of the timeout route: str")
    vars_table_name = Param("dialog_vars", "table of dialog variables: str")
    vars_h_id_column = Param("hash_id", "its column of the hash id: str")
    vars_h_entry_column = Param("hash_entry", "its column of the hash entry: str")
    vars_key_column = Param("dialog_key", "its column of the name: str")
    vars_value_column = Param("dialog_value", "its column of the value: str")
    profiles_with_value = Param("", "names of profiles with values, separated by ';': str")
    profiles_no_value = Param("", "names of profiles without values, separated by ';': str")
    bridge_controller = Param("sip:controller@kamailio.org", "From URI of calls that bridge: str")
    bridge_contact = Param("sip:controller@kamailio.org:5060", "Contact URI of calls that bridge: str")
    initial_cbs_inscript = Param(1, "no effect: no module registers for the making of a dialog: int")
    send_bye = Param(0, "1: a dialog whose lifetime ends gets BYEs: int")
    dlg_filter_mode = Param(0, "1: no keepalives and no timeout for dialogs of sockets we do not have: int")
    wait_ack = Param(1, "only its default: a failed dialog stays until its transaction goes: int")
    ka_timer = Param(0, "seconds between looks for keepalives that are due, 0 for none: int")
    ka_interval = Param(0, "seconds between keepalives of a dialog, from 30: int")
    ka_failed_limit = Param(1, "keepalives that must fail to end a dialog: int")
    timeout_noreset = Param(0, "1: requests within do not begin the lifetime anew: int")
    timer_procs = Param(0, "no effect: the loop runs the timers: int")
    enable_dmq = Param(0, "only its default: dialogs are not shared: int")
    track_cseq_updates = Param(0, "only its default: CSeqs are not changed on the way: int")
    lreq_callee_headers = Param("", "header fields of requests we send to the callee: str")
    event_callback = Param("", "callback that gets dialog:start, dialog:end, dialog:failed, dialog:timeout: str")
    h_id_start = Param(0, "added to hash ids; -1 for the server_id: int")
    h_id_step = Param(1, "distance of hash ids: int")
    keep_proxy_rr = Param(0, "our own Record-Route stays in the Routes of the 1 callee, 2 caller, 3 both: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.table = Table(4096)
        self.lifetimes = Lifetimes(self)
        self._hooks = None
        self._timeout: Getter | None = None

    def start(self) -> None:
        size = self.hash_size
        if size < 1 or size & (size - 1):
            raise ParamError(f"modparam dialog:hash_size expects a power of 2, got {size}")
        for name, only in (("wait_ack", 1), ("enable_dmq", 0), ("track_cseq_updates", 0)):
            if getattr(self, name) != only:
                raise ParamError(f"modparam dialog:{name} can only be {only} here, got {getattr(self, name)}")
        for name, most in (("dlg_match_mode", 2), ("keep_proxy_rr", 3), ("dlg_filter_mode", 1)):
            if not 0 <= getattr(self, name) <= most:
                raise ParamError(f"modparam dialog:{name} expects 0 to {most}, got {getattr(self, name)}")
        if self.dlg_flag > 31:
            raise ParamError(f"modparam dialog:dlg_flag expects a message flag, 0 to 31 or -1, got {self.dlg_flag}")
        if self.default_timeout < 1:
            raise ParamError(f"modparam dialog:default_timeout expects seconds from 1, got {self.default_timeout}")
        if not self.rr_param:
            raise ParamError("modparam dialog:rr_param expects a name")
        if self.ka_timer and self.ka_interval < 30:
            raise ParamError(f"modparam dialog:ka_interval expects seconds from 30, got {self.ka_interval}")
        if self.h_id_step < 1:
            raise ParamError(f"modparam dialog:h_id_step expects a number from 1, got {self.h_id_step}")
        if self.timeout_avp:
            try:
                self._timeout = compile_spec(self.timeout_avp).get
            except PvError as error:
                raise ParamError(f"modparam dialog:timeout_avp expects an AVP such as $avp(timeout): {error}") from None
        start = self.h_id_start
        if start < 0:
            start = self.proxy.modules[""].server_id  # type: ignore[attr-defined]
        # Ids of an earlier life may still be in Routes.
        self.table = Table(size, start, self.h_id_step, self.proxy.random.randrange(1, 12000))
        for names, valued in ((self.profiles_with_value, True), (self.profiles_no_value, False)):
            for name in filter(None, (part.strip() for part in names.split(";"))):
                if name in self.table.profiles:
                    raise ParamError(f"modparam dialog: there are two profiles of the name {name!r}")
                self.table.profiles[name] = Profile(name, valued)
        if self.enable_stats:
            for name in ("active", "early", "expired", "failed", "processed"):
                self.proxy.counters[f"dialog:{name}_dialogs"] += 0
        if self.dlg_flag >= 0:
            self._activate()
        self._open()
        self.proxy.after(90.0, self.clean, every=90.0)
        if self.ka_timer > 0:
            self.proxy.after(self.ka_timer, self.keep_alive, every=self.ka_timer)

    def stop(self) -> None:
        if self._db is not None:
            self.save_all()
            if self._db is not self.proxy.db:
                self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.table = self.table.copy()
        new.lifetimes = Lifetimes(new)
        new._hooks = None
        if self._db is not None:
            new._db = proxy.db if self._db is self.proxy.db else self._db.fork()
        if self._hooks is not None:
            new._activate()
        return new

    # -- dialogs ------------------------------------------------------------------------------------------------------

    @export
    def dlg_manage(self, run: Run) -> int:
        """Make a dialog for an initial INVITE, or go on with that of a request within one. 1.

        -1 for another request without To tag, and an INVITE without Contact or From tag or whose dialog is made.
        """
        msg = run.msg
        if not msg.is_request:
            return -1
        if msg.to_tag:
            self.within(run, None, True)
            return 1
        if msg.method != "INVITE" or self.table.get(context(msg).key) is not None:
            return -1
        t = run.t
        return 1 if self.make(run, t if t is not None and t.engine is not None else None) is not None else -1

    @export
    def is_known_dlg(self, run: Run) -> int:
        """1 when the message belongs to a dialog, else -1."""
        return 1 if self.of(run) is not None else -1

    @export
    def dlg_get(self, run: Run, callid: str, ftag: str, ttag: str) -> int:
        """Take the dialog of that Call-ID and tags for the message's: 1, -1 when there is none."""
        if not callid or not ftag or not ttag:
            return -1
        found = self.table.find(callid, ftag, ttag)
        if found is None:
            return -1
        own = context(run.msg)
        own.key, own.dir = found[0].key, found[1]
        return 1

    @export
    def dlg_bye(self, run: Run, side: str) -> int:
        """End the call with a BYE to "caller", "callee", or both: 1, -1 when it is not up.

        After ``loose_route()``, ``dlg_manage()`` or ``dlg_get()`` only, and on replies to the INVITE.
        """
        dialog = self.current(run)
        if dialog is None:
            return -1
        return 1 if self.end(dialog, side, "", run.record) else -1

    @export
    def dlg_bridge(self, run: Run, from_: str, to: str, op: str) -> int:
        """Call ``from_`` (by way of ``op``, '' for none) and refer it to ``to`` once it answers: 1, -1 on failure."""
        if not from_ or not to:
            return -1
        return 1 if self.bridge(from_, to, op, BRIDGE_BODY, run.record) else -1

    @export
    def dlg_set_timeout(self, run: Run, timeout: int) -> int:
        """Give the call that many seconds from now: 1, -1 without a dialog."""
        dialog = self.of(run)
        return 1 if dialog is not None and self.set_timeout(dialog, timeout) else -1

    @export
    def dlg_set_timeout_id(self, run: Run, timeout: int, h_entry: int, h_id: int) -> int:
        """The same for the dialog of that hash entry and id."""
        dialog = self.table.get((h_entry, h_id))
        return 1 if dialog is not None and self.set_timeout(dialog, timeout) else -1

    @export
    def dlg_set_property(self, run: Run, attr: str) -> int:
        """Switch on "ka-src", "ka-dst" (keepalives to caller, callee) or "timeout-noreset": 1, else -1."""
        return self._property(run, attr, True)

    @export
    def dlg_reset_property(self, run: Run, attr: str) -> int:
        """Switch one of them off."""
        return self._property(run, attr, False)

    def _property(self, run: Run, attr: str, on: bool) -> int:
        bit = _PROPERTIES.get(attr)
        if bit is None:
            log.error("dialog: expected one of %s, got %r", ", ".join(_PROPERTIES), attr)
            return -1
        holder = self.current(run) or context(run.msg)
        holder.iflags = holder.iflags | bit if on else holder.iflags & ~bit
        return 1

    # -- flags --------------------------------------------------------------------------------------------------------

    @export
    def dlg_setflag(self, run: Run, flag: int) -> int:
        """Set a flag (0 to 31) of the dialog, or of the one that is to be made: 1, -1 for another number.

        On requests within, after ``loose_route()`` or ``dlg_manage()``.
        """
        if not 0 <= flag <= 31:
            return -1
        holder = self.current(run) or context(run.msg)
        holder.sflags |= 1 << flag
        return 1

    @export
    def dlg_resetflag(self, run: Run, flag: int) -> int:
        """Take a flag back: 1, -1 for a number that is none."""
        if not 0 <= flag <= 31:
            return -1
        holder = self.current(run) or context(run.msg)
        holder.sflags &= ~(1 << flag)
        return 1

    @export
    def dlg_isflagset(self, run: Run, flag: int) -> int:
        """1 when a flag is set, else -1."""
        if not 0 <= flag <= 31:
            return -1
        holder = self.current(run) or context(run.msg)
        return 1 if holder.sflags & 1 << flag else -1

    # -- variables ----------------------------------------------------------------------------------------------------

    @export
    def var_sets(self, run: Run, key: str, val: str) -> int:
        """Set a dialog variable: 1. Without a dialog nothing is set."""
        self.set_variable(run, key, val, False)
        return 1

    @export
    def var_get(self, run: Run, key: str) -> Value:
        """The value of a dialog variable, None without one."""
        dialog = self.of(run)
        return dialog.variables.get(key) if dialog is not None else None

    @export
    def var_gete(self, run: Run, key: str) -> Value:
        """The value of a dialog variable, '' without one."""
        value = self.var_get(run, key)
        return "" if value is None else value

    @export
    def var_getw(self, run: Run, key: str) -> Value:
        """The value of a dialog variable, '<null>' without one."""
        value = self.var_get(run, key)
        return "<null>" if value is None else value

    @export
    def var_rm(self, run: Run, key: str) -> int:
        """Remove a dialog variable: 1, also when there is none."""
        self.set_variable(run, key, None, False)
        return 1

    @export
    def var_is_null(self, run: Run, key: str) -> int:
        """As Kamailio 5.6: 1 when the variable is set, or there is no dialog; -1 when the dialog has none."""
        dialog = self.of(run)
        return 1 if dialog is None or key in dialog.variables else -1

    # -- profiles -----------------------------------------------------------------------------------------------------

    def _profile(self, name: str, value: str | None) -> Profile | None:
        """The profile of that name. None (logged): there is none, or it wants a value that is not given."""
        profile = self.table.profiles.get(name)
        if profile is None:
            log.error("dialog: there is no profile %r: name it in profiles_with_value or profiles_no_value", name)
        elif profile.valued and not value:
            log.error("dialog: the profile %r has values", name)
            return None
        return profile

    def _join(self, run: Run, name: str, value: str | None) -> int:
        profile = self._profile(name, value)
        if profile is None:
            return -1
        text = (value or "") if profile.valued else ""
        dialog = self.of(run)
        if dialog is not None:
            self.join(dialog, name, text)
        else:
            context(run.msg).profiles.append((name, text))
        return 1

    def _leave(self, run: Run, name: str, value: str | None) -> int:
        if not run.route & _LEAVE:
            return -1
        profile = self._profile(name, value)
        dialog = self.of(run)
        if profile is None or dialog is None:
            return -1
        return 1 if self.table.leave(dialog, profile, (value or "") if profile.valued else "") else -1

    def _is_in(self, run: Run, name: str, value: str | None) -> int:
        profile = self._profile(name, value)
        dialog = self.of(run)
        if profile is None or dialog is None:
            return -1
        return 1 if (name, (value or "") if profile.valued else "") in dialog.profiles else -1

    def _size(self, run: Run, name: str, value: str | None, pv: str) -> int:
        profile = self._profile(name, value)
        if profile is None:
            return -1
        return put_result("get_profile_size", run, pv, profile.size(value if profile.valued else None))

    @export
    def set_dlg_profile(self, run: Run, profile: str, value: str) -> int:
        """Put the dialog, or the one to be made, into a profile with a value: 1, -1 without the profile."""
        return self._join(run, profile, value)

    @export
    def set_dlg_profile_static(self, run: Run, profile: str) -> int:
        """Put the dialog into a profile without values."""
        return self._join(run, profile, None)

    @export
    def unset_dlg_profile(self, run: Run, profile: str, value: str) -> int:
        """Take the dialog out of a profile: 1; -1 when it is not in it, and (as Kamailio) in request routes."""
        return self._leave(run, profile, value)

    @export
    def unset_dlg_profile_static(self, run: Run, profile: str) -> int:
        """Take the dialog out of a profile without values."""
        return self._leave(run, profile, None)

    @export
    def is_in_profile(self, run: Run, profile: str, value: str) -> int:
        """1 when the dialog is in that profile with that value, else -1."""
        return self._is_in(run, profile, value)

    @export
    def is_in_profile_static(self, run: Run, profile: str) -> int:
        """1 when the dialog is in that profile, which has no values, else -1."""
        return self._is_in(run, profile, None)

    @export
    def get_profile_size(self, run: Run, profile: str, value: str, spv: str) -> int:
        """Put the number of dialogs in a profile with a value into the variable ``spv``: 1, -1 when it cannot be."""
        return self._size(run, profile, value, spv)

    @export
    def get_profile_size_static(self, run: Run, profile: str, spv: str) -> int:
        """The same for a profile without values."""
        return self._size(run, profile, None, spv)

    # -- database -----------------------------------------------------------------------------------------------------

    @export
    def dlg_db_load_callid(self, run: Run, callid: str) -> int:
        """Take over the dialogs of that Call-ID from the database: 1, -1 when there is none or no database."""
        return self._load_now(callid)

    @export
    def dlg_db_load_extra(self, run: Run) -> int:
        """Take over the dialogs of the database that are not here: 1, -1 without a database."""
        return self._load_now(None)

    def _load_now(self, callid: str | None) -> int:
        if self._db is None:
            return -1
        try:
            count = self.load(callid)
        except StoreError as error:
            log.error("dialog: %s", error)
            return -1
        return 1 if count or callid is None else -1
