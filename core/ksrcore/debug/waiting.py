"""What is held, and what must wait behind it: requests, replies and timers of the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..tm.timers import NEVER

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..sip.message import SipMessage
    from ..tm.transaction import Client, Transaction
    from .held import Live

#: What a request, its CANCEL and its ACK have in common before there is a transaction: branch, Call-ID, CSeq number.
Key = tuple[str, str, str]


def request_key(msg: SipMessage) -> Key | None:
    """None: nothing else can belong to it."""
    if msg.http:
        return None  # a connection brings each once
    try:
        via, cseq = msg.via, msg.cseq
    except SipError:
        return None
    if via is None or cseq is None:
        return None
    return via.branch or via.text, msg.callid, cseq.number_text


class Waiting:
    """The messages that are held at the moment, by what others find them by: keys of requests, transactions, the texts
    of replies outside one, and repeated timers."""

    def __init__(self) -> None:
        self.keys: dict[Key, Live] = {}
        self.transactions: dict[Transaction, Live] = {}
        self.texts: dict[str, Live] = {}
        self.ticks: dict[object, Live] = {}

    def __bool__(self) -> bool:
        return bool(self.keys or self.transactions or self.texts or self.ticks)

    def find(self, msg: SipMessage, record: Record, t: Transaction | None) -> tuple[Live | None, bool]:
        """What this message must not overtake, None for nothing; and whether it only repeats what is held."""
        if not msg.is_request:
            # The answer to our CANCEL touches nothing of what is held, and ends the CANCEL's retransmissions.
            live = self.transactions.get(t) if t is not None and msg.method == t.method else None
            live = live or self.texts.get(record.data)
            return live, live is not None and live.record is not None and live.record.data == record.data
        key = request_key(msg)
        live = self.keys.get(key) if key is not None else None
        if live is None:
            return None, False
        of = live.msg
        if of is not None and of.is_request and of.method == msg.method:
            return live, True
        # A failure route or reply is held: the request it belongs to may come again as well.
        return live, any(each.method == msg.method for each in live.transactions)

    def add(self, live: Live) -> None:
        """It is held: from now on what belongs to it waits."""
        if live.msg is not None and live.msg.is_request:
            self._add_key(live, live.msg)
        elif live.record is not None and live.msg is not None:
            self.texts[live.record.data] = live
        if live.tick is not None:
            self.ticks[live.tick] = live
        for t in live.transactions:
            if t.engine is not None:
                self.transactions[t] = live
                self._add_key(live, t.msg)

    def _add_key(self, live: Live, msg: SipMessage) -> None:
        key = request_key(msg)
        if key is not None:
            live.keys.add(key)
            self.keys[key] = live

    def remove(self, live: Live) -> None:
        """It goes on."""
        for key in live.keys:
            if self.keys.get(key) is live:
                del self.keys[key]
        for t in live.transactions:
            if self.transactions.get(t) is live:
                del self.transactions[t]
        if live.record is not None and self.texts.get(live.record.data) is live:
            del self.texts[live.record.data]
        if live.tick is not None:
            self.ticks.pop(live.tick, None)

    @staticmethod
    def shift(live: Live, now: float) -> None:
        """The clocks of its transactions stood still while it was held."""
        seconds = now - live.paused_at
        live.paused_at = NEVER
        for t in live.transactions:
            engine = t.engine
            if engine is None or not 0.0 < seconds < NEVER:
                continue
            t.expires += seconds
            timed: list[Transaction | Client] = [t, *t.branches]
            for item in timed:
                item.fr_at += seconds
                item.retr_at += seconds
                at = min(item.fr_at, item.retr_at)
                if at < NEVER:
                    engine.timers.set(item, now, max(at - now, 0.0))
