"""A message of a capture file, and the error of files that are none."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MAX_SIP", "CaptureError", "Captured", "is_sip"]

#: Bytes of one message: what a UDP datagram and the buffer of a TCP connection hold at most.
MAX_SIP = 65536


class CaptureError(ValueError):
    """A capture that cannot be used at all: one line for the user."""


class Captured(NamedTuple):
    """One SIP message as it was on the wire. ``time`` is unix time in seconds; addresses are text as in net.address.

    ``conid`` numbers the TCP connections of a capture from 1, 0 for datagrams. ``out``: whether the proxy sent it, None
    where the capture does not say. ``comment``: what the capture has written beside it.
    """

    time: float
    proto: str
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    data: bytes
    conid: int = 0
    out: bool | None = None
    comment: str = ""


def is_sip(data: bytes | memoryview) -> bool:
    """Whether a datagram is SIP: a status line, or a first line that ends with the version (RFC 3261 7)."""
    head = bytes(data[:4096]).lstrip(b"\r\n")
    if head[:8].upper() == b"SIP/2.0 ":
        return True
    end = head.find(b"\n")
    return end > 0 and head[:end].rstrip(b"\r ")[-8:].upper() == b" SIP/2.0"
