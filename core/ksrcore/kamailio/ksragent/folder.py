"""Where a server's folder is, and how its processes agree on it.

The folder is ``DIR/NAME.kamailio``. It is made by the first process that begins to serve, after Kamailio has changed to
its user; what was made before the fork is only a piece of shared memory in which that process writes the path.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import tempfile
import time
from typing import TYPE_CHECKING, Any

from .sockets import listening
from .state import Page, PageError, check_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ENDING = ".kamailio"
_SIZE = 4096
_NAMES = 99
#: Seconds to wait for another server that begins.
_PATIENCE = 2.0

_meeting: Meeting | None = None


class Meeting:
    """Shared by all processes of the server. ``fd`` can be locked by each (fcntl.lockf)."""

    def __init__(self, name: str, base: str) -> None:
        self.name = name
        self.base = base
        self.fd = os.memfd_create("ksragent")
        os.ftruncate(self.fd, _SIZE)
        self.map = mmap.mmap(self.fd, _SIZE)
        self.kept: Page | None = None

    def path(self, facts: Callable[[], dict[str, Any]]) -> str:
        """The server's folder, made by whoever asks first. Raises :class:`PageError` or OSError."""
        fcntl.lockf(self.fd, fcntl.LOCK_EX)
        try:
            if not self.map[0]:
                try:
                    said, text = b"\1", self._make(facts())
                except OSError as error:
                    said = b"\2"
                    text = (
                        f"{error.filename}: {error.strerror} for the server's user (uid {os.geteuid()}): give it the "
                        "folder, or name another one in KSRSHELL_DIR"
                    )
                except PageError as error:
                    said, text = b"\2", str(error)
                data = text.encode("utf-8", "surrogateescape")[: _SIZE - 3]
                self.map[1 : 1 + len(data)] = data
                self.map[0:1] = said
            text = self.map[1:].partition(b"\0")[0].decode("utf-8", "surrogateescape")
            if self.map[0] == 2:
                raise PageError(text)
            return text
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def _make(self, facts: dict[str, Any]) -> str:
        base = self.base or default_base()
        own = os.path.basename(facts["script"])
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self.name or os.path.splitext(own)[0]).lstrip(".") or "kamailio"
        # The main process takes part too: any other is its child.
        facts = {
            **facts,
            "uid": os.geteuid(),
            "started": time.time(),
            "generation": time.time_ns(),
            "sockets": listening()[:32],
        }
        guard = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _lock(guard, base)
            for number in range(1, _NAMES + 1):
                called = name if number == 1 else f"{name}-{number}"
                path = os.path.join(base, called + ENDING)
                if _take(path):
                    page = os.path.join(path, "state")
                    self.kept = Page(page, create={**facts, "name": called}, secret=os.urandom(16).hex())
                    self.kept.hold_life()
                    return path
        finally:
            os.close(guard)
        raise PageError(f"no name is free in {base}: there are {name} to {name}-{_NAMES}")


def _lock(guard: int, base: str) -> None:
    """Lock the folder against other servers that begin. Anybody who may look into it could keep it locked: that is not
    waited for. Raises :class:`PageError`."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > end:
                raise PageError(f"{base} is locked by another process: name another folder in KSRSHELL_DIR") from None
        time.sleep(0.01)


def meeting(name: str, base: str) -> Meeting:
    """The server's: one, however often its script is loaded."""
    global _meeting
    if _meeting is None:
        _meeting = Meeting(name, base)
    return _meeting


def default_base() -> str:
    """``/run/kamailio`` when it can be written, else ``ksrshell-UID`` in the folder for temporary files."""
    if os.access("/run/kamailio", os.W_OK):
        return "/run/kamailio"
    path = os.path.join(tempfile.gettempdir(), f"ksrshell-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        check_folder(path, os.geteuid())
    return path


def _take(path: str) -> bool:
    """Make the folder, or take over that of a server which is gone. False: it is somebody else's."""
    try:
        os.mkdir(path, 0o700)
        return True
    except FileExistsError:
        pass
    try:
        check_folder(path, os.geteuid())
    except PageError:
        return False
    state = os.path.join(path, "state")
    try:
        fd = os.open(state, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not _dead(fd):
            return False
    finally:
        os.close(fd)
    os.unlink(state)
    return True


def _dead(fd: int) -> bool:
    """Whether no process has the page. Somebody may just be asking the same: a second try tells."""
    for _ in range(3):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            time.sleep(0.005)
    return False
