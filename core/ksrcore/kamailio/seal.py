"""The node reaches nothing and nobody outside: whatever runs in its process, our modules or the user's script, may open
no connection, send no datagram, write no file outside the server's folder, start no program.

An audit hook (PEP 578) sees all of that before it happens and refuses it, in every thread. What the node itself does,
asking the server's RPC and waking its workers, stands in ``with ours():``. Not seen is what a library in C does by
itself, without Python's sockets and files.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any

__all__ = ["Sealed", "ours", "seal"]

_ours: ContextVar[bool] = ContextVar("ours", default=False)

#: Refused wherever it leads.
_NEVER = frozenset((
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn",
    "os.kill", "os.killpg", "signal.pthread_kill", "os.chdir", "syslog.openlog", "syslog.syslog", "socket.sethostname",
))  # fmt: skip
#: Their second argument is the address.
_SOCKETS = frozenset(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"))
#: Their first argument is a name that DNS may be asked for, or an address.
_NAMES = frozenset((
    "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
))  # fmt: skip
#: What changes files: how many of the first arguments are paths.
_PATHS = {
    "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2, "os.truncate": 1,
    "os.chmod": 1, "os.chown": 1, "os.utime": 1, "os.setxattr": 1, "os.removexattr": 1,
}  # fmt: skip
_WATCHED = _NEVER | _SOCKETS | _NAMES | _PATHS.keys() | {"open", "sqlite3.connect"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Sealed(PermissionError):
    """Something was to leave the node's process: one line."""

    def __init__(self, event: str, what: object) -> None:
        text = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
        super().__init__(errno.EPERM, f"nothing leaves the process beside a server: {event} {text[:200]}")


@contextmanager
def ours() -> Iterator[None]:
    """What is done inside is the node's own work: of this task, and of threads that ``asyncio.to_thread`` starts."""
    before = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(before)


def seal(folder: str) -> None:
    """From now on, for the life of the process. ``folder``: absolute, where files may be written and sockets be."""
    inside = os.path.join(os.path.realpath(folder), "")
    # No module that the script imports leaves a compiled file.
    sys.dont_write_bytecode = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _WATCHED and not _ours.get():
            outside = _outside(event, args, inside)
            if outside is not None:
                raise Sealed(event, outside)

    sys.addaudithook(hook)


def _outside(event: str, args: tuple[Any, ...], inside: str) -> object:
    """What of this lies outside; None: nothing."""
    if event == "open":
        path, mode, flags = args
        if isinstance(path, int):
            return None
        writes = bool(flags & _WRITES) if isinstance(flags, int) else False
        return path if (writes or isinstance(mode, str) and set(mode) & set("wax+")) and not _in(path, inside) else None
    if event in _SOCKETS:
        address = args[1]
        if isinstance(address, str | bytes) and address and address[:1] not in ("\0", b"\0") and _in(address, inside):
            return None
        return address
    if event in _NAMES:
        return None if _numeric(args[0]) else args[0]
    if event == "sqlite3.connect":
        path = args[0]
        return None if path in (":memory:", "", b":memory:") else path
    if event in _PATHS:
        paths = args[: _PATHS[event]]
        return next((path for path in paths if not isinstance(path, int) and not _in(path, inside)), None)
    return args[0] if args else ""


def _in(path: Any, inside: str) -> bool:
    """Whether it is a path in the folder, where the process is, or the one place that forgets."""
    text = os.path.abspath(os.fsdecode(path))
    return text.startswith(inside) or text == os.devnull


def _numeric(host: Any) -> bool:
    if host is None:
        return True
    text = host[0] if isinstance(host, tuple) else host
    try:
        ip_address(text.decode("ascii") if isinstance(text, bytes) else str(text))
    except ValueError:
        return False
    return True
