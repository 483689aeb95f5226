"""Functions of the dialog module that Kamailio has added since 5.6: other dialogs, and parties that move."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..sip.errors import SipError
from .declare import Value, export
from .dialog_cell import CHANGED_VARS, DOWNSTREAM, Dialog
from .dialog_requests import DialogRequests

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["DialogOthers"]

log = logging.getLogger("ksrcore.dialog")


class DialogOthers(DialogRequests):
    """A part of the dialog module."""

    # -- variables of others ------------------------------------------------------------------------------------------

    def _other(self, callid: str, ftag: str, ttag: str) -> Dialog | None:
        found = self.table.find(callid, ftag, ttag) if callid and ftag else None
        return found[0] if found is not None else None

    @export
    def dlg_get_var(self, run: Run, callid: str, ftag: str, ttag: str, name: str) -> Value:
        """$dlg_var(name) of the dialog with that Call-ID and tags, None without (Kamailio 5.7 and later).

        ``ttag`` is '' for a dialog whose callee has not answered yet.
        """
        dialog = self._other(callid, ftag, ttag)
        return dialog.variables.get(name) if dialog is not None else None

    @export
    def dlg_set_var(self, run: Run, callid: str, ftag: str, ttag: str, name: str, value: str) -> int:
        """Set $dlg_var(name) of the dialog with that Call-ID and tags: 1, -1 without it.

        Kamailio 5.7 and later.
        """
        dialog = self._other(callid, ftag, ttag)
        if dialog is None or not name:
            return -1
        dialog.set_variable(name, value)
        dialog.dflags |= CHANGED_VARS
        if dialog.stored:
            self.changed(dialog)
        return 1

    # -- REFER --------------------------------------------------------------------------------------------------------

    def _refer(self, run: Run, dialog: Dialog | None, side: str, address: str) -> int:
        if dialog is None or not address:
            return -1
        if side not in ("caller", "callee"):
            log.error("dialog: REFER goes to caller or callee, got %r", side)
            return -1
        return 1 if self.refer(dialog, side, address, run.record) else -1

    @export
    def dlg_refer_did(self, run: Run, h_entry: int, h_id: int, side: str, address: str) -> int:
        """Refer a side of the dialog of that hash entry and id to an address: 1, -1 (Kamailio 6.1 and later)."""
        return self._refer(run, self.table.get((h_entry, h_id)), side, address)

    @export
    def dlg_refer_cid(self, run: Run, callid: str, side: str, address: str) -> int:
        """Refer "caller" or "callee" of the dialog of a Call-ID to an address: 1, -1 (Kamailio 6.1 and later)."""
        found = next((dialog for dialog in self.table.ordered() if dialog.callid == callid), None)
        return self._refer(run, found, side, address)

    # -- parties that move --------------------------------------------------------------------------------------------

    @export
    def dlg_update_contact(self, run: Run) -> int:
        """The side that sent the message has its Contact now: 1, -1 without a dialog or one Contact.

        Kamailio 6.2 and later.
        """
        leg = self._sender(run)
        try:
            contacts = run.msg.nameaddrs("contact")
        except SipError as error:
            log.error("dialog: the Contact cannot be read: %s", error)
            return -1
        if leg is None or len(contacts) != 1 or not contacts[0].uri:
            return -1
        dialog, to_callee = leg
        (dialog.caller if to_callee else dialog.callee).contact = contacts[0].uri
        if dialog.stored:
            self.changed(dialog)
        return 1

    @export
    def dlg_update_socket(self, run: Run) -> int:
        """The side that sent the message is reached from the socket it came by: 1, -1 without a dialog.

        Kamailio 6.2 and later.
        """
        leg = self._sender(run)
        if leg is None or run.msg.rcv is None:
            return -1
        dialog, to_callee = leg
        (dialog.caller if to_callee else dialog.callee).listen = run.msg.rcv.listen
        if dialog.stored:
            self.changed(dialog)
        return 1

    def _sender(self, run: Run) -> tuple[Dialog, bool] | None:
        """The message's dialog, and whether its caller sent the message."""
        dialog = self.of(run)
        if dialog is None:
            return None
        try:
            from_ = run.msg.from_
        except SipError:
            return None
        direction = dialog.direction(from_.tag if from_ is not None else "", run.msg.to_tag)
        if not direction:
            return None
        # A reply has the tags of its request, which went the other way.
        return dialog, (direction == DOWNSTREAM) == run.msg.is_request
