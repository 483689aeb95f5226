"""tm's functions and commands for requests of our own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Record
from ..net.address import Dest
from ..tm import cancel, uac
from .declare import Module, RpcError, export, rpc

if TYPE_CHECKING:
    from ..run import Run
    from ..tm.engine import Engine

log = logging.getLogger("ksrcore.tm")


class TmUac(Module):
    """A part of the tm module."""

    engine: Engine

    @export
    def t_uac_send(self, run: Run, method: str, ruri: str, nexthop: str, socket: str, headers: str, body: str) -> int:
        """Send a request of our own; nexthop and socket may be ''. The headers need From and To, each ended by CRLF."""
        try:
            uac.send(self.engine, method, ruri, nexthop, socket, headers, body, run.record)
        except uac.UacError as error:
            log.error("%s", error)
            return -1
        return 1

    @rpc("tm.t_uac_start")
    def rpc_uac_start(self, params: list[Any]) -> None:
        """Send a request: method, Request-URI, next hop, socket ('.' for none), headers, and a body or none."""
        texts = [str(p) for p in params]
        if len(texts) < 5:
            # Kamailio counts what it got down from 0.
            raise RpcError(400, f"too few parameters ({-len(texts)}/5)")
        method, ruri, hop, socket, headers, *body = ["" if t == "." else t for t in texts]
        proxy = self.proxy
        record = Record(0, proxy.wall(), Dest("udp", "", 0), "")
        try:
            uac.send(self.engine, method, ruri, hop, socket, headers, body[0] if body else "", record)
        except uac.UacError as error:
            raise RpcError(400, str(error)) from None

    @rpc("tm.cancel")
    def rpc_cancel(self, params: list[Any]) -> None:
        """Cancel the INVITE of a Call-ID and CSeq number."""
        if len(params) < 2 or not all(isinstance(param, str) for param in params[:2]):
            raise RpcError(400, "Callid and CSeq expected as parameters")
        t = self.engine.find_callid(params[0], params[1].split(" ")[0])
        if t is None:
            raise RpcError(400, "Transaction not found")
        for client in list(t.branches):
            cancel.cancel_branch(self.engine, t, client, "")

    @rpc("tm.reply")
    def rpc_reply(self, params: list[Any]) -> None:
        """Reply: code, reason, transaction (index:label), To tag, headers ('.' for none), and a body or none."""
        _expected(params, "Reply code", "Reason phrase", "Transaction ID", "To tag")
        index, _, label = str(params[2]).partition(":")
        t = self.engine.find(int(index), int(label)) if index.isdigit() and label.isdigit() else None
        if t is None:
            raise RpcError(481, "No such transaction")
        self._reply(t, params[0], params[1], *map(str, params[3:6]))

    @rpc("tm.reply_callid")
    def rpc_reply_callid(self, params: list[Any]) -> None:
        """Reply: code, reason, Call-ID, CSeq number, To tag, headers ('.' for none), and a body or none."""
        _expected(params, "Reply code", "Reason phrase", "Call-ID", "CSeq", "To tag")
        t = self.engine.find_callid(str(params[2]), str(params[3]).split(" ")[0])
        if t is None:
            raise RpcError(404, "Transaction not found")
        self._reply(t, params[0], params[1], *map(str, params[4:7]))

    def _reply(self, t: Any, code: Any, reason: Any, tag: str, headers: str = "", body: str = "") -> None:
        if not str(code).isdigit() or not 100 <= int(code) <= 699:
            raise RpcError(400, f"expected a status code, got {code!r}")
        lines = [] if headers == "." else [x for x in headers.replace("\r\n", "\n").split("\n") if x]
        extra = "".join(f"{x}\r\n" for x in lines)
        # The body's Content-Type is among the headers, as in Kamailio.
        content = ("", body) if body else None
        if not self.engine.reply(t, int(code), str(reason), None, None, extra, content, "" if tag == "." else tag):
            raise RpcError(500, "the transaction has its final reply already")


def _expected(params: list[Any], *names: str) -> None:
    """Raises :class:`RpcError` for the first parameter that is missing, or, but for the code, no string."""
    for at, name in enumerate(names):
        if at >= len(params) or (at and not isinstance(params[at], str)):
            raise RpcError(400, f"{name} expected")
