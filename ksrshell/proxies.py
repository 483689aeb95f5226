"""Finding the running proxies: their control sockets in the runtime folder, which of them answer, which are stale; and
the Kamailio servers that have the agent, whether somebody is attached to them or not."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import Client, open_socket, owner
from .errors import AttachError, Disconnected, KsrShellError

if TYPE_CHECKING:
    from ksrcore.kamailio.agents import Server

#: Seconds a proxy has to say hello before `ps` calls it silent.
PATIENCE = 2.0


@dataclass(frozen=True)
class Found:
    """A control socket. ``hello`` and ``stats`` are the proxy's answers; ``problem`` says why there are none."""

    name: str
    path: Path
    hello: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    stale: bool = False


def folder() -> Path:
    """Where the control sockets are. Raises :class:`AttachError` when that folder is not safe to use."""
    from ksrcore.state import StateError, runtime_dir

    try:
        return runtime_dir()
    except StateError as error:
        raise AttachError(str(error)) from None


def running() -> list[Found]:
    """Every control socket in the runtime folder, by name, asked who it is; then the Kamailio servers."""
    found = []
    for path in sorted(folder().glob("*.sock"), key=lambda path: path.stem):
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.stat().st_mode):
                found.append(look(path))
    return found + [found_server(server) for server in servers()]


def servers() -> list[Server]:
    """The Kamailio servers with the agent; folders of those that are gone are removed when they are ours."""
    from ksrcore.kamailio import agents

    return [server for server in agents.servers() if not agents.remove(server) and (server.alive or server.problem)]


def found_server(server: Server) -> Found:
    """A server that has the agent. One that nobody is attached to is not disturbed: it has said who it is."""
    if server.problem:
        return Found(server.name, server.control, problem=server.problem)
    if listens(server.control):
        found = look(server.control)
        if found.hello:
            return found
    hello = server.hello()
    return Found(server.name, server.control, hello, {"workers": server.workers})


def publish(control: Path, name: str) -> Path | None:
    """Link a control socket that lies elsewhere into the runtime folder, so that its proxy is found by its name.

    ``name-2``, ``name-3`` ... when other proxies have the name. Returns the link, None when none can be made.
    """
    try:
        runtime = folder()
    except AttachError:
        return None
    for number in range(1, 100):
        link = runtime / (f"{name}.sock" if number == 1 else f"{name}-{number}.sock")
        try:
            if link.is_symlink() and not listens(link):
                link.unlink(missing_ok=True)  # of a proxy that was killed
            link.symlink_to(control)
        except FileExistsError:
            continue
        except OSError:
            return None
        return link
    return None


def listens(path: Path) -> bool:
    """Whether somebody listens on that socket."""
    try:
        open_socket(path, PATIENCE).close()
    except AttachError:
        return True
    except Disconnected as error:
        return isinstance(error.__context__, TimeoutError)
    return True


def look(path: Path) -> Found:
    """Ask the proxy at ``path`` who it is. Never raises for a proxy that does not answer."""
    name = path.stem
    try:
        with Client(path, timeout=PATIENCE) as client:
            return Found(name, path, client.hello, client.call("ksr.stats"))
    except Disconnected as error:
        return Found(name, path, problem=str(error), stale=is_stale(path))
    except KsrShellError as error:
        return Found(name, path, problem=str(error))


def is_stale(path: Path) -> bool:
    """True when no process holds the socket any more.

    A proxy that is just starting has bound its socket and does not listen yet; the kernel's table of bound sockets
    tells it from one that died. The table has the path as it was bound, so the file's name alone counts.
    """
    try:
        table = Path("/proc/net/unix").read_text(errors="replace")
    except OSError:
        return False  # no way to know: leave it alone
    bound = (line.split(None, 7)[7:] for line in table.splitlines()[1:])
    return not any(os.path.basename(rest[0]) == path.name for rest in bound if rest)


def remove_stale(found: Found) -> bool:
    """Remove the socket of a proxy that died, when it is ours. Returns whether it was removed."""
    if not found.stale:
        return False
    try:
        status = found.path.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISSOCK(status.st_mode) or not is_stale(found.path):
            return False
        found.path.unlink()
    except OSError:
        return False
    return True


def resolve(name_or_path: str | Path | None = None) -> Path:
    """The control socket meant: a path (with a slash or ending with .sock), a proxy's name, or None for the only one.

    A Kamailio server's name, or the path of its folder, starts its node when nobody is attached to it yet.
    Raises :class:`AttachError` when there is none, or more than one to choose from.
    """
    if name_or_path is not None and not isinstance(name_or_path, Path):
        if "/" not in name_or_path and not name_or_path.endswith(".sock"):
            return _named(name_or_path)
        name_or_path = Path(name_or_path).expanduser()
    if name_or_path is not None:
        return _by_path(name_or_path)
    alive = [found for found in running() if found.hello]
    if not alive:
        raise AttachError("no proxy is running: start one with `ksrshell demo` or `ksrshell serve SCRIPT`")
    if len(alive) > 1:
        raise AttachError(f"several proxies are running, name one: {', '.join(found.name for found in alive)}")
    return _by_path(alive[0].path)


def _named(name: str) -> Path:
    path = folder() / f"{name}.sock"
    try:
        path.lstat()
        return path
    except PermissionError:
        raise AttachError(f"{path} belongs to {owner(path)}: attach as that user") from None
    except OSError:
        pass
    from .nodes import start

    named = [server for server in servers() if server.name == name]
    for server in sorted(named, key=lambda server: bool(server.problem)):
        return start(server)
    names = [found.name for found in running() if found.hello]
    known = f"running: {', '.join(names)}" if names else "none is running"
    raise AttachError(f"no proxy named {name!r}; {known}")


def _by_path(path: Path) -> Path:
    """The path itself, once the node is there when it is that of a Kamailio server, or its folder."""
    from ksrcore.kamailio import agents
    from ksrcore.kamailio.ksragent.folder import ENDING

    from .nodes import start

    for place in (path, path.parent):
        if place.name.endswith(ENDING) and place.is_dir():
            return start(agents.look(place))
    return path
