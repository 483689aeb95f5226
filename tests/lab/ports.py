"""Free loopback ports, picked so that two servers started at the same moment do not meet."""

import random
import socket
from pathlib import Path

# Below Linux's ephemeral range (32768..60999): no client socket of anybody takes one between the look and the bind.
FIRST, LAST = 20000, 32000

_given: set[int] = set()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when both a UDP and a TCP socket can be bound to ``port`` now."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # A connection of an earlier test in TIME_WAIT does not hinder a server, so it must not hinder the look.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(host: str = "127.0.0.1", first: int = FIRST, last: int = LAST) -> int:
    """A port in first..last-1, free for UDP and TCP, that this process has not given out before."""
    source = random.SystemRandom()
    for _ in range(1000):
        port = source.randrange(first, last)
        if port not in _given and is_free(port, host):
            _given.add(port)
            return port
    raise OSError(f"no free port between {first} and {last} on {host} in 1000 tries")


def free_media_port(host: str = "127.0.0.1") -> int:
    """The first of six free ports in a row: SIPp binds audio, video and their RTCP beside the one it is given."""
    for _ in range(1000):
        first = free_port(host, FIRST, LAST - 6)
        others = range(first + 1, first + 6)
        if all(port not in _given and is_free(port, host) for port in others):
            _given.update(others)
            return first
    raise OSError(f"no six free ports in a row between {FIRST} and {LAST} on {host} in 1000 tries")


def is_bound(port: int, transport: str = "udp") -> bool:
    """True when a process of this network namespace has a UDP socket on, or listens for TCP at, ``port``."""
    listening = "0A" if transport == "tcp" else None
    for family in ("", "6"):
        try:
            lines = Path(f"/proc/net/{transport}{family}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and listening in (None, fields[3]):
                return True
    return False
