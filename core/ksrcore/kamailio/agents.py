"""Finding the servers that have the agent: their folders (``DIR/NAME.kamailio``), which live, which are gone."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .ksragent.folder import ENDING
from .ksragent.state import Page, PageError, Proc, check_folder

#: The ranks that Kamailio gives to processes which receive SIP: from 1 on.
FIRST_RECEIVER = 1


@dataclass
class Server:
    """A folder. ``facts``: what the server said at its start; ``problem``: why there are none."""

    name: str
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    alive: bool = False
    attached: bool = False
    procs: list[Proc] = field(default_factory=list)
    problem: str = ""

    @property
    def control(self) -> Path:
        """The control socket of its node, there while somebody is attached."""
        return self.folder / f"{self.name}.sock"

    @property
    def workers(self) -> int:
        """Its processes that receive SIP and have the agent."""
        return sum(proc.rank >= FIRST_RECEIVER for proc in self.procs)

    def hello(self) -> dict[str, Any]:
        """What its node would answer to ``ksr.hello``, as far as it is known without one."""
        facts = self.facts
        return {
            "name": self.name,
            "pid": facts.get("pid", 0),
            "version": facts.get("version", ""),
            "script": facts.get("script", ""),
            "listens": facts.get("sockets", []),
            "aliases": [],
            "started": facts.get("started", 0.0),
            "engine": "kamailio",
            "python": facts.get("python", ""),
            "workers": self.workers,
            "attached": self.attached,
        }


def bases() -> list[Path]:
    """Where servers have their folders: those of the own user, and for root those of all users."""
    found = [Path(text) for text in (os.environ.get("KSRSHELL_DIR", ""), "/run/kamailio") if text]
    temporary = Path(tempfile.gettempdir())
    found.append(temporary / f"ksrshell-{os.geteuid()}")
    if runtime := os.environ.get("XDG_RUNTIME_DIR", ""):
        found.append(Path(runtime) / "ksrshell")
    if os.geteuid() == 0:
        found += sorted(temporary.glob("ksrshell-*"))
    else:
        with suppress(KeyError):  # of a server that runs as the user whom the package made for it
            found.append(temporary / f"ksrshell-{pwd.getpwnam('kamailio').pw_uid}")
    return list(dict.fromkeys(found))


def servers() -> list[Server]:
    """Every folder of a server that can be looked into, by name."""
    return sorted(_servers(), key=lambda server: (server.name, str(server.folder)))


def _servers() -> Iterator[Server]:
    for base in bases():
        try:
            folders = [path for path in base.iterdir() if path.name.endswith(ENDING)]
        except OSError:
            continue
        for path in folders:
            server = look(path)
            if server.facts or server.problem:
                yield server


def look(folder: Path) -> Server:
    """What is in that folder. Never raises for one that cannot be used: ``problem`` says why."""
    server = Server(folder.name.removesuffix(ENDING), folder)
    try:
        owner = os.lstat(folder).st_uid
        if os.geteuid() not in (0, owner):
            server.problem = f"{folder} belongs to {user_name(owner)}: attach as that user, or as root"
            return server
        check_folder(str(folder), owner)
        page = Page(str(folder / "state"))
    except FileNotFoundError:
        return server  # not yet, or not any more
    except (OSError, PageError) as error:
        server.problem = str(error) if isinstance(error, PageError) else f"{folder}: {error.strerror}"
        return server
    try:
        facts: Any = page.facts
        if not isinstance(facts, dict):
            raise ValueError("no facts are in it")
        server.facts = facts
        server.alive = page.alive()
        server.attached = server.alive and page.attached and _lives(page.node)
        server.procs = [proc for proc in page.procs() if _lives(proc.pid)]
    except (OSError, ValueError, RecursionError) as error:
        server.problem = f"{folder}: its state page cannot be read: {error}"
    finally:
        page.close()
    return server


def remove(server: Server) -> bool:
    """Remove the folder of a server that is gone, when it is ours and nothing but ours is in it."""
    if server.alive or server.problem or not server.facts or _node_lives(server):
        return False
    try:
        # A server that starts takes over such a folder under the same lock.
        guard = os.open(server.folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who cannot have it now leaves it to the next
        if os.lstat(server.folder).st_uid != os.geteuid() or look(server.folder).alive:
            return False
        shutil.rmtree(server.folder)
    except OSError:
        return False
    finally:
        os.close(guard)
    return True


def _node_lives(server: Server) -> bool:
    try:
        with open(server.folder / "node.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lives(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}")


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
