"""The sockets that this process has bound or listens on, from /proc."""

from __future__ import annotations

import os
import socket
import sys

_TABLES = (("udp", socket.AF_INET), ("udp6", socket.AF_INET6), ("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6))


def listening() -> list[str]:
    """``udp:127.0.0.1:5060``, ``tcp:[::1]:5060`` ...: bound and unconnected, or listening. What cannot be read is left
    out; not all of them need be Kamailio's for SIP."""
    own = set()
    try:
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink("/proc/self/fd/" + name)
            except OSError:
                continue
            if target.startswith("socket:["):
                own.add(target[8:-1])
    except OSError:
        return []
    found = []
    for table, family in _TABLES:
        try:
            with open("/proc/self/net/" + table) as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # State 0A is listening, 07 a datagram socket that is not connected.
            if len(fields) > 9 and fields[9] in own and fields[3] in ("0A", "07"):
                host, port = _address(fields[1], family)
                found.append(f"{table[:3]}:{host}:{port}")
    return found


def _address(text: str, family: int) -> tuple[str, int]:
    """An address of the kernel's tables: words of 32 bits in the machine's order."""
    host, _, port = text.partition(":")
    raw = b"".join(int(host[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(host), 8))
    ip = socket.inet_ntop(family, raw)
    return (f"[{ip}]" if family == socket.AF_INET6 else ip), int(port, 16)
