"""Kamailio's statsd: counters and times to a statsd server, a datagram each."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Self

from ..net.address import canonical_ip, ip_family
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Statsd"]

log = logging.getLogger("ksrcore.statsd")


class Statsd(Module):
    """The datagrams are sent without waiting; one that the system does not take is lost. A sandbox sends none."""

    name = "statsd"

    ip = Param("127.0.0.1", "address of the statsd server: str")
    port = Param("8125", "its port: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._socket: socket.socket | None = None
        self._to: tuple[str, int] = ("", 0)

    def start(self) -> None:
        if not (self.port.isascii() and self.port.isdigit() and 0 < int(self.port) < 65536):
            raise ParamError(f"modparam statsd:port expects a port, got {self.port!r}")
        if not canonical_ip(self.ip):
            raise ParamError(f"modparam statsd:ip expects an IP address, got {self.ip!r}")
        self._family = ip_family(self.ip)
        self._to = (self.ip, int(self.port))

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._socket = None
        return new

    def _send(self, name: str, value: str, kind: str, labels: str = "") -> int:
        text = f"{name}:{value}|{kind}{'|#' + labels if labels else ''}\n"
        if self.proxy.sandbox:
            log.info("statsd: a sandbox does not send %s", text.rstrip())
            return 1
        try:
            if self._socket is None:
                self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(text.encode("latin-1"), self._to)
        except OSError as error:
            log.error("statsd: %s:%d: %s", *self._to, error)
            return -1
        return 1

    def _set(self, key: str, value: str, labels: str) -> int:
        # As in Kamailio a set takes numbers only, and what is none gives 0.
        if not value.lstrip("+-").isdigit():
            log.error("statsd_set expects a number, got %r", value)
            return 0
        return self._send(key, value, "s", labels)

    def _stop(self, run: Run, key: str, labels: str) -> int:
        began = run.avps.get(f"statsd_{key}")
        try:
            passed = int(self.proxy.wall() * 1000) - int(str(began))
        except ValueError:
            log.error("statsd_stop: %r was not started", key)
            return 0
        return self._send(key, str(passed), "ms", labels)

    @export
    def statsd_incr(self, run: Run, key: str) -> int:
        """Count 1: 1, -1 when it could not be sent."""
        return self._send(key, "1", "c")

    @export
    def statsd_decr(self, run: Run, key: str) -> int:
        """Count -1: 1, -1 when it could not be sent."""
        return self._send(key, "-1", "c")

    @export
    def statsd_gauge(self, run: Run, key: str, val: str) -> int:
        """Set a gauge, with + or - change it: 1, -1 when it could not be sent."""
        return self._send(key, val, "g")

    @export
    def statsd_histogram(self, run: Run, key: str, val: str) -> int:
        """Put a value into a histogram: 1, -1 when it could not be sent."""
        return self._send(key, val, "h")

    @export
    def statsd_set(self, run: Run, key: str, val: str) -> int:
        """Put a number into a set: 1, 0 for what is no number, -1 when it could not be sent."""
        return self._set(key, val, "")

    @export
    def statsd_start(self, run: Run, key: str) -> int:
        """Begin to measure a time: 1."""
        run.avps.add(f"statsd_{key}", str(int(self.proxy.wall() * 1000)))
        return 1

    @export
    def statsd_stop(self, run: Run, key: str) -> int:
        """Send the time since statsd_start of that key, in this message or transaction: 1, 0 it was not begun."""
        return self._stop(run, key, "")

    # Kamailio 5.8 and later: the same with labels, such as route:invite,code:200.

    @export
    def statsd_labels_incr(self, run: Run, key: str, labels: str) -> int:
        """``statsd_incr`` with labels (Kamailio 5.8 and later)."""
        return self._send(key, "1", "c", labels)

    @export
    def statsd_labels_decr(self, run: Run, key: str, labels: str) -> int:
        """``statsd_decr`` with labels (Kamailio 5.8 and later)."""
        return self._send(key, "-1", "c", labels)

    @export
    def statsd_labels_gauge(self, run: Run, key: str, val: str, labels: str) -> int:
        """``statsd_gauge`` with labels (Kamailio 5.8 and later)."""
        return self._send(key, val, "g", labels)

    @export
    def statsd_labels_histogram(self, run: Run, key: str, val: str, labels: str) -> int:
        """``statsd_histogram`` with labels (Kamailio 5.8 and later)."""
        return self._send(key, val, "h", labels)

    @export
    def statsd_labels_set(self, run: Run, key: str, val: str, labels: str) -> int:
        """``statsd_set`` with labels (Kamailio 5.8 and later)."""
        return self._set(key, val, labels)

    @export
    def statsd_labels_stop(self, run: Run, key: str, labels: str) -> int:
        """``statsd_stop`` with labels (Kamailio 5.8 and later)."""
        return self._stop(run, key, labels)
