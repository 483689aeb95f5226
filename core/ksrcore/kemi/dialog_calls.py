"""The life of a dialog: made by an initial INVITE, moved by replies and requests, ended by BYE, failure or time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ..pv.errors import PvError
from ..pv.registry import Getter
from ..run import Run
from ..sip.errors import SipError
from ..tm.hooks import DESTROYED, REPLY_IN, REPLY_OUT, REQUEST_IN, Hooks
from .dialog_cell import (
    CHANGED,
    CHANGED_VARS,
    CONFIRMED,
    CONFIRMED_NA,
    DELETED,
    EARLY,
    EXPIRED,
    HAS_BYE,
    IN_TM,
    NEW,
    PRACK,
    TIMEOUT_BYE,
    TIMEOUT_NORESET,
    UNCONFIRMED,
    Dialog,
    Key,
    Table,
    parse_did,
)
from .dialog_context import NAME, Context, Lifetimes, context
from .dialog_events import CONFIRMED_NOW, ENDED, FAILED, MADE, DialogEvents

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..sip.message import SipMessage
    from ..tm.transaction import Transaction

__all__ = ["DID_FALLBACK", "DID_NONE", "DID_ONLY", "DialogCalls"]

log = logging.getLogger("ksrcore.dialog")

#: Values of dlg_match_mode.
DID_ONLY: Final = 0
DID_FALLBACK: Final = 1
DID_NONE: Final = 2

#: The name that Kamailio 5.6 gives its event callback when a call rings, and when its ACK comes.
UNKNOWN_EVENT: Final = "unknown"


class DialogCalls(DialogEvents):
    """A part of the dialog module."""

    table: Table
    lifetimes: Lifetimes
    _hooks: Hooks | None
    _timeout: Getter | None
    rr_param: Any
    dlg_flag: Any
    default_timeout: Any
    dlg_match_mode: Any
    detect_spirals: Any
    send_bye: Any
    timeout_noreset: Any
    keep_proxy_rr: Any
    ka_interval: Any
    enable_stats: Any
    early_timeout: Any
    noack_timeout: Any
    end_timeout: Any

    # What the other parts bring.

    def end(self, dialog: Dialog, side: str, headers: str, record: Record | None) -> bool:
        raise NotImplementedError

    def expired(self, dialog: Dialog) -> None:
        raise NotImplementedError

    def changed(self, dialog: Dialog) -> None:
        raise NotImplementedError

    def forgotten(self, dialog: Dialog) -> None:
        raise NotImplementedError

    # -- registration -------------------------------------------------------------------------------------------------

    def _activate(self) -> None:
        """Listen to transactions and routes, once there may be a dialog: a proxy without pays nothing."""
        if self._hooks is not None:
            return
        proxy = self.proxy
        self._hooks = proxy.modules.tm.engine.hooks
        self._hooks.add(REQUEST_IN, self._transaction_made)
        proxy.modules.rr.callbacks.append(self._on_route)
        proxy.request_done.append(self._request_done)
        proxy.timer_sources.append(self.lifetimes)

    def count(self, name: str, by: int) -> None:
        if self.enable_stats:
            self.proxy.counters[f"dialog:{name}"] += by

    # -- finding ------------------------------------------------------------------------------------------------------

    def of(self, run: Run) -> Dialog | None:
        """The dialog of the run's message: the one it was given, else that of its Call-ID and tags."""
        msg = run.msg
        known = msg.extra.get(NAME)
        if isinstance(known, Context) and known.key is not None:
            dialog = self.table.get(known.key)
            if dialog is not None:
                return dialog
        if not self.table.dialogs:
            return None
        try:
            from_ = msg.from_
        except SipError:
            return None
        found = self.table.find(msg.callid, from_.tag if from_ is not None else "", msg.to_tag)
        return found[0] if found is not None else None

    def current(self, run: Run) -> Dialog | None:
        """The dialog that the run's message was given: by making it, by its Route, by ``dlg_get()``."""
        known = run.msg.extra.get(NAME)
        return self.table.get(known.key) if isinstance(known, Context) else None

    # -- making -------------------------------------------------------------------------------------------------------

    def make(self, run: Run, t: Transaction | None) -> Dialog | None:
        """A dialog for an initial INVITE, or the one that the INVITE comes back to (a spiral). None: it cannot be."""
        msg = run.msg
        own = context(msg)
        table = self.table
        try:
            from_, to, cseq = msg.from_, msg.to, msg.cseq
            contact = next((value.uri for value in msg.nameaddrs("contact")), "")
            routes = [value.text for value in msg.nameaddrs("record-route")]
            via = msg.via
        except SipError as error:
            log.error("dialog: %s", error)
            return None
        if from_ is None or to is None or cseq is None or not from_.tag or not msg.callid or not contact:
            log.error("dialog: the INVITE has no Call-ID, From tag or Contact; there is no dialog for it")
            return None
        branch = via.branch if via is not None else ""
        number = self._made_before(msg.callid, branch) if self.proxy.sandbox else 0
        found = table.find(msg.callid, from_.tag, "") if self.detect_spirals else None
        if found is not None and found[0].state != DELETED:
            own.key = found[0].key
            return found[0]
        self._activate()
        dialog = Dialog(table.entry_of(msg.callid), number or table.next_id(), msg.callid)
        dialog.from_uri, dialog.to_uri, dialog.req_uri = from_.uri, to.uri, msg.new_uri or msg.ruri
        dialog.branch = branch
        dialog.init_ts = int(self.proxy.wall())
        caller = dialog.caller
        caller.known = True
        caller.tag, caller.contact, caller.cseq = from_.tag, contact, cseq.number_text
        caller.routes = ",".join(routes)
        caller.listen = msg.rcv.listen.base if msg.rcv is not None else None
        dialog.lifetime = self._wanted_timeout(run) or self.default_timeout
        dialog.sflags = own.sflags
        dialog.iflags = own.iflags | (TIMEOUT_BYE if self.send_bye or own.timeout_bye else 0)
        dialog.toroute = own.timeout_route
        table.add(dialog)
        self.count("processed_dialogs", 1)
        own.key = dialog.key
        for name, value in own.profiles:
            self.join(dialog, name, value)
        for key, text in own.variables.items():
            dialog.set_variable(key, text)
        if self.dlg_match_mode != DID_NONE:
            self.proxy.modules.rr.add_rr_param(run, f";{self.rr_param}={dialog.did}")
        if t is not None:
            self._carry(t, dialog)
        else:
            own.fresh = True
        self.happened(MADE, dialog, msg, t, run)
        return dialog

    def _made_before(self, callid: str, branch: str) -> int:
        """In a sandbox the message that made a dialog is routed again: it makes the same one. Its id, 0 for none."""
        for key in self.table.entries.get(self.table.entry_of(callid), ()):
            dialog = self.table.dialogs[key]
            if dialog.callid == callid and dialog.branch == branch:
                self.table.remove(dialog)
                return dialog.h_id
        return 0

    def join(self, dialog: Dialog, name: str, value: str) -> None:
        self.table.join(dialog, self.table.profiles[name], value)
        dialog.dflags |= EXPIRED

    def _wanted_timeout(self, run: Run) -> int:
        """The number in ``timeout_avp``, 0 for none."""
        if self._timeout is None:
            return 0
        try:
            value = self._timeout(run)
        except PvError:
            return 0
        return value if isinstance(value, int) and value > 0 else 0

    def _carry(self, t: Transaction, dialog: Dialog) -> None:
        """The INVITE's transaction tells the dialog what becomes of it."""
        if self._hooks is None:
            return
        self._hooks.arm(t, REPLY_IN | REPLY_OUT | DESTROYED, self._invite_event)
        if t.extra is not None:
            t.extra[NAME] = dialog.key
        dialog.dflags |= IN_TM

    def _transaction_made(
        self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int
    ) -> None:
        if run is None:
            return
        own = run.msg.extra.get(NAME)
        if not isinstance(own, Context):
            own = None
        if own is None or own.key is None:
            if self.dlg_flag >= 0 and t.is_invite and run.msg.flags & 1 << self.dlg_flag and not run.msg.to_tag:
                self.make(run, t)
            return
        dialog = self.table.get(own.key)
        if dialog is None:
            return
        if own.fresh:
            own.fresh = False
            self._carry(t, dialog)
        elif own.routed == 2:
            self._last_request(t, dialog)

    def _last_request(self, t: Transaction, dialog: Dialog) -> None:
        """The dialog goes with the transaction of the BYE that ended it."""
        if self._hooks is not None:
            self._hooks.arm(t, DESTROYED, self._bye_destroyed)
            if t.extra is not None:
                t.extra[NAME] = dialog.key

    def _request_done(self, run: Run) -> None:
        """The script has ended: a dialog that no transaction carries is forgotten."""
        own = run.msg.extra.get(NAME)
        if isinstance(own, Context) and own.fresh:
            own.fresh = False
            dialog = self.table.get(own.key)
            if dialog is not None and dialog.state == UNCONFIRMED:
                self.remove(dialog)

    def remove(self, dialog: Dialog) -> None:
        """Forget it."""
        self.lifetimes.stop(dialog)
        self.table.remove(dialog)
        if dialog.stored:
            self.forgotten(dialog)

    # -- the INVITE's transaction -------------------------------------------------------------------------------------

    def _invite_event(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        dialog = self.table.get(t.extra.get(NAME)) if t.extra is not None else None
        if dialog is None:
            return
        if event == REPLY_IN:
            if reply is not None:
                context(reply).key = dialog.key
            return
        if event == DESTROYED:
            dialog.dflags &= ~IN_TM
            if dialog.state < CONFIRMED_NA:
                if dialog.state == EARLY:
                    self.count("early_dialogs", -1)
                dialog.state = DELETED
                self.remove(dialog)
            elif dialog.state == DELETED and not dialog.dflags & HAS_BYE:
                self.remove(dialog)
            return
        old = dialog.state
        if old >= CONFIRMED_NA or code <= 100:
            return
        if code < 200:
            dialog.state = EARLY
            if old != EARLY:
                self.count("early_dialogs", 1)
                self.tell(UNKNOWN_EVENT, dialog, reply, t)
            return
        if old == EARLY:
            self.count("early_dialogs", -1)
        if code >= 300:
            dialog.state = DELETED
            dialog.end_ts = int(self.proxy.wall())
            self.count("failed_dialogs", 1)
            self.tell("dialog:failed", dialog, reply, t)
            self.happened(FAILED, dialog, reply or t.msg, t)
            self._cleared(dialog)
            return
        self._answered(dialog, t, reply)

    def _answered(self, dialog: Dialog, t: Transaction, reply: SipMessage | None) -> None:
        proxy = self.proxy
        if reply is not None:
            self._callee(dialog, t, reply)
        dialog.state = CONFIRMED_NA
        dialog.start_ts = int(proxy.wall())
        dialog.dflags |= NEW
        dialog.ka_next = proxy.now + self.ka_interval
        self.lifetimes.set(dialog, proxy.now + dialog.lifetime)
        self.count("active_dialogs", 1)
        self.tell("dialog:start", dialog, reply, t)
        self.changed(dialog)

    def _callee(self, dialog: Dialog, t: Transaction, reply: SipMessage) -> None:
        """What the answer says of the callee."""
        callee = dialog.callee
        callee.known = True
        callee.tag = reply.to_tag
        callee.cseq = "0"
        try:
            callee.contact = next((value.uri for value in reply.nameaddrs("contact")), "")
            routes = [value.text for value in reply.nameaddrs("record-route")]
        except SipError as error:
            log.error("dialog: %s", error)
            routes = []
        # The last ones are ours and those of who sent us the INVITE.
        ours = before = 0
        if routes and 0 <= t.relayed < len(t.branches):
            ours = _count_routes(t.branches[t.relayed].text)
            try:
                before = len(t.msg.nameaddrs("record-route"))
            except SipError:
                before = 0
        keep = before if self.keep_proxy_rr & 1 else ours
        dialog.skip_routes = ours
        callee.routes = ",".join(reversed(routes[: len(routes) - keep] if keep else routes))
        if self.keep_proxy_rr & 2 and ours > before:
            own = routes[len(routes) - ours : len(routes) - before]
            dialog.caller.routes = ",".join(filter(None, (*own, dialog.caller.routes)))
        callee.listen = reply.rcv.listen.base if reply.rcv is not None else None

    def _bye_destroyed(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        dialog = self.table.get(t.extra.get(NAME)) if t.extra is not None else None
        if dialog is not None and dialog.state == DELETED:
            self.remove(dialog)

    # -- requests within ----------------------------------------------------------------------------------------------

    def _on_route(self, run: Run, params: str) -> None:
        """Our Route was taken from a request."""
        if not self.table.dialogs:
            return
        key: Key | None = None
        if self.dlg_match_mode != DID_NONE:
            name = f"{self.rr_param}="
            for part in params.split(";"):
                if part.startswith(name):
                    key = parse_did(part[len(name) :])
                    if key is None:
                        log.warning("dialog: %s is no %s of ours", part, self.rr_param)
                        return
                    break
            else:
                if self.dlg_match_mode == DID_ONLY:
                    return
        self.within(run, key, self.dlg_match_mode != DID_ONLY)

    def within(self, run: Run, key: Key | None, by_tags: bool) -> None:
        """A request within a dialog: find that, by its key or its tags, and go on with it."""
        msg = run.msg
        own = context(msg)
        if own.routed or not msg.is_request or msg.method == "CANCEL" or not msg.to_tag:
            return
        try:
            from_, cseq = msg.from_, msg.cseq
        except SipError:
            return
        if from_ is None or cseq is None:
            return
        found: tuple[Dialog, int] | None = None
        if key is not None:
            dialog = self.table.get(key)
            if dialog is not None and dialog.callid == msg.callid:
                direction = dialog.direction(from_.tag, msg.to_tag)
                if direction:
                    found = dialog, direction
        if found is None and by_tags:
            found = self.table.find(msg.callid, from_.tag, msg.to_tag)
        if found is None:
            return
        dialog, direction = found
        own.key = dialog.key
        own.routed = 1
        if self.dlg_match_mode != DID_NONE:
            self.proxy.modules.rr.add_rr_param(run, f";{self.rr_param}={dialog.did}")
        if msg.method == "BYE":
            self._bye(run, dialog, own)
        elif msg.method == "PRACK" and dialog.state < CONFIRMED_NA:
            if dialog.state != EARLY:
                self.count("early_dialogs", 1)
            dialog.state = EARLY
            dialog.iflags |= PRACK
            self._advance(dialog, direction, cseq.number_text)
        elif dialog.state == CONFIRMED or dialog.state == CONFIRMED_NA and msg.method == "ACK":
            self._went_on(run, dialog, direction, cseq.number_text)

    @staticmethod
    def _advance(dialog: Dialog, direction: int, number: str) -> None:
        (dialog.caller if direction == 1 else dialog.callee).cseq = number
        dialog.dflags |= CHANGED

    def _went_on(self, run: Run, dialog: Dialog, direction: int, number: str) -> None:
        old = dialog.state
        dialog.state = CONFIRMED
        dialog.lifetime = self._wanted_timeout(run) or dialog.lifetime
        if old != CONFIRMED or not (dialog.iflags & TIMEOUT_NORESET or self.timeout_noreset):
            self.lifetimes.set(dialog, self.proxy.now + dialog.lifetime)
        self._advance(dialog, direction, number)
        msg = run.msg
        if msg.method == "INVITE":
            try:
                contact = next((value.uri for value in msg.nameaddrs("contact")), "")
            except SipError:
                contact = ""
            if contact:
                (dialog.caller if direction == 1 else dialog.callee).contact = contact
        if old != CONFIRMED:
            self.tell(UNKNOWN_EVENT, dialog, msg, run.t, run)
            self.happened(CONFIRMED_NOW, dialog, msg, run.t, run)
        self.changed(dialog)

    def _bye(self, run: Run, dialog: Dialog, own: Context) -> None:
        if dialog.state not in (CONFIRMED, CONFIRMED_NA):
            return
        own.routed = 2
        dialog.state = DELETED
        dialog.dflags |= HAS_BYE
        dialog.end_ts = int(self.proxy.wall())
        self.lifetimes.stop(dialog)
        self.count("active_dialogs", -1)
        self.tell("dialog:end", dialog, run.msg, run.t, run)
        self.happened(ENDED, dialog, run.msg, run.t, run)
        self._cleared(dialog)
        if run.t is not None:
            self._last_request(run.t, dialog)

    def _cleared(self, dialog: Dialog) -> None:
        """It is over, though it stays for late messages: nothing counts it any more."""
        self.table.leave_profiles(dialog)

    # -- variables ----------------------------------------------------------------------------------------------------

    def set_variable(self, run: Run, key: str, value: str | None, mark: bool) -> None:
        """Set or (None) remove a variable of the message's dialog. ``mark``: as $dlg_var() does it, which also sets one
        of the dialog that is to be made."""
        dialog = self.of(run)
        if dialog is None:
            if mark:
                pending = context(run.msg).variables
                if value is None:
                    pending.pop(key, None)
                else:
                    pending[key] = value
            return
        dialog.set_variable(key, value)
        if mark:
            dialog.dflags |= CHANGED_VARS
        if dialog.stored:
            self.changed(dialog)


def _count_routes(text: str) -> int:
    """How many Record-Route values a request that was sent has."""
    from ..sip.message import SipMessage

    try:
        return len(SipMessage(text).nameaddrs("record-route"))
    except SipError:
        return 0
