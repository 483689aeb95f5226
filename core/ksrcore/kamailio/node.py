"""The process that speaks for a server: clients on one side, over the control channel; the agents on the other.

``python -m ksrcore.kamailio.node FOLDER``. It is started by whoever attaches first and ends some seconds after the last
client has gone. Whatever becomes of it, the server's workers go on: a link that ends is noticed, and nothing waits.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import importlib
import logging
import os
import pkgutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from .. import logs
from ..capture.recorder import Record
from ..control import views
from ..control.server import ControlServer
from ..control.socket import ControlSocketError
from ..script.python import PythonScript
from .beside import Beside
from .dumping import Dumping
from .info import Info
from .intake import Intake
from .ksragent.folder import ENDING
from .ksragent.state import Page, PageError, check_folder
from .methods import NodeMethods, Table
from .rpcclient import RpcError, Unreachable
from .seal import ours, seal
from .swaps import WorkerSwaps
from .workers import Worker, WorkerGone, Workers, WorkerSilent

log = logging.getLogger("ksrcore.kamailio")

#: Seconds after the last client.
LINGER = 5.0
#: Seconds between two looks at the server and the timers.
TICK = 0.1
#: How far the node steps behind the workers when CPU is short. With more, holds were granted late under full load.
NICE = 5
#: Seconds for the workers to see that nobody is attached any more.
LEAVE = 2.0


#: What the standard library and the core load when it is first needed.
_LATER = (
    "base64", "concurrent.futures.thread", "decimal", "difflib", "encodings.idna", "encodings.latin_1",
    "encodings.utf_8_sig", "getopt", "ipaddress", "linecache", "random", "sqlite3", "tokenize", "traceback",
)  # fmt: skip


class Bounded(logging.Filter):
    """So many lines and no more: the log lies where the server has its sockets, often in memory."""

    def __init__(self, most: int = 5000) -> None:
        super().__init__()
        self.left = most

    def filter(self, record: logging.LogRecord) -> bool:
        self.left -= 1
        if not self.left:
            record.msg, record.args, record.exc_info = "that was the last line: nothing more is logged", (), None
        return self.left >= 0


class NodeError(Exception):
    """The node cannot start: one line."""


class Node:
    """One server's. The process is in the server's folder: paths in it are relative."""

    def __init__(self, folder: Path, linger: float) -> None:
        self.folder = folder
        self.linger = linger
        self.page = Page("state")
        self.alive = self.page.alive()
        if not self.alive:
            raise NodeError(f"the server of {folder} is not running")
        self.info = Info(self.page)
        self.workers = Workers(self.page)
        self.dumping = Dumping(self.info, self.page.generation)
        self.stopping = asyncio.Event()
        self.note = ""
        self._again = False
        self._idle_since = time.monotonic()
        #: When it was measured (monotonic), messages until then, messages a second.
        self._rate = time.monotonic(), sum(proc.messages for proc in self.page.procs()), 0.0
        #: The server's own figures, and when they were asked for (monotonic).
        self._figures: dict[str, int] = {}
        self._asked = 0.0

    async def run(self) -> bool:
        """Until nobody is attached any more. True: the server was started anew and wants another node."""
        loop = asyncio.get_running_loop()
        await self.workers.start()
        self.page.node = os.getpid()
        self.page.attached = True
        # The workers connect while the rest is made ready.
        self.workers.sockets = [str(text) for text in self.info.facts.get("sockets") or ()]
        self.workers.kick()
        await asyncio.sleep(0)
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stopping.set)
        control: ControlServer | None = None
        try:
            self.workers.groups = await asyncio.to_thread(self.info.groups)
            self.workers.sockets = await asyncio.to_thread(self.info.sockets)
            self.workers.kick()
            name = str(self.info.facts["name"])
            self.beside = Beside(self.info, name, await self._paths())
            script = self.beside.proxy.script
            self.swaps = WorkerSwaps(
                self.workers, script if isinstance(script, PythonScript) else None, self.page.generation
            )
            self.note = self.swaps.note
            for worker in self.workers.all:
                worker.group = self.workers.groups.get(worker.pid, "")
                self.swaps._hello(worker, worker.hello)
            self.intake = Intake(self.beside.proxy, self.workers)
            await self._dump()
            with suppress(OSError):
                self.intake.learn(Path(str(self.info.facts.get("script"))).read_text("utf-8-sig", "replace"))
            methods = NodeMethods(self, self.stopping.set, self.counts)
            control = ControlServer(Path(f"{name}.sock"), name, Table(methods))
            methods.server = control
            self.intake.on_message = _announce(control)
            await control.start()
            try:
                await self._serve(control, methods)
            finally:
                methods.close()
                self.beside.close()
        finally:
            # First nobody can come any more: who tries starts another node, which waits until this one has left.
            if control is not None:
                await control.close()
            await self._leave()
            await self.workers.close()
        return self._again

    async def _dump(self) -> None:
        """sipdump on, and every worker knows: whoever finds that the node was killed switches it off."""
        await asyncio.to_thread(self.dumping.start)
        if not self.dumping.ours:
            return

        def told(worker: Worker, event: dict[str, Any]) -> None:
            worker.order("dumping", on=True)
            self.page.bump()

        self.workers.on_event("hello", told)
        for worker in self.workers.all:
            told(worker, worker.hello)

    async def _paths(self) -> list[str]:
        """Where the workers' Python looks for modules: from the first that has connected."""
        for _ in range(30):
            for worker in self.workers.all:
                return [str(path) for path in worker.hello.get("path") or ()]
            await asyncio.sleep(0.02)
        return []

    async def _serve(self, control: ControlServer, methods: NodeMethods) -> None:
        proxy = self.beside.proxy
        second = 0.0
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), TICK)
            now = time.monotonic()
            proxy.now = now  # not advance(): no timer of the proxy beside runs
            self._watch(control)
            if now - second > 1.0:
                second = now
                proxy.wall_offset = time.time() - now
                if control.wanted("stats"):
                    await self.ask_figures()
                    control.publish("stats", {"stats": methods.stats()})
            if control.connections:
                self._idle_since = now
            elif now - self._idle_since > self.linger:
                return

    def _watch(self, control: ControlServer) -> None:
        """Whether the server still is the one that it was."""
        if self.alive and not self.page.alive():
            self.alive = False
            text = "the server has ended; what was captured is still here"
            log.info("%s", text)
            control.publish("reload", {"text": text, "taken": False})
        if self.alive:
            return
        with suppress(OSError):
            if os.stat("state").st_ino != self.page.inode:
                log.info("the server was started anew")
                self._again = True
                self.stopping.set()

    async def _leave(self) -> None:
        """Nobody is attached any more: the workers are to know, also those that have nothing to do."""
        self.page.attached = False
        self.page.node = 0
        if not self.alive:
            return
        await asyncio.to_thread(self.dumping.stop)
        self.workers.kick()
        left = await self.workers.seen(self.page.epoch, LEAVE, linked=True)
        if left:
            log.info("processes %s have not seen that the node goes", ", ".join(str(proc.pid) for proc in left))

    async def ask_figures(self) -> None:
        """Ask the server for its statistics, at most once a second. Never raises."""
        now = time.monotonic()
        if not self.alive or now - self._asked < 0.9:
            return
        self._asked = now
        self._figures = await asyncio.to_thread(self.info.figures)

    def counts(self) -> dict[str, Any]:
        """Figures for ``ksr.stats``."""
        received = sum(proc.messages for proc in self.page.procs())
        now = time.monotonic()
        at, before, rate = self._rate
        if now - at >= 1.0:
            rate = (received - before) / (now - at)
            self._rate = now, received, rate
        return {
            "messages_per_s": round(rate, 1),
            "received": received,
            # Captured: all of it where the server has sipdump, else what callbacks have seen leave.
            "sent": self.intake.left,
            **self._figures,
            "exceptions": sum(proc.exceptions for proc in self.page.procs()),
            "lost": sum(self.intake.lost.values()),
            "uptime": time.time() - self.beside.proxy.started,
        }

    async def rpc(self, method: str, params: list[Any]) -> Any:
        """A command of the server's own RPC: over its sockets, else by a worker at its next message.

        Raises :class:`RpcError` or :class:`Unreachable`.
        """
        try:
            return await asyncio.to_thread(self.info.call, method, params)
        except Unreachable as error:
            worker = next(iter(self.workers.all), None)
            if worker is None:
                raise
            try:
                answer = await worker.ask("rpc", method=method, params=params)
            except (WorkerGone, WorkerSilent) as late:
                raise Unreachable(f"{error}; {late}") from None
            except Exception as refused:
                raise Unreachable(f"{error}; in a worker: {refused}") from None
            return _result(answer)


def _result(answer: dict[str, Any]) -> Any:
    """The result in what ``KSR.jsonrpcs.exec`` answered."""
    import json

    try:
        document = json.loads(answer.get("body") or "")
    except ValueError:
        raise RpcError(int(answer.get("code") or 500), "the server's answer is not JSON") from None
    if "error" in document:
        raise RpcError(int(document["error"].get("code", 500)), str(document["error"].get("message", "")))
    return document.get("result")


def _announce(control: ControlServer) -> Any:
    def announce(record: Record, raised: bool) -> None:
        if control.wanted("message"):
            control.publish("message", {"message": views.summary(record)})
        if raised and control.wanted("exception"):
            control.publish("exception", {"message": views.summary(record)})

    return announce


def become(uid: int, gid: int) -> None:
    """Root becomes the server's user for good: what it runs of the script is no more than the server is.

    What our code reads from its files is read before, because that user may not be able to.
    """
    if os.geteuid() != 0 or uid == 0:
        return
    for name in _LATER:
        importlib.import_module(name)
    package = importlib.import_module("ksrcore")
    for module in pkgutil.walk_packages(package.__path__, "ksrcore."):
        if not module.name.endswith(".__main__"):
            with suppress(ImportError):
                importlib.import_module(module.name)
    warm_up()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def step_back() -> None:
    """The server's workers come first."""
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICE))
    # Where the kernel shares CPU by session, a session's own number counts: the node has one to itself.
    if os.getsid(0) == os.getpid():
        with suppress(OSError), open("/proc/self/autogroup", "w") as group:
            group.write(str(NICE))


def warm_up() -> None:
    """Make what is made once, from tables in files."""
    from ..assemble import make_proxy
    from ..control.methods import Methods
    from ..net.address import Listen
    from ..store.database import Database

    proxy, _ = make_proxy(
        transmit=lambda data, dest: False, listens=[Listen("udp", "127.0.0.1", 5060)], db=Database.open(":memory:")
    )
    methods = Methods(proxy, lambda: None, dict)
    methods.api()
    methods.pvs()
    if proxy.db is not None:
        proxy.db.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ksrcore.kamailio.node", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--linger", type=float, default=LINGER, help="seconds after the last client (%(default)s)")
    options = parser.parse_args(argv)
    folder = Path(options.folder).absolute()
    try:
        return _main(folder, options.linger)
    except (NodeError, PageError, ControlSocketError) as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)  # noqa: T201 (whoever started it reads that)
    except OSError as error:
        print(f"Error: {error.filename or folder}: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
    return 1


def _main(folder: Path, linger: float) -> int:
    status = os.lstat(folder)
    check_folder(str(folder), status.st_uid)
    if os.geteuid() not in (0, status.st_uid):
        raise NodeError(f"{folder} belongs to user {status.st_uid}: attach as that user, or as root")
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Its user can exchange it at any time: what was looked at is where we go.
        if not os.path.samestat(status, os.fstat(here)):
            raise NodeError(f"{folder} was exchanged meanwhile")
        os.fchdir(here)
    finally:
        os.close(here)
    become(status.st_uid, status.st_gid)
    step_back()
    logs.log_to_stderr()
    for handler in logging.getLogger().handlers:
        handler.addFilter(Bounded())
    seal(str(folder))
    with open("node.lock", "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as lock:
        if not _alone(lock, folder):
            return 0  # somebody was faster: its node serves all
        again = asyncio.run(_run(folder, linger))
    if again:
        # A process of its own, because the script's modules are those of before. Clients come to it by themselves.
        # One that has become the server's user may not be able to: a client starts another then.
        arguments = [sys.executable, "-P", "-m", "ksrcore.kamailio.node", str(folder), "--linger", str(linger)]
        with suppress(OSError), ours():
            os.execv(sys.executable, arguments)
    return 0


def _alone(lock: IO[str], folder: Path) -> bool:
    """Whether this is the server's only node; one that is about to end is waited for."""
    control = f"{folder.name.removesuffix(ENDING)}.sock"
    end = time.monotonic() + LEAVE + 5.0
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            pass
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.settimeout(1.0)
            probe.connect(control)
            return False
        if time.monotonic() > end:
            raise NodeError(f"another node of {folder} neither answers nor ends")
        time.sleep(0.02)


async def _run(folder: Path, linger: float) -> bool:
    node = Node(folder, linger)
    try:
        return await node.run()
    finally:
        node.page.close()


if __name__ == "__main__":
    sys.exit(main())
