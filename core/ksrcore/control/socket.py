"""The control socket's place on disk and who may open it.

Attaching means running code in the proxy, so the socket is 0600, in a folder 0700 unless another is asked for, and the
peer's user id is checked.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path


class ControlSocketError(Exception):
    """The control socket cannot be opened: one line."""


def open_control_socket(path: Path, name: str) -> socket.socket:
    """Bind and listen. A socket left by a proxy that is gone is replaced. Raises :class:`ControlSocketError`."""
    if check_control_path(path, name):
        path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise ControlSocketError(f"cannot open the control socket {path}: {error.strerror}") from None
    finally:
        os.umask(old)
    sock.listen(16)
    sock.setblocking(False)
    return sock


def check_control_path(path: Path, name: str) -> bool:
    """Whether a stale socket is there. Raises :class:`ControlSocketError` when the path cannot be a new proxy's."""
    if len(os.fsencode(path)) > 107:
        raise ControlSocketError(f"control socket path is too long for a Unix socket (107 bytes): {path}")
    if not path.parent.is_dir():
        raise ControlSocketError(f"control socket {path}: its folder {path.parent} does not exist; create it first")
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ControlSocketError(f"cannot look at the control socket {path}: {error.strerror}") from None
    # A link leads to the socket of a proxy that lies elsewhere, such as a demo's.
    if not stat.S_ISSOCK(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        raise ControlSocketError(f"{path} exists and is not a socket: name another with --control")
    if found.st_uid != os.geteuid():
        raise ControlSocketError(f"control socket {path} belongs to user {found.st_uid}: name another with --control")
    if _answers(path):
        raise ControlSocketError(f"a proxy named {name!r} is already running at {path}: choose another --name")
    return True


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def peer_uid(sock: socket.socket) -> int:
    """The user id of the process at the other end (Linux SO_PEERCRED)."""
    creds = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", creds)
    return int(uid)
