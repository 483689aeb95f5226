"""SIP over UDP: nonblocking sockets read inside the event loop's selector (see loop.py), one system call a datagram."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from . import loop as netloop
from .address import Dest, Listen, Rcv
from .transport import Hub, Transport, bind_socket, log

_MAX_PEERS = 8192
_LARGEST = 65535


class UdpSocket:
    """One bound socket and its reader."""

    __slots__ = ("_counters", "_hub", "_peers", "_recvfrom", "listen", "sendto", "sock")

    def __init__(self, owner: UdpTransport, listen: Listen, sock: socket.socket) -> None:
        self.listen = listen
        self.sock = sock
        self.sendto = sock.sendto
        self._recvfrom = sock.recvfrom
        self._hub = owner.hub
        self._counters = owner.counters
        # One Rcv for each peer, whatever it sends: most datagrams come from few addresses.
        self._peers: dict[tuple[str, int], Rcv] = {}

    def read(self) -> None:
        """Take one datagram. One, since asking whether there is a second costs as much as the selector's next round."""
        try:
            data, addr = self._recvfrom(_LARGEST)
        except BlockingIOError:
            return
        except OSError as err:
            self._counters.errors += 1
            log.warning("cannot receive on %s: %s", self.listen.text, err)
            return
        self._counters.received += 1
        rcv = self._peers.get(addr)
        if rcv is None:
            rcv = self._new_peer(addr)
        try:
            self._hub.on_message(data, rcv)  # Hub.deliver without the call
        except Exception:
            log.exception("exception while handling a message from udp:%s:%d", rcv.src_ip, rcv.src_port)

    def _new_peer(self, addr: tuple[str, int]) -> Rcv:
        if len(self._peers) >= _MAX_PEERS:
            self._peers.clear()
        listen = self.listen
        rcv = self._peers[addr] = Rcv("udp", addr[0], addr[1], listen.host, listen.port, listen)
        return rcv


class UdpTransport(Transport):
    """All UDP listen sockets."""

    proto = "udp"

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._socks: dict[str, UdpSocket] = {}

    async def open(self, listen: Listen) -> None:
        sock = bind_socket(listen, socket.SOCK_DGRAM)
        # The system caps it at net.core.rmem_max without an error.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.hub.options.udp_rcvbuf)
        udp = self._socks[listen.text] = UdpSocket(self, listen, sock)
        netloop.add_reader(asyncio.get_running_loop(), sock.fileno(), udp.read)

    def send(self, data: bytes, dest: Dest, listen: Listen | None) -> bool:
        udp = self._socks.get(listen.text) if listen is not None else None
        if udp is None:
            return self.failed(OSError(errno.EADDRNOTAVAIL, f"no UDP socket to send from to {dest.text}"))
        ip = dest.ip
        if not self.hub.numeric(ip):
            return self.failed(OSError(errno.EINVAL, f"{ip!r} is a name; resolve it before sending"))
        try:
            udp.sendto(data, (ip, dest.port))
        except OSError as err:
            return self.failed(err)
        except OverflowError:
            return self.failed(OSError(errno.EINVAL, f"{os.strerror(errno.EINVAL)}: port {dest.port}"))
        self.counters.sent += 1
        return True

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for udp in self._socks.values():
            netloop.remove_reader(loop, udp.sock.fileno())
            udp.sock.close()
        self._socks.clear()
