"""HEP over UDP: what other proxies mirror comes in, what this one receives and sends is mirrored."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from ..capture import hep
from ..capture.captured import Captured, is_sip
from .address import AddressError, Dest, Listen, canonical_ip, ip_family, parse_host_port
from .transport import bind_socket

log = logging.getLogger("ksrcore.hep")

#: The port of Homer.
PORT = 9060
_LARGEST = 65535


def parse_hep(text: str) -> tuple[str, int]:
    """``udp:HOST:PORT``, the port 9060 when left out. Raises AddressError."""
    proto, _, rest = text.partition(":")
    if proto.lower() != "udp" or not rest:
        raise AddressError(f"HEP goes over UDP: expected udp:HOST:PORT such as udp:127.0.0.1:{PORT}, got {text!r}")
    try:
        host, port = parse_host_port(rest)
    except AddressError as error:
        raise AddressError(f"HEP address {text!r}: {error}") from None
    ip = "127.0.0.1" if host.lower() == "localhost" else canonical_ip(host)
    if not ip:
        raise AddressError(f"HEP address {text!r}: {host!r} is not an IP address or localhost")
    return ip, port or PORT


class HepListener:
    """A socket on which HEP comes. ``on_message(message, sender)`` gets what is SIP; the rest is counted.

    ``sender`` is the address that sent the HEP packet. Raises ListenError when the socket cannot be bound.
    """

    def __init__(self, address: tuple[str, int], now: Callable[[], float]) -> None:
        self.on_message: Callable[[Captured, str], None] = lambda message, sender: None
        self.received = self.other = self.bad = 0
        self._now = now
        self.sock = bind_socket(Listen("udp", *address), socket.SOCK_DGRAM)
        self.port: int = self.sock.getsockname()[1]
        asyncio.get_running_loop().add_reader(self.sock.fileno(), self._read)

    def _read(self) -> None:
        # A few at a time: the proxy's own traffic is first.
        for _ in range(20):
            try:
                data, sender = self.sock.recvfrom(_LARGEST)
            except (BlockingIOError, OSError):
                return
            self.received += 1
            try:
                found = hep.decode(data, self._now())
            except hep.HepError as error:
                self.bad += 1
                if self.bad == 1:
                    log.warning("HEP from %s: %s (more of that is counted only)", sender[0], error)
                continue
            if found.kind != 1 or not is_sip(found.message.data):
                self.other += 1
                continue
            try:
                self.on_message(found.message, sender[0])
            except Exception:
                log.exception("a HEP message from %s", sender[0])

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.sock.fileno())
        self.sock.close()


class HepSender:
    """Sends copies of messages as HEP3. What cannot be sent is counted: a collector that is gone holds up nothing."""

    def __init__(self, address: tuple[str, int], capture_id: int = 1) -> None:
        self.dest = Dest("udp", *address)
        self.capture_id = capture_id
        self.sent = self.failed = 0
        self.sock = socket.socket(ip_family(address[0]), socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self._address = address

    def send(self, message: Captured, correlation: str = "") -> None:
        """Send a copy. ``correlation``: what belongs together, the Call-ID. Never raises."""
        try:
            self.sock.sendto(hep.encode(message, self.capture_id, correlation), self._address)
            self.sent += 1
        except (OSError, hep.HepError) as error:
            self.failed += 1
            if self.failed == 1:
                log.warning("cannot mirror a message to %s: %s (more of that is counted only)", self.dest.text, error)

    def close(self) -> None:
        self.sock.close()
