"""Kamailio's sipjson: a message's attributes as JSON."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..pv.accessor import assign, compile_spec
from ..pv.errors import PvError
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from .declare import Module, export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

__all__ = ["Sipjson"]

log = logging.getLogger("ksrcore.sipjson")

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = str.maketrans({**{chr(code): f"\\u{code:04x}" for code in range(32)}, **_ESCAPES})


class Sipjson(Module):
    """A message's attributes as JSON."""

    name = "sipjson"

    @export
    def sj_serialize(self, run: Run, smode: str, svar: str) -> int:
        """Put the attributes of the message into a variable as JSON; mode B: with the body. 1, -1 for no variable.

        mt: 2 a request, 1 a reply; rm method, pr transport, si sp source, Ri Rp our socket, ru rU rd rp the
        Request-URI, its user, host and port, rs rr status and reason, fU fd From's user and host, ua User-Agent,
        ci Call-ID, rb the body.
        """
        try:
            target = compile_spec(svar)
        except PvError as error:
            log.error("sj_serialize: expected a variable: %s", error)
            return -1
        if not target.writable:
            log.error("sj_serialize: %s cannot be written", svar)
            return -1
        msg = run.msg
        ruri = (msg.new_uri or msg.ruri) if msg.is_request else ""
        user, host, port = _parts(ruri)
        from_user, from_host, _ = _parts(_from(msg))
        agent = msg.get("user-agent")
        rcv = msg.rcv
        values: dict[str, str | int] = {
            "mt": 2 if msg.is_request else 1,
            "rm": msg.method,
            "pr": rcv.proto if rcv is not None else "",
            "si": rcv.src_ip if rcv is not None else "",
            "sp": rcv.src_port if rcv is not None else 0,
            "Ri": rcv.dst_ip if rcv is not None else "",
            "Rp": rcv.dst_port if rcv is not None else 0,
            "ru": ruri,
            "rU": user,
            "rd": host,
            "rp": port,
            "rs": 0 if msg.is_request else msg.status,
            "rr": "" if msg.is_request else msg.reason,
            "fU": from_user,
            "fd": from_host,
            "ua": agent.body if agent is not None else "",
            "ci": msg.callid,
        }
        if "B" in smode:
            values["rb"] = msg.body
        text = ",".join(
            f'"{name}":{value}' if isinstance(value, int) else f'"{name}":"{value.translate(_ESCAPED)}"'
            for name, value in values.items()
        )
        return assign(target, run, f"{{{text}}}", "sj_serialize")


def _from(msg: SipMessage) -> str:
    try:
        return msg.from_.uri if msg.from_ is not None else ""
    except SipError:
        return ""


def _parts(text: str) -> tuple[str, str, int]:
    """User, host and port of a URI; '' and 0 for what is not there."""
    try:
        uri = parse_uri(text)
    except SipError:
        return "", "", 0
    return uri.user, uri.host, uri.port_no
