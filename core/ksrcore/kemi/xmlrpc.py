"""Kamailio's xmlrpc: its RPC commands as XML-RPC over HTTP.

Either the script's ``xhttp`` callback calls ``KSR.xmlrpc.dispatch_rpc()``, or this module's ``event_callback`` does,
which gets the HTTP requests that xhttp leaves. The Content-Type is missing from the answers, as from Kamailio's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from .declare import Param, ParamError, export
from .xhttp import HttpModule

if TYPE_CHECKING:
    from ..control.jsonrpc import Command
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Xmlrpc"]

log = logging.getLogger("ksrcore.xmlrpc")


class Xmlrpc(HttpModule):
    name = "xmlrpc"
    event = "xmlrpc:request"

    route = Param("", "only its default: routes are functions of the script, see event_callback: str")
    autoconversion = Param(0, "no effect: commands take numbers for text and text for numbers: int")
    escape_cr = Param(1, "1: a carriage return leaves as &#xD;: int")
    double_lf_to_crlf = Param(0, "1: two line feeds in a parameter are CR LF: int")
    mode = Param(0, "1: event_callback is never run, the script calls dispatch_rpc() where it likes: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._commands: dict[str, Command] = {}

    def start(self) -> None:
        if self.route:
            raise ParamError(
                f"modparam xmlrpc:route can only be '' here, got {self.route!r}; name a function of the script with "
                "event_callback"
            )
        super().start()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._commands = {}
        return new

    @property
    def active(self) -> bool:
        return not self.mode and super().active

    def serves(self, method: str) -> bool:
        return method in ("GET", "POST")

    def _answer_body(self, run: Run, body: str) -> int:
        msg = run.msg
        if msg.reply_body is not None:
            log.error("xmlrpc: the reply has a body already")
            return -1
        msg.reply_body = ("", body)
        return 1 if self.proxy.modules.sl.stateful_reply(run, 200, "OK") > 0 else -1

    @export
    def dispatch_rpc(self, run: Run) -> int:
        """Answer the request, whose body is an XML-RPC document; what is none is answered with a fault. 1, -1 when
        the answer could not be sent."""
        from ..control.rpc import commands
        from ..control.xmlrpc import run as execute

        if not self._commands:
            self._commands = commands(self.proxy)
        body = execute(self._commands, run.msg.body, escape_cr=bool(self.escape_cr), crlf=bool(self.double_lf_to_crlf))
        return self._answer_body(run, body)

    @export
    def xmlrpc_reply(self, run: Run, rcode: int, reason: str) -> int:
        """Reply with the integer 1, whatever the code and the reason: that is what Kamailio's does from KEMI."""
        from ..control.xmlrpc import ONE

        return self._answer_body(run, ONE)
