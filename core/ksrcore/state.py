"""Where ksrshell keeps its files: the state folder (database) and the runtime folder (control sockets)."""

import os
import stat
import tempfile
from pathlib import Path

__all__ = ["StateError", "default_db_url", "runtime_dir", "state_dir"]


class StateError(Exception):
    """A folder cannot be made or is not safe to use."""


def state_dir() -> Path:
    """`$XDG_STATE_HOME/ksrshell`, else `~/.local/state/ksrshell`, made with mode 0700 when absent."""
    base = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path in the variable is invalid and to be ignored.
    if base and os.path.isabs(base):
        folder = Path(base) / "ksrshell"
    else:
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise StateError("this user has no home directory; set XDG_STATE_HOME to an absolute path")
        folder = Path(home) / ".local" / "state" / "ksrshell"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"state folder {folder} cannot be made: {error.strerror}; set XDG_STATE_HOME to a folder you can write"
        ) from None
    return folder


def runtime_dir() -> Path:
    """`$XDG_RUNTIME_DIR/ksrshell`, else `ksrshell-<uid>` in the folder for temporary files; mode 0700.

    Who can connect to a socket in it runs code in the proxy, so a folder that is not a real directory, belongs to
    another user or is open to others raises StateError.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.path.isabs(base):
        folder = Path(base) / "ksrshell"
    else:
        folder = Path(tempfile.gettempdir()) / f"ksrshell-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise StateError(
            f"runtime folder {folder} cannot be made: {error.strerror}; set XDG_RUNTIME_DIR to a folder of yours"
        ) from None
    try:
        found = folder.lstat()
    except OSError as error:
        raise StateError(f"runtime folder {folder} cannot be read: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"runtime folder {folder} is not a directory; remove it")
    if found.st_uid != os.geteuid():
        raise StateError(
            f"runtime folder {folder} belongs to uid {found.st_uid}, expected {os.geteuid()}; "
            "remove it or set XDG_RUNTIME_DIR to a folder of yours"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 or mode & 0o700 != 0o700:
        raise StateError(f"runtime folder {folder} has mode {mode:04o}, expected 0700; run: chmod 700 {folder}")
    return folder


def default_db_url() -> str:
    """URL of the database used when none is given: `ksrshell.db` in the state folder."""
    return f"sqlite:///{state_dir() / 'ksrshell.db'}"
