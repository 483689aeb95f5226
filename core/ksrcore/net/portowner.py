"""Who holds a port: the name for the message about a taken one. Linux's /proc; elsewhere nobody is found."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TCP_LISTEN: Final = "0A"


def port_owner(family: int, stream: bool, port: int) -> str:
    """``NAME (pid N)`` of the process bound to the port, or '' when unknown or not ours to see."""
    inodes = _inodes(family, stream, port)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for proc in _PROC.iterdir():
        if not proc.name.isdigit():
            continue
        try:
            with os.scandir(proc / "fd") as fds:
                found = any(os.readlink(fd.path) in wanted for fd in fds)
            if found:
                return f"{(proc / 'comm').read_text().strip()} (pid {proc.name})"
        except OSError:
            continue  # gone meanwhile, or another user's
    return ""


def _inodes(family: int, stream: bool, port: int) -> set[str]:
    kind = "tcp" if stream else "udp"
    # A dual-stack IPv6 socket takes the IPv4 port as well.
    tables = [f"{kind}6"] if family == socket.AF_INET6 else [kind, f"{kind}6"]
    found: set[str] = set()
    for table in tables:
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if int(local.rpartition(":")[2], 16) == port and (not stream or state == _TCP_LISTEN):
                found.add(inode)
    return found
