"""How dialogs end that no request ends: by our own BYE, by time, by being forgotten."""

from __future__ import annotations

import logging

from .dialog_calls import DialogCalls
from .dialog_cell import CHANGED, CONFIRMED, CONFIRMED_NA, DELETED, EARLY, EXPIRED, HAS_BYE, TIMEOUT_BYE, Dialog, Key
from .dialog_events import ENDED

__all__ = ["DialogEnds"]

log = logging.getLogger("ksrcore.dialog")


class DialogEnds(DialogCalls):
    """A part of the dialog module."""

    def ended(self, key: Key) -> None:
        """The first answer to our BYE has come."""
        dialog = self.table.get(key)
        if dialog is None or dialog.state == DELETED:
            return
        dialog.state = DELETED
        dialog.dflags |= HAS_BYE
        dialog.end_ts = int(self.proxy.wall())
        self.count("active_dialogs", -1)
        self.remove(dialog)

    def expired(self, dialog: Dialog) -> None:
        """Its lifetime is over."""
        if dialog.state not in (CONFIRMED, CONFIRMED_NA) or self.table.get(dialog.key) is not dialog:
            return
        self.lifetimes.stop(dialog)
        if dialog.toroute:
            self.tell("dialog:timeout", dialog)
        self.count("expired_dialogs", 1)
        dialog.dflags |= EXPIRED
        if dialog.iflags & TIMEOUT_BYE:
            self.end(dialog, "all", "", None)
            return
        dialog.state = DELETED
        dialog.end_ts = int(self.proxy.wall())
        self.count("active_dialogs", -1)
        self.happened(ENDED, dialog)
        self.tell("dialog:end", dialog)
        self.remove(dialog)

    def set_timeout(self, dialog: Dialog, seconds: int) -> bool:
        """Give it another lifetime, from now when it runs already. False: it is over."""
        if dialog.state == DELETED:
            return False
        dialog.lifetime = seconds
        dialog.dflags |= CHANGED
        if dialog.state >= CONFIRMED_NA:
            self.lifetimes.set(dialog, self.proxy.now + max(seconds, 0))
        return True

    def clean(self) -> None:
        """Every 90 seconds: what nobody ended goes, and who waits for an ACK too long times out soon."""
        now = int(self.proxy.wall())
        for dialog in self.table.ordered():
            if dialog.state < CONFIRMED_NA and dialog.init_ts < now - self.early_timeout:
                log.warning("dialog: %s is in its early state too long and goes", dialog)
                if dialog.state == EARLY:
                    self.count("early_dialogs", -1)
                self.remove(dialog)
            elif dialog.state == CONFIRMED_NA and dialog.start_ts < now - self.noack_timeout:
                if dialog.lifetime != 10:
                    self.set_timeout(dialog, 10)
            elif dialog.state == DELETED and dialog.end_ts < now - self.end_timeout:
                self.remove(dialog)
