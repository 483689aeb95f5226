"""What the script is told of its dialogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..run import EVENT_ROUTE, Run
from .declare import Module
from .dialog_cell import Dialog
from .dialog_context import context

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..proxy import Proxy
    from ..sip.message import SipMessage
    from ..tm.transaction import Transaction

__all__ = ["CONFIRMED_NOW", "ENDED", "FAILED", "MADE", "DialogEvents"]

#: What a record of a call hangs on: a dialog was made; was confirmed (by the ACK); never came to be; is over.
MADE: Final = 1
CONFIRMED_NOW: Final = 2
FAILED: Final = 3
ENDED: Final = 4


class DialogEvents(Module):
    """A part of the dialog module."""

    event_callback: Any

    def happened(
        self,
        event: int,
        dialog: Dialog,
        msg: SipMessage | None = None,
        t: Transaction | None = None,
        run: Run | None = None,
    ) -> None:
        """Tell the module that records calls; without a message: time did it, or we did."""
        acc = self.proxy.modules.acc
        if acc.records is not None:
            acc.records.happened(event, dialog, msg, t, run)

    def tell(
        self,
        name: str,
        dialog: Dialog,
        msg: SipMessage | None = None,
        t: Transaction | None = None,
        run: Run | None = None,
    ) -> None:
        """Run the script's callback for an event of the dialog, on the message that brought it or a made-up one."""
        callback = self.event_callback
        proxy = self.proxy
        script = proxy.script
        if not callback or script is None or not script.has(callback):
            return
        if msg is None:
            inner = proxy.fake_run()
            inner.route = EVENT_ROUTE
        else:
            record = run.record if run is not None else self._record(proxy, msg, t)
            avps = run.avps if run is not None else t.avps if t is not None else None
            inner = Run(proxy, msg, EVENT_ROUTE, record, avps, t)
        inner.t_lookup = True
        context(inner.msg).key = dialog.key
        script.call(inner, callback, name)

    @staticmethod
    def _record(proxy: Proxy, msg: SipMessage, t: Transaction | None) -> Record:
        found = proxy.recorder.get(msg.id) if msg.id else None
        if found is None:
            found = t.record if t is not None else proxy.fake_run().record
        return found
