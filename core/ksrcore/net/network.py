"""All sockets of a proxy: open, send, receive, list, close."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

from .address import CARRIERS, Dest, Listen, Rcv, ip_family
from .tcp import StreamTransport, TcpTransport
from .transport import ConnInfo, Counters, Hub, ListenError, NetOptions, Transport
from .udp import UdpTransport
from .ws import Link

#: The transports there are: proto -> class. tls, ws and wss take their place here.
TRANSPORTS: Final[dict[str, type[Transport]]] = {"udp": UdpTransport, "tcp": TcpTransport}

_WILDCARDS: Final = ("0.0.0.0", "::")
_MAX_PICKS: Final = 4096


class Network:
    """The proxy's sockets.

    ``on_message(data, rcv)`` is called for every message; its exceptions are logged. It returns False for what
    could not be read. A send fails in one of two ways,
    never both: ``send`` returns False and ``last_error`` says why, or it returned True and ``on_send_error(dest, data,
    error)`` comes later, when a connection could not be opened. Everything happens on the loop's thread.
    """

    def __init__(self, options: NetOptions | None = None) -> None:
        self.options = options or NetOptions()
        self.listens: list[Listen] = []
        #: Per proto: messages received, sent, and errors.
        self.counters: dict[str, Counters] = {}
        self._hub = Hub(self.options)
        self._transports: dict[str, Transport] = {}
        self._picks: dict[tuple[str, str], Listen | None] = {}

    @property
    def on_message(self) -> Callable[[bytes, Rcv], object]:
        return self._hub.on_message

    @on_message.setter
    def on_message(self, handler: Callable[[bytes, Rcv], object]) -> None:
        self._hub.on_message = handler

    @property
    def on_send_error(self) -> Callable[[Dest, bytes, OSError], None]:
        return self._hub.on_send_error

    @on_send_error.setter
    def on_send_error(self, handler: Callable[[Dest, bytes, OSError], None]) -> None:
        self._hub.on_send_error = handler

    @property
    def last_error(self) -> OSError | None:
        """Why the latest send that returned False did so."""
        return self._hub.last_error

    async def open(self, listens: Sequence[Listen]) -> None:
        """Bind all, in their order; port 0 becomes the port the system chose. Raises ListenError with one line for
        the user, and then nothing of this network is open."""
        try:
            for listen in listens:
                transport = self._transports.get(listen.proto)
                if transport is None:
                    kind = TRANSPORTS.get(listen.proto)
                    if kind is None:
                        known = ", ".join(sorted(TRANSPORTS))
                        why = f"cannot listen on {listen.text}: no transport {listen.proto!r}; there are {known}"
                        if CARRIERS.get(listen.proto) in TRANSPORTS:
                            why += " (WebSocket comes by tcp: the script calls KSR.websocket.handle_handshake())"
                        raise ListenError(errno.EPROTONOSUPPORT, why)
                    transport = self._transports[listen.proto] = kind(self._hub)
                    self.counters[listen.proto] = transport.counters
                if listen.port and listen in self.listens:
                    raise ListenError(errno.EADDRINUSE, f"cannot listen on {listen.text}: it is listed twice")
                await transport.open(listen)
                self.listens.append(listen)
                self._picks.clear()
        except BaseException:
            await self.close()
            raise

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send or queue one message. False: it was not taken, ``last_error`` says why."""
        transport = self._transports.get(CARRIERS.get(dest.proto, dest.proto))
        if transport is None:
            error = OSError(errno.EPROTONOSUPPORT, f"cannot send to {dest.text}: no {dest.proto} socket is open")
            self._hub.last_error = error
            return False
        listen = dest.listen
        if listen is None or listen.proto != dest.proto or (listen.family == socket.AF_INET6) != (":" in dest.ip):
            listen = self.choose_listen(dest.proto, dest.ip, listen)
        return transport.send(data, dest, listen)

    def choose_listen(self, proto: str, ip: str, wanted: Listen | None) -> Listen | None:
        """The socket to send from when the script wants one: that, if it fits; else the one of this proto on the same
        address and port; else pick_listen (as Kamailio does with a forced socket of another proto or family)."""
        if wanted is not None and wanted.family == ip_family(ip):
            over = wanted.over(proto)
            if over is not None:
                return over
            for listen in self.listens:
                if (listen.proto, listen.host, listen.port) == (proto, wanted.host, wanted.port):
                    return listen
        return self.pick_listen(proto, ip)

    def pick_listen(self, proto: str, ip: str) -> Listen | None:
        """The socket from which to send to ip: one of that proto and family.

        Of several: the one with the destination's own address, else the one whose address the system's routes choose
        as source (Kamailio's mhomed), else one on all addresses, else the first.
        """
        key = (proto, ip)
        try:
            return self._picks[key]
        except KeyError:
            pass
        if len(self._picks) >= _MAX_PICKS:
            self._picks.clear()
        family = ip_family(ip)
        carrier = CARRIERS.get(proto, proto)
        found = [listen for listen in self.listens if listen.proto == carrier and listen.family == family]
        listen = found[0] if found else None
        if len({listen.host for listen in found}) > 1:
            by_host = {listen.host: listen for listen in reversed(found)}
            for host in (ip, _route_source(ip), *_WILDCARDS):
                if host in by_host:
                    listen = by_host[host]
                    break
        if listen is not None:
            listen = listen.over(proto)
        self._picks[key] = listen
        return listen

    def connections(self) -> list[ConnInfo]:
        """Every connection, the oldest first."""
        infos = [conn.info() for transport in self._streams() for conn in transport.table]
        return sorted(infos, key=lambda info: info.id)

    def set_lifetime(self, conid: int, seconds: float) -> bool:
        """Close this connection after so many idle seconds. False: there is none of that id."""
        return any(transport.set_lifetime(conid, seconds) for transport in self._streams())

    def add_alias(self, conid: int, port: int) -> bool:
        """Messages to the peer's ip and this port may take the connection (force_tcp_alias). False: none of that id,
        or it has as many aliases as there may be."""
        return any(transport.add_alias(conid, port) for transport in self._streams())

    def close_connection(self, conid: int) -> bool:
        """Close it once what is queued has left. False: there is none of that id."""
        return any(transport.close_connection(conid) for transport in self._streams())

    def linked(self, dest: Dest) -> bool:
        """Whether there is a connection with frames that a message to ``dest`` would take."""
        transport = self._transports.get(CARRIERS.get(dest.proto, dest.proto))
        return isinstance(transport, StreamTransport) and transport.linked(dest)

    def upgrade(self, conid: int, link: Link) -> bool:
        """Give the connection to ``link``: what comes is its, and messages to it are wrapped by it. False: there is no
        open connection of that id, or it has a link already."""
        return any(transport.upgrade(conid, link) for transport in self._streams())

    def write(self, conid: int, data: bytes, *, close: bool = False) -> bool:
        """Write bytes to a connection as they are, and close it then. False: there is no open one of that id, or too
        much waits for its peer."""
        return any(transport.write(conid, data, close) for transport in self._streams())

    def _streams(self) -> list[StreamTransport]:
        return [transport for transport in self._transports.values() if isinstance(transport, StreamTransport)]

    async def close(self) -> None:
        """Close every socket and connection. The network can be opened again."""
        transports = list(self._transports.values())
        self._transports.clear()
        self._picks.clear()
        self.listens.clear()
        for transport in transports:
            await transport.close()


def _route_source(ip: str) -> str:
    """The source address the system would take to reach ip, or ''. Connecting a UDP socket sends nothing."""
    try:
        with socket.socket(ip_family(ip), socket.SOCK_DGRAM) as sock:
            sock.connect((str(ipaddress.ip_address(ip)), 9))
            return str(sock.getsockname()[0])
    except (OSError, ValueError):
        return ""
