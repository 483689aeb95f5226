"""The sl module: replies without a transaction."""

from __future__ import annotations

import copy
import logging
from hashlib import md5
from typing import TYPE_CHECKING, Self
from zlib import crc32

from ..forward import forward_reply, reply_dest
from ..net.address import SND_CLOSE, SND_NO_CONNECT
from ..run import EVENT_ROUTE, Run
from ..sip.build import build_reply
from ..sip.errors import SipError
from ..sip.http import build_http_reply
from ..tm.errors import error_reply
from ..tm.redirect import redirect_contacts
from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..sip.message import SipMessage

__all__ = ["Sl"]

log = logging.getLogger("ksrcore.sl")

#: How long after a reply to an INVITE its ACK is looked for, in seconds (RFC 3261 timer H).
ACK_WAIT = 32.0

_NAMED = frozenset((200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500))


class Sl(Module):
    name = "sl"

    default_code = Param(500, "status code of a reply whose own cannot be used: int")
    default_reason = Param("Internal Server Error", "reason phrase of a reply whose own is empty: str")
    bind_tm = Param(1, "1: send_reply() replies with the transaction when there is one")
    rich_redirect = Param(0, "Contacts of 3xx replies carry 1: branch flags, 2: paths (a sum)")
    event_callback_fl_ack = Param("", "callback run for an absorbed ACK, with 'sl:filtered-ack'")
    event_callback_lres_sent = Param("", "callback run after a local reply, with 'sl:local-response'")
    exception_reply_code = Param(500, "reply to a request whose callback raised; 0: none, as Kamailio")
    exception_reply_reason = Param("Server Internal Error", "reason phrase of that reply")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.tag = md5(f"ksr sl {proxy.name}{proxy.started}".encode(), usedforsecurity=False).hexdigest()
        self.ack_until = 0.0

    def start(self) -> None:
        self.proxy.request_filters.append(self.filter_ack)

    def fork(self, proxy: Proxy) -> Self:
        new = copy.copy(self)
        new.proxy = proxy
        new.start()
        return new

    def _tag(self, msg: SipMessage) -> str:
        via = msg.via
        seed = msg.callid + ((via.branch or via.text) if via is not None else "")
        return f"{self.tag}.{crc32(seed.encode('latin-1')):08x}"

    def filter_ack(self, run: Run) -> bool:
        """Absorb the ACK of one of our stateless replies: it is known by its To tag."""
        msg = run.msg
        if msg.method != "ACK" or self.proxy.now > self.ack_until:
            return False
        tag = msg.to_tag
        if not tag.startswith(self.tag) or tag != self._tag(msg):
            return False
        self.proxy.count("sl:received_ACKs")
        self._event(run, self.event_callback_fl_ack, "sl:filtered-ack")
        return True

    def _event(self, run: Run, name: str, event: str) -> None:
        script = self.proxy.script
        if name and script is not None and script.has(name):
            inner = Run(self.proxy, run.msg, EVENT_ROUTE, run.record, run.avps, run.t, run.branch)
            inner.t_lookup = run.t_lookup
            script.call(inner, name, event)

    # -- what the core and other modules use --------------------------------------------------------------------------

    def reply(self, run: Run, code: int, reason: str, extra: str = "", body: tuple[str, str] | None = None) -> int:
        """Send a stateless reply. 1, or -1 when the message is no request or it could not be sent."""
        msg = run.msg
        proxy = self.proxy
        if not msg.is_request or msg.via is None:
            return -1
        run.handled = True
        if msg.method == "ACK":
            # RFC 3261 17: an ACK is never answered.
            return 0
        http = msg.http
        if not http and not 100 <= code <= 999:
            log.error("%d is no status code: the reply has %d", code, self.default_code)
            code, reason = self.default_code, reason or self.default_reason
        if 300 <= code < 400:
            extra += redirect_contacts(msg, self.rich_redirect)
        tag = ""
        if code >= 180 and not msg.to_tag:
            tag = self._tag(msg)
        try:
            dest = reply_dest(msg)
            if http:
                text = build_http_reply(msg, code, reason, tag, proxy.server_header, extra, body)
            else:
                reason = reason or self.default_reason
                text = build_reply(msg, code, reason, tag, proxy.server_header, extra, body, proxy.sip_warning)
        except SipError as error:
            log.error("cannot reply %d: %s", code, error)
            proxy.count("sl:failures")
            return -1
        if tag and msg.method == "INVITE":
            self.ack_until = proxy.now + ACK_WAIT
        self._count(code)
        if not proxy.send(text, dest, run.record):
            proxy.count("sl:failures")
            return -1
        if self.event_callback_lres_sent:
            self._event(run, self.event_callback_lres_sent, "sl:local-response")
        return 1

    def stateful_reply(
        self, run: Run, code: int, reason: str, extra: str = "", body: tuple[str, str] | None = None
    ) -> int:
        """Reply with the run's transaction when it has one, else without: ``send_reply()``."""
        t = run.t
        if self.bind_tm and t is not None and t.engine is not None:
            run.handled = True
            if not 100 <= code <= 999:
                log.error("%d is no status code: the reply has %d", code, self.default_code)
                code, reason = self.default_code, reason or self.default_reason
            if 300 <= code < 400:
                extra += redirect_contacts(run.msg, self.rich_redirect)
            msg = run.msg if run.msg.is_request else None
            return 1 if t.engine.reply(t, code, reason, run.record, msg, extra, body) else -1
        return self.reply(run, code, reason, extra, body)

    def exception_reply(self, run: Run) -> int:
        """Answer a request whose callback raised, unless ``exception_reply_code`` is 0."""
        if not self.exception_reply_code:
            return 0
        return self.stateful_reply(run, self.exception_reply_code, self.exception_reply_reason)

    def forward_reply(self, run: Run) -> bool:
        """Forward a reply that belongs to no transaction."""
        return forward_reply(run)

    def _count(self, code: int) -> None:
        count = self.proxy.count
        count("sl:sent_replies")
        if code in _NAMED:
            count(f"sl:{code}_replies")
        else:
            kind = code // 100
            count(f"sl:{kind}xx_replies" if 1 <= kind <= 6 else "sl:xxx_replies")

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def sl_send_reply(self, run: Run, code: int, reason: str) -> int:
        """Reply to the request without a transaction. A 3xx carries the destination set as Contacts."""
        return self.reply(run, code, reason)

    @export
    def send_reply(self, run: Run, code: int, reason: str) -> int:
        """Reply to the request: with its transaction when one was created, else without."""
        return self.stateful_reply(run, code, reason)

    @export
    def send_reply_mode(self, run: Run, code: int, reason: str, mode: int) -> int:
        """``send_reply``; mode is a sum of 1: open no connection for it, 2: close the connection after it."""
        msg = run.msg
        if mode & SND_NO_CONNECT >> 1:
            msg.reply_no_connect = True
        if mode & SND_CLOSE << 1:
            msg.reply_close = True
        return self.stateful_reply(run, code, reason)

    @export
    def sl_reply_error(self, run: Run) -> int:
        """Reply 500 without a transaction, as Kamailio does here whatever failed."""
        code, reason = error_reply(1, "SL")
        log.error("stateless error reply used: %s", reason)
        self.proxy.count("sl:sent_err_replies")
        return self.reply(run, code, reason)

    @export
    def send_reply_error(self, run: Run) -> int:
        """``sl_reply_error`` with the transaction when one was created (Kamailio 6.0 and later)."""
        code, reason = error_reply(1, "SL")
        log.error("error reply used: %s", reason)
        self.proxy.count("sl:sent_err_replies")
        return self.stateful_reply(run, code, reason)

    @export
    def sl_forward_reply(self, run: Run, code: str, reason: str) -> int:
        """Forward the reply without its transaction; code of its class and reason replace its own ('' keeps both)."""
        msg = run.msg
        if msg.is_request:
            log.error("sl_forward_reply: the message is a request")
            return -1
        status = 0
        if code:
            if not (code.isascii() and code.isdigit()):
                log.error("sl_forward_reply expects a status code, got %r", code)
                return -1
            status = int(code)
            if status // 100 != msg.status // 100 or not 100 <= status <= 699:
                log.error("sl_forward_reply: %d is not of the class of the received %d", status, msg.status)
                return -1
        if status or reason:
            return 1 if forward_reply(run, status or msg.status, reason or msg.reason) else -1
        return 1 if forward_reply(run) else -1
