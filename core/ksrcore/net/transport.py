"""What every transport is to the network: listen sockets of one proto, a way to send, counters."""

from __future__ import annotations

import errno
import itertools
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .address import Dest, Listen, Rcv, canonical_ip
from .portowner import port_owner

log = logging.getLogger("ksrcore.net")

_MAX_CACHED = 4096


class ListenError(OSError):
    """A listen address that cannot be opened; str() is one line for the user, ``errno`` the system's number."""

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass(slots=True)
class NetOptions:
    """Kamailio's core parameters of the same names. Times in seconds, sizes in bytes."""

    tcp_rd_buf_size: int = 65536  #: the largest message on a stream
    tcp_accept_no_cl: bool = False  #: a stream's message without Content-Length has no body, instead of being an error
    tcp_crlf_ping: bool = True  #: answer CRLF CRLF with CRLF
    tcp_connection_lifetime: float = 120.0  #: a connection idle for so long is closed
    tcp_max_connections: int = 2048
    tcp_connect_timeout: float = 10.0
    tcp_send_timeout: float = 10.0  #: a peer that does not read for so long is cut off
    tcp_conn_wq_max: int = 32768  #: what may wait for one slow peer
    tcp_wq_max: int = 10485760  #: what may wait for all slow peers
    tcp_no_connect: bool = False  #: never open a connection
    udp_rcvbuf: int = 4194304  #: asked of the system for each UDP socket; the system may grant less


@dataclass(slots=True)
class Counters:
    """Messages of one proto since the start. ``errors`` are failed sends and unreadable streams."""

    received: int = 0
    sent: int = 0
    errors: int = 0


@dataclass(slots=True, frozen=True)
class ConnInfo:
    """One connection as a listing shows it. ``src`` is the peer, ``dst`` our end, both HOST:PORT; times in seconds."""

    id: int
    proto: str
    src: str
    dst: str
    idle: float
    lifetime: float
    state: str
    outgoing: bool
    queued: int
    aliases: tuple[int, ...]


def _ignore_message(data: bytes, rcv: Rcv) -> None:
    log.warning("message of %d bytes from %s:%d ignored: nobody listens yet", len(data), rcv.src_ip, rcv.src_port)


def _ignore_error(dest: Dest, data: bytes, error: OSError) -> None:
    """The owner may do without."""


class Hub:
    """What the transports of one network share."""

    __slots__ = ("_numeric", "conids", "last_error", "on_message", "on_send_error", "options")

    def __init__(self, options: NetOptions) -> None:
        self.options = options
        self.on_message: Callable[[bytes, Rcv], object] = _ignore_message
        self.on_send_error: Callable[[Dest, bytes, OSError], None] = _ignore_error
        self.last_error: OSError | None = None
        self.conids = itertools.count(1)
        self._numeric: set[str] = set()

    def deliver(self, data: bytes, rcv: Rcv) -> None:
        """Hand a message to the owner, whose exceptions end here."""
        try:
            self.on_message(data, rcv)
        except Exception:
            log.exception("exception while handling a message from %s:%s:%d", rcv.proto, rcv.src_ip, rcv.src_port)

    def report(self, dest: Dest, data: bytes, error: OSError) -> None:
        """Tell the owner of a message that was taken and then could not be sent."""
        log.warning("cannot send %d bytes to %s: %s", len(data), dest.text, error)
        try:
            self.on_send_error(dest, data, error)
        except Exception:
            log.exception("exception in on_send_error for %s", dest.text)

    def numeric(self, ip: str) -> bool:
        """Whether ip is a literal address. A name would make the system's calls wait for DNS."""
        if ip in self._numeric:
            return True
        if not canonical_ip(ip):
            return False
        if len(self._numeric) >= _MAX_CACHED:
            self._numeric.clear()
        self._numeric.add(ip)
        return True


class Transport(ABC):
    """All listen sockets of one proto, and its connections if it has some."""

    #: Filled by subclasses for the registry.
    proto: ClassVar[str]

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.counters = Counters()

    @abstractmethod
    async def open(self, listen: Listen) -> None:
        """Bind; port 0 becomes the port the system chose. Raises ListenError and then leaves nothing open."""

    @abstractmethod
    def send(self, data: bytes, dest: Dest, listen: Listen | None) -> bool:
        """Send or queue. ``listen`` is the socket to send from. False: failed, and hub.last_error says why."""

    @abstractmethod
    async def close(self) -> None:
        """Close everything; what is queued gets a moment to leave."""

    def failed(self, error: OSError) -> bool:
        """Count and keep a failed send; always False, to be returned by send()."""
        self.counters.errors += 1
        self.hub.last_error = error
        return False


def bind_socket(listen: Listen, kind: socket.SocketKind) -> socket.socket:
    """A bound nonblocking socket for the listen address, its port filled in. Raises ListenError."""
    stream = kind == socket.SOCK_STREAM
    try:
        sock = socket.socket(listen.family, kind)
    except OSError as err:
        raise ListenError(err.errno, f"cannot open {listen.text}: {err.strerror}") from None
    try:
        if listen.family == socket.AF_INET6:
            # One socket, one family: as Kamailio, and what is said of a source address stays true.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if stream:
            # Only for streams, where it means: do not wait for TIME_WAIT. For UDP it would share the port silently.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((listen.host, listen.port))
        if stream:
            sock.listen(1024)
    except OSError as err:
        sock.close()
        raise ListenError(err.errno, _why(listen, stream, err)) from None
    listen.set_port(sock.getsockname()[1])
    return sock


def _why(listen: Listen, stream: bool, err: OSError) -> str:
    if err.errno == errno.EADDRINUSE:
        owner = port_owner(listen.family, stream, listen.port)
        return f"cannot listen on {listen.text}: the port is taken by {owner or 'another process'}"
    if err.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {listen.text}: this machine has no address {listen.host}"
    if err.errno == errno.EACCES:
        return f"cannot listen on {listen.text}: not allowed; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    return f"cannot listen on {listen.text}: {err.strerror}"
