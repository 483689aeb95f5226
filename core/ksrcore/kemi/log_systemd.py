"""Kamailio's log_systemd: messages to systemd's journal, by its native protocol.

Each message is one datagram of ``NAME=value`` lines; a value with a line feed is given with its length instead
(systemd's JOURNAL_NATIVE_PROTOCOL).
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Self

from ..pv.state import XList
from .declare import Module, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["LogSystemd"]

log = logging.getLogger("ksrcore.log_systemd")

#: Where the journal listens; the environment variable KSR_JOURNAL_SOCKET names another place.
JOURNAL = "/run/systemd/journal/socket"

_PRIORITIES = {
    "L_ALERT": 1,
    "L_BUG": 2,
    "L_CRIT2": 2,
    "L_CRIT": 2,
    "L_ERR": 3,
    "L_WARN": 4,
    "L_NOTICE": 5,
    "L_INFO": 6,
    "L_DBG": 7,
}


def encode(fields: list[tuple[str, str]]) -> bytes:
    """The datagram of fields, wire text."""
    out = []
    for name, value in fields:
        data = value.encode("latin-1")
        if b"\n" in data:
            out.append(name.encode("latin-1") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            out.append(name.encode("latin-1") + b"=" + data + b"\n")
    return b"".join(out)


class LogSystemd(Module):
    """Nothing waits: what the journal does not take at once is lost. A sandbox sends nothing."""

    name = "log_systemd"

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.path = os.environ.get("KSR_JOURNAL_SOCKET", JOURNAL)
        self._socket: socket.socket | None = None

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._socket = None
        return new

    def _send(self, fields: list[tuple[str, str]]) -> int:
        if self.proxy.sandbox:
            log.info("log_systemd: a sandbox writes nothing to the journal")
            return 1
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(encode(fields), self.path)
        except OSError as error:
            log.error("log_systemd: %s: %s", self.path, error.strerror)
            return -1
        return 1

    @export
    def sd_journal_print(self, run: Run, slev: str, stxt: str) -> int:
        """Write a text to the journal at a level ``L_DBG L_INFO L_NOTICE L_WARN L_ERR L_CRIT L_ALERT``: 1, or -1."""
        priority = _PRIORITIES.get(slev)
        if priority is None:
            log.error("sd_journal_print expects a level %s, got %r", " ".join(_PRIORITIES), slev)
            return -1
        fields = [("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", self.proxy.name), ("MESSAGE", stxt)]
        return self._send(fields)

    @export
    def sd_journal_send_xvap(self, run: Run, sxname: str) -> int:
        """Write the fields of an XAVP (PRIORITY, MESSAGE ..., names in capitals) to the journal: 1, or -1."""
        item = run.avps.xavps.get(sxname)
        if item is None or not isinstance(item.value, XList):
            log.error("sd_journal_send_xvap: there is no XAVP %r with fields", sxname)
            return -1
        fields = [(child.name, str(child.value)) for child in item.value if isinstance(child.value, str | int)]
        return self._send(fields) if fields else -1
