"""The workers of the server, as the node sees them: their links, orders to them and answers, waking them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ..control.socket import peer_uid
from .agents import FIRST_RECEIVER
from .ksragent.state import Page, Proc
from .wake import Waker

log = logging.getLogger("ksrcore.kamailio")

#: Seconds until an order is given up that no answer has come to.
PATIENCE = 5.0
#: When (seconds after an order) workers that have not looked are woken.
_WAKES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2)
#: One line of a worker at most: a record of a message with its calls.
_LINE = 64 * 1024 * 1024

#: Seconds between two looks of a worker at a long order.
_PUSH = 0.05

OnEvent = Callable[["Worker", dict[str, Any]], None]


class WorkerError(Exception):
    """An order failed in the worker: the error's class there (``type``) and text; ``data``: all of the answer."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.type = str(data.get("type"))
        self.text = str(data.get("text"))
        self.data = data
        super().__init__(f"{self.type}: {self.text}")


class WorkerGone(Exception):
    """The worker's link ended before it answered."""


class WorkerSilent(Exception):
    """The worker has not answered in time. It will carry the order out when it next looks."""


class Worker(asyncio.Protocol):
    """One process of the server that has connected. ``group``: what it receives on, as Kamailio describes it."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.pid = 0
        self.rank = 0
        self.group = ""
        self.hello: dict[str, Any] = {}
        self.gone = False
        #: Keys of what was swapped in, by (class, name), as it last said.
        self.swaps: dict[tuple[str, str], str] = {}
        #: The script's generation it runs, as the node counts it.
        self.generation = 0
        #: What it threw away because the node did not read.
        self.lost = 0
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._pushing = False
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def __repr__(self) -> str:
        return f"<Worker {self.pid} rank {self.rank}>"

    # -- the connection -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if peer_uid(transport.get_extra_info("socket")) not in (os.geteuid(), 0):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self.workers.connections.add(self)

    def pause_writing(self) -> None:
        """An order is longer than the socket takes at a time: the worker has to look until all of it has left."""
        self._pushing = True
        self._push()

    def _push(self) -> None:
        self.workers.kick()
        if self._pushing and not self.gone:
            asyncio.get_running_loop().call_later(_PUSH, self._push)

    def resume_writing(self) -> None:
        """All of it has left."""
        self._pushing = False
        self.workers.kick()

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _LINE:
            self.close()
            return
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict):
                try:
                    self._got(message)
                except Exception as error:
                    self._unusable(message, error)

    def _unusable(self, message: dict[str, Any], error: Exception) -> None:
        """Told once for each event: what one worker says wrong may come with every message."""
        event = str(message.get("event", "an answer"))[:32]
        if event not in self.workers.unusable and len(self.workers.unusable) < 100:
            self.workers.unusable.add(event)
            log.error("what worker %d said cannot be used (%s, told once)", self.pid, event, exc_info=error)

    def _got(self, message: dict[str, Any]) -> None:
        if "re" in message:
            waiting = self._waiting.pop(message["re"], None)
            if waiting is None or waiting.done():
                return
            if "error" in message:
                waiting.set_exception(WorkerError(message["error"]))
            else:
                waiting.set_result(message.get("result"))
            return
        if message.get("event") == "hello":
            self.hello = message
            self.pid = int(message["pid"])
            self.rank = int(message["rank"])
            self.swaps = {(cls, name): key for cls, name, key in message.get("swaps") or ()}
        self.workers.happened(self, message)

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self.workers.connections.discard(self)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerGone(f"process {self.pid} has gone"))
        self._waiting.clear()
        if self.pid:
            self.workers.happened(self, {"event": "gone"})

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, do: str, **params: Any) -> asyncio.Future[Any]:
        """Send an order; who waits for it has to see that the worker looks (:meth:`Workers.kick`)."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Nobody may be interested: no complaint about an exception that was never looked at.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self.gone or self._transport is None:
            future.set_exception(WorkerGone(f"process {self.pid} has gone"))
            return future
        id = self.workers.next_id()
        self._waiting[id] = future
        self._transport.write(json.dumps({"id": id, "do": do, **params}, separators=(",", ":")).encode() + b"\n")
        return future

    async def ask(self, do: str, *, timeout: float = PATIENCE, **params: Any) -> Any:
        """Have the worker carry out an order; its result.

        Raises :class:`WorkerError` when it failed there, :class:`WorkerGone`, or :class:`WorkerSilent` after
        ``timeout`` seconds.
        """
        future = self.order(do, **params)
        self.workers.kick()
        return await self.answer(future, timeout)

    async def answer(self, future: asyncio.Future[Any], timeout: float = PATIENCE) -> Any:
        """Wait for the answer to an order. Raises as :meth:`ask`."""
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout)
        except TimeoutError:
            raise WorkerSilent(f"process {self.pid} has not answered for {timeout:g} s") from None


class Workers:
    """All of them. ``on_event(name, fn)``: ``fn(worker, event)`` for each event of that name; ``hello`` when a worker
    has connected, ``gone`` when its link ended."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.connections: set[Worker] = set()
        #: Events that could not be used.
        self.unusable: set[str] = set()
        self.waker = Waker(page.secret)
        #: Where the server receives, as texts for the waker; the node finds out.
        self.sockets: list[str] = []
        #: What each process receives on, by its id.
        self.groups: dict[int, str] = {}
        self._listeners: dict[str, list[OnEvent]] = {}
        self._ids = 0
        self._server: asyncio.Server | None = None
        self._waking: asyncio.Task[None] | None = None
        self._kicked = asyncio.Event()

    @property
    def all(self) -> list[Worker]:
        """The workers that are connected, by rank."""
        return sorted((w for w in self.connections if w.pid), key=lambda worker: (worker.rank, worker.pid))

    def by_pid(self, pid: int) -> Worker | None:
        return next((worker for worker in self.connections if worker.pid == pid), None)

    def on_event(self, name: str, fn: OnEvent) -> None:
        self._listeners.setdefault(name, []).append(fn)

    def happened(self, worker: Worker, event: dict[str, Any]) -> None:
        if event.get("event") == "hello":
            worker.group = self.groups.get(worker.pid, "")
        for fn in self._listeners.get(str(event.get("event")), ()):
            fn(worker, event)

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    # -- beginning and end ----------------------------------------------------------------------------------------

    async def start(self, path: str = "link.sock") -> None:
        """Listen for links; ``path`` is relative to the server's folder, where the process is."""
        with suppress(FileNotFoundError):
            os.unlink(path)
        loop = asyncio.get_running_loop()
        old = os.umask(0o177)
        try:
            self._server = await loop.create_unix_server(lambda: Worker(self), path, backlog=1024)
        finally:
            os.umask(old)

    async def close(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            with suppress(asyncio.CancelledError):
                await self._waking
        if self._server is not None:
            self._server.close()
        for worker in list(self.connections):
            worker.close()
        with suppress(FileNotFoundError):
            os.unlink("link.sock")
        self.waker.close()

    # -- waking ---------------------------------------------------------------------------------------------------

    def receivers(self) -> list[Proc]:
        """The processes that receive SIP and live."""
        return [p for p in self.page.procs() if p.rank >= FIRST_RECEIVER and os.path.exists(f"/proc/{p.pid}")]

    def lagging(self, epoch: int | None = None) -> list[Proc]:
        """The receivers that have not seen the epoch (default: the newest)."""
        wanted = self.page.epoch if epoch is None else epoch
        return [proc for proc in self.receivers() if proc.epoch < wanted]

    def kick(self) -> None:
        """Something waits for workers: they look at their next message, and the idle ones are woken."""
        self.page.bump()
        self._kicked.set()
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake(), name="kamailio-wake")

    async def _wake(self) -> None:
        while True:
            epoch = self.page.epoch
            self._kicked.clear()
            for pause in _WAKES:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._kicked.wait(), pause)
                    break  # something new: at once, whoever has not seen what was before
                lagging = self.lagging(epoch)
                if not lagging:
                    break
                self._send(lagging)
            if not self._kicked.is_set():
                return

    def _send(self, lagging: Iterable[Proc]) -> None:
        """Datagrams to the sockets of those that lag: as many as could be needed, and one more."""
        wanted: dict[str, int] = {}
        for proc in lagging:
            own = self.groups.get(proc.pid, "")
            # Workers for connections take them from all sockets.
            places = [own] if ":" in own else [text for text in self.sockets if text.startswith(own)]
            for text in places:
                wanted[text] = wanted.get(text, 1) + 1
        for text, times in wanted.items():
            self.waker.wake([text], min(times, 64))

    async def seen(self, epoch: int, timeout: float, *, linked: bool = False) -> list[Proc]:
        """Wait until every receiver (``linked``: that has a link) has seen that epoch; those that have not by then."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while True:
            lagging = [proc for proc in self.lagging(epoch) if proc.linked or not linked]
            if not lagging or loop.time() > end:
                return lagging
            await asyncio.sleep(0.005)
