"""Starting the node of a Kamailio: the process that speaks for a server which has the agent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AttachError

if TYPE_CHECKING:
    from ksrcore.kamailio.agents import Server

#: Seconds until a node that was started answers.
PATIENCE = 15.0
#: Seconds that a node stays after its last client.
LINGER = 5.0


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
    log = server.folder / "node.log"
    try:
        # A new file each time: it tells of this node, and belongs to whoever starts it.
        log.unlink(missing_ok=True)
        errors = open(log, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))
    except OSError as error:
        raise AttachError(f"{log} cannot be written: {error.strerror}") from None
    with errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ksrcore.kamailio.node", str(server.folder), "--linger", f"{LINGER:g}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
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
