"""Requests of our own: KSR.uac.uac_req_send() with what ``$uac_req(...)`` says."""

from __future__ import annotations

import copy
import logging
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

from ..run import EVENT_ROUTE, Run
from ..sip.errors import SipError
from ..tm import uac
from .declare import Module, Param, export
from .uac_digest import answer, challenge_of

if TYPE_CHECKING:
    from ..sip.message import SipMessage
    from ..tm.transaction import Transaction

__all__ = ["NUMBERS", "TEXTS", "Request", "UacRequest"]

log = logging.getLogger("ksrcore.uac")

TEXTS = (
    "method", "ruri", "furi", "turi", "ouri", "callid", "hdrs", "body", "sock", "auser", "apasswd", "evparam",
)  # fmt: skip
NUMBERS = ("evroute", "evcode", "evtype")


class Request:
    """The fields of ``$uac_req``: '' and 0 when unset."""

    __slots__ = (*TEXTS, *NUMBERS)

    def __init__(self) -> None:
        self.sock = self.auser = self.apasswd = ""
        self.clear()

    def clear(self) -> None:
        """Forget all; as in Kamailio socket, user and password stay."""
        for name in TEXTS:
            if name not in ("sock", "auser", "apasswd"):
                setattr(self, name, "")
        for name in NUMBERS:
            setattr(self, name, 0)

    if TYPE_CHECKING:
        method: str
        ruri: str
        furi: str
        turi: str
        ouri: str
        callid: str
        hdrs: str
        body: str
        sock: str
        auser: str
        apasswd: str
        evparam: str
        evroute: int
        evcode: int
        evtype: int


def again(
    sent: SipMessage, reply: SipMessage | None, headers: str, user: str, secret: str, hashed: bool, realm: str = ""
) -> tuple[str, str]:
    """The header fields of a request sent again with credentials, for the first time, and its CSeq's number.

    From, To, Call-ID stay, the CSeq grows by one (RFC 3261 22.2). Raises SipError, also for another realm.
    """
    challenge = challenge_of(reply)
    if realm and challenge.realm != realm:
        raise SipError(f"the challenge is for realm {challenge.realm!r}, expected {realm!r}")
    cseq = sent.cseq
    from_, to = sent.get("from"), sent.get("to")
    if cseq is None or from_ is None or to is None:
        raise SipError("the request has no From, To or CSeq")
    number = str(int(cseq.number_text) + 1)
    line = answer(challenge, user, secret, sent.method, sent.ruri, hashed)
    lines = [f"From: {from_.body}\r\nTo: {to.body}\r\nCall-ID: {sent.callid}\r\nCSeq: {number} {sent.method}\r\n"]
    return f"{lines[0]}{headers}{line}", number


class UacRequest(Module):
    """A part of the uac module."""

    default_socket = Param("", "socket to send from where none is named: str")
    event_callback = Param("", "callback that gets 'uac:reply': str")

    request: Request

    @abstractmethod
    def socket_text(self, text: str) -> str:
        """The listen socket ``text`` as tm takes it, else the default one, else ''."""

    @export
    def uac_req_send(self, run: Run) -> int:
        """Send the request that $uac_req(...) describes: 1, -1 when it cannot be sent."""
        wanted = self.request
        if not wanted.ruri or not wanted.method:
            log.error("uac_req_send: set $uac_req(method) and $uac_req(ruri) first")
            return -1
        request = copy.copy(wanted)
        headers = f"To: <{request.turi or request.ruri}>\r\nFrom: <{request.furi or request.ruri}>\r\n"
        if request.callid:
            headers += f"Call-ID: {request.callid}\r\n"
        return 1 if self._send(run, request, headers + request.hdrs, False) else -1

    def _send(self, run: Run, request: Request, headers: str, answered: bool) -> bool:
        if self.proxy.sandbox:
            # uac.send() below goes through the sandbox's own transport: it is shown, and leaves nothing.
            log.debug("uac_req_send in a sandbox: nobody answers")
        told = partial(self._told, request, answered)
        try:
            uac.send(
                self.proxy.modules.tm.engine,
                request.method,
                request.ruri,
                request.ouri,
                self.socket_text(request.sock),
                headers,
                request.body,
                run.record,
                told,
                any_body=True,
            )
        except uac.UacError as error:
            log.error("uac_req_send: %s", error)
            return False
        return True

    def _told(
        self,
        request: Request,
        answered: bool,
        event: int,
        t: Transaction,
        run: Run | None,
        reply: SipMessage | None,
        code: int,
    ) -> None:
        """The final reply has come, or none in time."""
        if request.evroute == 1:
            self._event(request, t, reply, code)
        if code not in (401, 407) or answered or not request.auser or not request.apasswd:
            return
        try:
            headers, _ = again(t.msg, reply, request.hdrs, request.auser, request.apasswd, False)
        except (SipError, ValueError) as error:
            log.error("uac_req_send: cannot authenticate: %s", error)
            return
        self._send(self.proxy.fake_run() if run is None else run, request, headers, True)

    def _event(self, request: Request, t: Any, reply: SipMessage | None, code: int) -> None:
        script = self.proxy.script
        if not self.event_callback or script is None or not script.has(self.event_callback):
            return
        if reply is None:
            run = self.proxy.fake_run()
            run.route = EVENT_ROUTE
        else:
            fake = self.proxy.fake_run()
            run = Run(self.proxy, reply, EVENT_ROUTE, self.proxy.recorder.get(reply.id) or fake.record, t.avps, t, 0)
        kept = self.request
        self.request = copy.copy(request)
        self.request.evcode = code
        self.request.evtype = 1 if reply is not None else 2
        try:
            script.call(run, self.event_callback, "uac:reply")
        finally:
            self.request = kept
