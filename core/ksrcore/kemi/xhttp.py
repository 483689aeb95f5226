"""The xhttp module: HTTP requests on the SIP sockets of TCP, answered by the script.

A request whose first line says HTTP runs ``event_callback`` with ``xhttp:request`` instead of the request route. The
message is read as one of SIP (see :mod:`ksrcore.sip.http`), so header and body functions work on it. Without the
callback, and for a URL that ``url_skip`` or ``url_match`` leaves out, nothing answers. The connection stays open
unless the script calls ``KSR.set_reply_close()``.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from ..posixre import PosixError, compile_posix
from ..pv.registry import pv
from ..run import EVENT_ROUTE, Run
from ..sip.errors import SipError
from ..sip.http import STREAMS, parse_http
from .declare import Module, Param, ParamError, Value, export

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..net.address import Rcv
    from ..script.engine import Script

__all__ = ["EVENT", "HttpModule", "Xhttp"]

log = logging.getLogger("ksrcore.xhttp")

#: What the callback is given.
EVENT = "xhttp:request"


@pv("hu")
def hu(run: Run) -> Value:
    """The URL of the HTTP request as it came; of a SIP request its Request-URI."""
    return run.msg.ruri if run.msg.is_request else None


class HttpModule(Module):
    """A module whose callback is run for HTTP requests: xhttp, and xmlrpc for those that xhttp leaves."""

    #: What the callback is given.
    event = EVENT

    url_skip = Param("", "POSIX regular expression of URLs that run no callback: str")
    url_match = Param("", "POSIX regular expression of the URLs that run it, url_skip goes first; '' all: str")
    event_callback = Param("", "callback run for an HTTP request, given the event's name; '' none: str")

    _skip: re.Pattern[str] | None = None
    _match: re.Pattern[str] | None = None

    def start(self) -> None:
        self._skip = self._pattern("url_skip", self.url_skip)
        self._match = self._pattern("url_match", self.url_match)

    def _pattern(self, name: str, text: str) -> re.Pattern[str] | None:
        if not text:
            return None
        try:
            return compile_posix(text)
        except PosixError as error:
            raise ParamError(f"modparam {self.name}:{name} expects a regular expression: {error}") from None

    # -- requests -----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether it takes requests at all."""
        return bool(self.event_callback)

    def serves(self, method: str) -> bool:
        """Whether requests of this method are for the callback."""
        return True

    def receive(self, record: Record, rcv: Rcv) -> bool:
        """A request whose version is not SIP's. False: it is not HTTP for us."""
        if not self.active or rcv.proto not in STREAMS:
            return False
        try:
            msg = parse_http(record.data, rcv)
        except SipError:
            return False
        proxy = self.proxy
        proxy.counters[f"{self.name}:requests"] += 1
        msg.id = record.id
        run = Run(proxy, msg, EVENT_ROUTE, record)
        if msg.error is not None:
            # Kamailio closes without a word.
            record.error = str(msg.error)
            msg.reply_close = True
            self._answer(run, 400, "Bad Request")
            return True
        if not self.serves(msg.method) or self._left_out(msg.ruri):
            other = proxy.modules.get("xmlrpc")
            return not (isinstance(other, HttpModule) and other is not self and other.active)
        script = proxy.script
        if script is None or not script.has(self.event_callback):
            record.error = f"the script has no callback {self.event_callback!r} (modparam {self.name}:event_callback)"
            log.error("HTTP request %d: %s", record.id, record.error)
            return True
        debugger = proxy.debugger
        if debugger is None or not debugger.takes(msg, record, lambda: self._serve(script, run)):
            self._serve(script, run)
        return True

    def _serve(self, script: Script, run: Run) -> None:
        script.call(run, self.event_callback, self.event)
        proxy = run.proxy
        sl = proxy.modules.sl
        if run.exception is not None and not run.handled and sl.exception_reply_code:
            self._answer(run, sl.exception_reply_code, sl.exception_reply_reason)
        for done in proxy.request_done:
            done(run)

    def _left_out(self, url: str) -> bool:
        if self._skip is not None and self._skip.search(url) is not None:
            return True
        return self._match is not None and self._match.search(url) is None

    def _answer(self, run: Run, code: int, reason: str) -> None:
        self.proxy.modules.sl.reply(run, code, reason)


class Xhttp(HttpModule):
    name = "xhttp"

    @export
    def xhttp_reply(self, run: Run, code: int, reason: str, ctype: str, body: str) -> int:
        """Reply with a Content-Type ('' for none) and a body; 0 when sent, -1 when not.

        A second body for the same request is refused. What ``KSR.hdr.append_to_reply()`` added goes along.
        """
        msg = run.msg
        if not 0 <= code <= 999:
            log.error("xhttp_reply expects a status code of three digits, got %d", code)
            return -1
        if ctype:
            msg.reply_lumps.append(f"Content-Type: {ctype}\r\n")
        if body:
            if msg.reply_body is not None:
                log.error("xhttp_reply: the reply has a body already")
                return -1
            msg.reply_body = ("", body)
        return 0 if self.proxy.modules.sl.stateful_reply(run, code, reason) > 0 else -1

    @export
    def get_hu(self, run: Run) -> Value:
        """The URL of the HTTP request, ``$hu``."""
        return hu(run)
