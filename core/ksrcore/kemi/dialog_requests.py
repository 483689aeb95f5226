"""What the dialog module sends: BYE, OPTIONS and REFER within a dialog, and calls that bridge two others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ..capture.recorder import Record
from ..net.address import Dest
from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddrs
from ..sip.uri import parse_uri
from ..tm import uac
from .dialog_cell import CONFIRMED, CONFIRMED_NA, DELETED, KA_DST, KA_SRC, Dialog, Key
from .dialog_ends import DialogEnds
from .dialog_events import ENDED

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage
    from ..tm.hooks import Callback
    from ..tm.transaction import Transaction

__all__ = ["BRIDGE_BODY", "DialogRequests"]

log = logging.getLogger("ksrcore.dialog")

#: What a bridged party is offered until it is referred: no media.
BRIDGE_BODY: Final = (
    "v=0\r\no=kamailio-bridge 0 0 IN IP4 0.0.0.0\r\ns=kamailio\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
)

#: Seconds that a call has left once a keepalive failed.
_LAST_SECONDS: Final = 10


class DialogRequests(DialogEnds):
    """A part of the dialog module."""

    dlg_extra_hdrs: Any
    lreq_callee_headers: Any
    ka_failed_limit: Any
    dlg_filter_mode: Any
    bridge_controller: Any
    bridge_contact: Any

    def _own_record(self) -> Record:
        return Record(0, self.proxy.wall(), Dest("udp", "", 0), "")

    # -- within a dialog ----------------------------------------------------------------------------------------------

    def send_within(
        self,
        dialog: Dialog,
        method: str,
        to_caller: bool,
        *,
        more: str = "",
        further: int = 1,
        record: Record | None = None,
        callback: Callback | None = None,
    ) -> bool:
        """Send a request to one side in the other's name; ``further`` is added to that one's CSeq. False: it cannot be.

        ``more``: header fields with their line ends.
        """
        leg, other = (dialog.caller, dialog.callee) if to_caller else (dialog.callee, dialog.caller)
        uri, other_uri = (dialog.from_uri, dialog.to_uri) if to_caller else (dialog.to_uri, dialog.from_uri)
        if not leg.contact:
            log.error("dialog: %s: no %s is sent, the Contact is not known", dialog, method)
            return False
        number = int(other.cseq) + further if other.cseq.isdigit() else further
        headers = (
            f"To: <{uri}>;tag={leg.tag}\r\nFrom: <{other_uri}>;tag={other.tag}\r\nCSeq: {number} {method}\r\n"
            f"Call-ID: {dialog.callid}\r\n{more}"
        )
        if not to_caller:
            headers += self.lreq_callee_headers
        socket = leg.listen.text if leg.listen is not None and leg.listen in self.proxy.listens else ""
        try:
            hop = parse_nameaddrs(leg.routes)[0].uri if leg.routes else ""
            uac.send(
                self.proxy.modules.tm.engine, method, leg.contact, hop, socket, headers, "",
                record or self._own_record(), callback, leg.routes.replace(",<", ", <"),
            )  # fmt: skip
        except (SipError, uac.UacError) as error:
            log.error("dialog: %s: no %s is sent: %s", dialog, method, error)
            return False
        return True

    def end(self, dialog: Dialog, side: str, headers: str, record: Record | None) -> bool:
        """End a call with a BYE to "caller", "callee" or (any other word) both. False: it is not up."""
        if dialog.state == DELETED:
            return False
        if dialog.state not in (CONFIRMED, CONFIRMED_NA):
            log.warning("dialog: %s is not up, it cannot be ended with a BYE", dialog)
            self.tell("dialog:failed", dialog)
            return False
        self.happened(ENDED, dialog)
        self.tell("dialog:end", dialog)
        key = dialog.key

        def answered(event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
            self.ended(key)

        # In the order of Kamailio's BYEs.
        more = f"Max-Forwards: 70\r\n{_lines(self.dlg_extra_hdrs)}{_lines(headers)}"
        sent = True
        for word, to_caller in (("caller", True), ("callee", False)):
            if side not in ("caller", "callee") or side == word:
                sent = self.send_within(dialog, "BYE", to_caller, more=more, record=record, callback=answered) and sent
        if not sent and not any(leg.contact for leg in (dialog.caller, dialog.callee)):
            self.ended(key)
        return sent

    def refer(self, dialog: Dialog, side: str, uri: str, record: Record | None) -> bool:
        """Send a REFER to "caller" or (any other word) the callee. False: it is not up."""
        if dialog.state not in (CONFIRMED, CONFIRMED_NA):
            return False
        more = f"Contact: <{self.bridge_contact}>\r\nReferred-By: {self.bridge_controller}\r\nRefer-To: {uri}\r\n"
        return self.send_within(dialog, "REFER", side == "caller", more=more, record=record)

    # -- keepalives ---------------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Every ka_timer seconds: OPTIONS to those whose time has come."""
        now = self.proxy.now
        for dialog in self.table.ordered():
            if dialog.state != CONFIRMED or not dialog.iflags & (KA_SRC | KA_DST) or now < dialog.ka_next:
                continue
            if self.dlg_filter_mode & 1 and dialog.caller.listen not in self.proxy.listens:
                continue
            dialog.ka_next = now + self.ka_interval
            for flag, to_caller in ((KA_DST, False), (KA_SRC, True)):
                if dialog.iflags & flag:
                    self.send_within(dialog, "OPTIONS", to_caller, further=0, callback=self._kept(dialog.key))

    def _kept(self, key: Key) -> Callback:
        def answered(event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
            dialog = self.table.get(key)
            if dialog is None:
                return
            if code not in (408, 481):
                dialog.ka_failed = 0
                return
            dialog.ka_failed += 1
            if dialog.ka_failed >= self.ka_failed_limit:
                self.set_timeout(dialog, _LAST_SECONDS)

        return answered

    # -- bridging -----------------------------------------------------------------------------------------------------

    def bridge(self, from_: str, to: str, outbound: str, body: str, record: Record | None) -> bool:
        """Call ``from_`` and, once it has answered, refer it to ``to``. False: the call cannot be made.

        ``outbound``: the URI to send to, '' for that of ``from_``. ``body``: the SDP of the INVITE, '' for none.
        """
        record = record or self._own_record()
        headers = (
            f"To: <{from_}>\r\nFrom: <{self.bridge_controller}>\r\nContact: <{self.bridge_contact}>\r\n"
            "Content-Type: application/sdp\r\n"
        )

        def answered(event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
            if reply is not None and 200 <= code < 300:
                self._refer_bridged(t, reply, to, outbound)

        try:
            parse_uri(from_)
            uac.send(self.proxy.modules.tm.engine, "INVITE", from_, outbound, "", headers, body, record, answered)
        except (SipError, uac.UacError) as error:
            log.error("dialog: %s cannot be called to be bridged: %s", from_, error)
            return False
        return True

    def _refer_bridged(self, invite: Transaction, reply: SipMessage, to: str, outbound: str) -> None:
        engine = self.proxy.modules.tm.engine
        try:
            target = next((value.uri for value in reply.nameaddrs("contact")), invite.msg.ruri)
            routes = [value.text for value in reply.nameaddrs("record-route")][::-1]
            hop = parse_nameaddrs(routes[0])[0].uri if routes else outbound
        except SipError as error:
            log.error("dialog: the answer of a bridged call cannot be read: %s", error)
            return
        their, ours, cseq = reply.get("to"), reply.get("from"), invite.msg.cseq
        if their is None or ours is None or cseq is None:
            return
        fields = f"To: {their.body}\r\nFrom: {ours.body}\r\nCall-ID: {reply.callid}\r\n"
        number = cseq.number

        def referred(event: int, t: Transaction, run: Run | None, answer: SipMessage | None, code: int) -> None:
            send("BYE", number + 2, "", None)

        def send(method: str, number: int, more: str, callback: Callback | None) -> None:
            headers = f"{fields}CSeq: {number} {method}\r\n{more}"
            try:
                uac.send(engine, method, target, hop, "", headers, "", self._own_record(), callback, ", ".join(routes))
            except uac.UacError as error:
                log.error("dialog: a bridged call gets no %s: %s", method, error)

        more = f"Referred-By: {self.bridge_controller}\r\nRefer-To: {to}\r\nContact: <{self.bridge_contact}>\r\n"
        send("REFER", number + 1, more, referred)


def _lines(text: str) -> str:
    """Header fields as given in a parameter, each with its line end."""
    return "".join(f"{line}\r\n" for line in text.replace("\\r\\n", "\n").splitlines() if line)
