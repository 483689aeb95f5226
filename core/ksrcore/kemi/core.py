"""Kamailio's core: the functions directly on ``KSR``.

See also the mixed-in classes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..run import Run
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from .core_flags import FlagFunctions
from .core_forward import ForwardFunctions
from .core_log import LogFunctions
from .core_params import FORCE_RPORT, LEVELS, CoreParams
from .core_tests import Conditions
from .declare import Module, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..sip.message import SipMessage

_STREAMS = frozenset(("tcp", "tls", "ws", "wss"))


def set_user(msg: SipMessage, user: str) -> bool:
    """Rewrite the user part of the Request-URI ('' removes it); False when the URI cannot be parsed."""
    try:
        msg.new_uri = parse_uri(msg.new_uri or msg.ruri).with_(user=user)
    except SipError:
        return False
    return True


def set_host(msg: SipMessage, host: str) -> bool:
    """Rewrite the host of the Request-URI; ``host:port`` rewrites the port too. A tel URI becomes a SIP one."""
    try:
        uri = parse_uri(msg.new_uri or msg.ruri)
    except SipError:
        return False
    tail = (";" + uri.params if uri.params else "") + ("?" + uri.headers if uri.headers else "")
    if uri.scheme == "tel":
        msg.new_uri = f"sip:{uri.user}@{host}{tail};user=phone"
        return True
    userinfo = f"{uri.user}:{uri.password}@" if uri.password else f"{uri.user}@" if uri.user else ""
    port = f":{uri.port}" if uri.port and ":" not in host.rpartition("]")[2] else ""
    msg.new_uri = f"{uri.scheme}:{userinfo}{host}{port}{tail}"
    return True


class Core(Conditions, FlagFunctions, ForwardFunctions, LogFunctions, CoreParams, Module):
    """The core's own functions: Request-URI, destination, sending options, ``set_drop`` and ``route``; its parameters.

    Sockets and DNS are the server's to set up from the parameters; the rest takes effect in :meth:`start`.
    """

    name = ""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._given: set[str] = set()
        self._force_rport = 0

    def set_param(self, name: str, value: int | str) -> None:
        if name == "force_rport":  # a function has that name
            self._force_rport = FORCE_RPORT.convert("core", value)
            return
        super().set_param(name, value)
        self._given.add(name)

    def start(self) -> None:
        proxy = self.proxy
        given = self._given
        signed = self.server_signature
        if "server_header" in given or not signed:
            proxy.server_header = self.server_header if signed else ""
        if "user_agent_header" in given or not signed:
            proxy.user_agent_header = self.user_agent_header if signed else ""
        proxy.sip_warning = bool(self.sip_warning)
        marks = (("force_rport", self._force_rport), ("reply_to_via", self.reply_to_via))
        proxy.marks = {name: True for name, wanted in marks if wanted}
        if "debug" in given:
            logging.getLogger().setLevel(LEVELS[max(-2, min(self.debug, 3))])
        if not given.isdisjoint(("capture_messages", "capture_bytes")):
            proxy.recorder.resize(self.capture_messages, self.capture_bytes)

    # -- Request-URI and next hop -----------------------------------------------------------------------------------

    @export
    def seturi(self, run: Run, uri: str) -> bool:
        """Rewrite the Request-URI. The text is not checked, as in Kamailio: what uses it later fails then."""
        run.msg.new_uri = uri
        return True

    @export
    def setuser(self, run: Run, user: str) -> bool:
        """Rewrite the user part of the Request-URI; '' removes it."""
        return set_user(run.msg, user)

    @export
    def sethost(self, run: Run, host: str) -> bool:
        """Rewrite the host of the Request-URI; ``host:port`` rewrites the port too."""
        return set_host(run.msg, host)

    @export
    def setdsturi(self, run: Run, uri: str) -> bool:
        """Set the destination URI: where the request goes whatever its Request-URI says; '' takes it back."""
        run.msg.dst_uri = uri
        return True

    @export
    def resetdsturi(self, run: Run) -> bool:
        """Forget the destination URI."""
        run.msg.dst_uri = ""
        return True

    @export(inline=True)
    def isdsturiset(self, run: Run) -> bool:
        """Whether a destination URI is set."""
        return run.msg.dst_uri != ""

    # -- how to send ------------------------------------------------------------------------------------------------

    @export(inline=True)
    def force_rport(self, run: Run) -> bool:
        """Reply to the address and port the request came from, even without ``rport`` in its Via (RFC 3581)."""
        run.msg.force_rport = True
        return True

    @export
    def add_local_rport(self, run: Run) -> bool:
        """Put ``rport`` into the Via that this proxy adds."""
        run.msg.add_local_rport = True
        return True

    @export
    def set_advertised_address(self, run: Run, host: str) -> int:
        """The host that the Via of this message's forwarded form names; '' goes back to the socket's own."""
        msg = run.msg
        msg.advertise = (host, msg.advertise[1] if msg.advertise is not None else "")
        return 1

    @export
    def set_advertised_port(self, run: Run, port: str) -> int:
        """The port that the Via of this message's forwarded form names; '' goes back to the socket's own."""
        msg = run.msg
        msg.advertise = (msg.advertise[0] if msg.advertise is not None else "", port)
        return 1

    @export
    def set_forward_close(self, run: Run) -> bool:
        """Close the connection (TCP and kin) once the request was forwarded over it."""
        run.msg.close_after = True
        return True

    @export
    def set_forward_no_connect(self, run: Run) -> bool:
        """Forward over an existing connection only (TCP and kin)."""
        run.msg.no_connect = True
        return True

    @export
    def set_reply_close(self, run: Run) -> bool:
        """Close the connection (TCP and kin) once the reply was sent over it."""
        run.msg.reply_close = True
        return True

    @export
    def set_reply_no_connect(self, run: Run) -> bool:
        """Reply over an existing connection only (TCP and kin)."""
        run.msg.reply_no_connect = True
        return True

    @export
    def add_tcp_alias(self, run: Run, port: int) -> int:
        """Let requests to the sender's address and ``port`` reuse this connection; 1 without effect over UDP."""
        return 1 if self._alias(run.msg, port) else -1

    @export
    def add_tcp_alias_via(self, run: Run) -> int:
        """Like ``add_tcp_alias`` with the port of the topmost Via; 0 when the alias was refused."""
        via = run.msg.via
        return 1 if self._alias(run.msg, via.port_no if via is not None else 0) else 0

    def _alias(self, msg: SipMessage, port: int) -> bool:
        rcv = msg.rcv
        if rcv is None or rcv.proto not in _STREAMS:
            return True
        # A sandbox has no network: the connection of its message is the live proxy's, or long gone.
        network = self.proxy.network
        # Kamailio takes any number, and one that is no port has no effect.
        return network is None or not 0 < port < 65536 or network.add_alias(rcv.conid, port)

    # -- the script -------------------------------------------------------------------------------------------------

    @export
    def set_drop(self, run: Run) -> None:
        """When the callback has ended, drop the message: a reply is not forwarded, a branch not sent."""
        run.dropped = True

    @export
    def route(self, run: Run, name: str) -> int:
        """Call the script's callback ``name`` on this message and return its number; -1 when there is none.

        An exit in it ends that callback only.
        """
        script = self.proxy.script
        if script is None or not script.has(name):
            return -1
        inner = Run(run.proxy, run.msg, run.route, run.record, run.avps, run.t, run.branch)
        inner.reply = run.reply
        inner._local = run.local
        result = script.call(inner, name)
        run.t = inner.t
        run.dropped = run.dropped or inner.dropped
        run.handled = run.handled or inner.handled
        return result
