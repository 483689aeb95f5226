"""Starting the node of a Kamailio: the process that speaks for a server which has the agent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .errors import AttachError

if TYPE_CHECKING:
    from ksrcore.kamailio.agents import Server

#: Seconds until a node that was started answers.
PATIENCE = 15.0
#: Seconds that a node stays after its last client.
LINGER = 5.0
LOG = "node.log"
#: What root's environment has that is the node's, too.
_KEPT = frozenset(("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV"))
_KEPT_TOO = ("LC_", "PYTHON", "KSRSHELL_", "KSRAGENT_")


def start(server: Server) -> Path:
    """The control socket of the server's node, which is started when there is none. Raises :class:`AttachError`."""
    from .proxies import listens

    control = server.control
    if server.problem:
        raise AttachError(server.problem)
    if listens(control):
        return control
    if not server.alive:
        raise AttachError(f"the server {server.name} is not running any more ({server.folder})")
    log = server.folder / LOG
    try:
        errors = _new_log(server)
    except OSError as error:
        raise AttachError(f"{log} cannot be written: {error.strerror}") from None
    with errors:
        process = subprocess.Popen(
            # -P: nothing is imported from the folder that the shell happens to be in.
            [sys.executable, "-P", "-m", "ksrcore.kamailio.node", str(server.folder), "--linger", f"{LINGER:g}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(server),
            # It serves others too, and outlives us.
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if listens(control):
            _leave(process)
            return control
        if process.poll() not in (None, 0):
            raise AttachError(_last_line(log) or f"the node of {server.name} ended at once; its log is {log}")
        time.sleep(0.01)
    raise AttachError(f"the node of {server.name} did not answer within {PATIENCE:g} s; its log is {log}")


def _environment(server: Server) -> dict[str, str] | None:
    """None: ours. Root's stays with root: the server's script runs in the node."""
    if os.geteuid() != 0 or server.folder.stat().st_uid == 0:
        return None
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_TOO)}


def _new_log(server: Server) -> BinaryIO:
    """A new file each time: it tells of this node, and belongs to whoever starts it. Raises OSError.

    In the folder itself: root is not to follow when the server's user puts another in its place.
    """
    folder = os.open(server.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(LOG, dir_fd=folder)
        return open(LOG, "xb", opener=lambda path, flags: os.open(path, flags, 0o600, dir_fd=folder))
    finally:
        os.close(folder)


def revive(control: Path) -> None:
    """A node that was there is gone: start another, when ``control`` is one's and its server runs. Never raises."""
    from ksrcore.kamailio.agents import look
    from ksrcore.kamailio.ksragent.folder import ENDING

    if control.parent.name.endswith(ENDING):
        server = look(control.parent)
        if server.alive:
            try:
                start(server)
            except AttachError:
                pass  # it is tried again


def _leave(process: subprocess.Popen[bytes]) -> None:
    """The node lives on: nobody waits for its end, which is no reason for a warning."""
    process.returncode = 0


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line for line in lines if line.startswith("Error: ")]
    return found[-1].removeprefix("Error: ") if found else ""
