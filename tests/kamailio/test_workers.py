"""Orders reach a worker: it looks for them when the epoch has moved after they were there, and only then."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ksrcore.kamailio import wake
from ksrcore.kamailio.held import Held
from ksrcore.kamailio.holding import Holding
from ksrcore.kamailio.ksragent.state import Page
from ksrcore.kamailio.workers import Workers


def play(folder: Path, conversation: Callable[[Workers, socket.socket], Coroutine[Any, Any, None]]) -> None:
    """A conversation of a node's workers with one that is this end of a socket."""
    page = Page(
        str(folder / "state"), create={"generation": 1, "pid": os.getpid(), "name": "x", "uid": 0}, secret="0" * 32
    )

    async def main() -> None:
        workers = Workers(page)
        await workers.start("link.sock")
        with socket.socket(socket.AF_UNIX) as worker:
            worker.setblocking(False)
            worker.connect("link.sock")
            try:
                await conversation(workers, worker)
            finally:
                await workers.close()

    asyncio.run(main())
    page.words.release()
    page.close()


async def said(worker: socket.socket) -> dict[str, Any]:
    """The next order."""
    data = b""
    loop = asyncio.get_running_loop()
    while not data.endswith(b"\n"):
        data += await asyncio.wait_for(loop.sock_recv(worker, 1 << 20), 5)
    order: dict[str, Any] = json.loads(data)
    return order


def hello(worker: socket.socket) -> None:
    worker.send(json.dumps({"event": "hello", "pid": os.getpid(), "rank": 1}).encode() + b"\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_worker_that_connects_late_hears_what_is_armed(folder: Path) -> None:
    async def conversation(workers: Workers, worker: socket.socket) -> None:
        nothing: Any = None
        holding = Holding(nothing, "", workers, nothing, lambda event, params: None, lambda worker, mi: None)
        holding.armed[1] = SimpleNamespace(spec=lambda: {"id": 1})  # type: ignore[assignment]
        before = workers.page.epoch
        hello(worker)
        order = await said(worker)
        assert (order["do"], order["holds"]) == ("arm", [{"id": 1}])
        assert workers.page.epoch > before

    play(folder, conversation)


def test_the_end_of_a_long_order_is_announced(folder: Path) -> None:
    """The worker's socket takes 200 KB at a time or so; it has looked before the rest came."""

    async def conversation(workers: Workers, worker: socket.socket) -> None:
        hello(worker)
        while not workers.all:
            await asyncio.sleep(0.01)
        future = workers.all[0].order("swap", want=["x" * 4_000_000])
        workers.kick()
        seen = workers.page.epoch
        order = await said(worker)
        assert len(order["want"][0]) == 4_000_000
        while workers.page.epoch == seen:
            await asyncio.sleep(0.01)
        worker.send(json.dumps({"re": order["id"], "result": []}).encode() + b"\n")
        assert await asyncio.wait_for(future, 5) == []

    play(folder, conversation)


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1", True), ("127.0.0.9", True), ("192.0.2.7", False)])
def test_wakes_go_to_this_machine_only(host: str, here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby listens on an address that another machine has: the secret does not go there."""
    sent: list[str] = []
    waker = wake.Waker("secret")
    monkeypatch.setattr(waker, "_datagrams", lambda listen, host, times: sent.append(host))
    monkeypatch.setattr(waker, "_stream", lambda listen, host: sent.append(host))
    waker.wake([f"udp:{host}:5060", f"tcp:{host}:5060"], 1)
    assert sent == ([host, host] if here else [])
    waker.close()


def test_a_wake_comes_once_for_each_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(2)
        waker = wake.Waker("secret")
        waker.wake([f"udp:127.0.0.1:{server.getsockname()[1]}"], 3)
        found = [server.recv(4096).decode() for _ in range(3)]
        assert all(text.startswith("KSRWAKE sip:") and "Call-ID: secret\r\n" in text for text in found)
        assert len(set(found)) == 3
        waker.close()


def test_an_order_for_a_message_that_has_gone_on_is_looked_for() -> None:
    """It came when the worker had stopped waiting: without a wake it would lie there until the next message."""

    async def main() -> None:
        kicks: list[int] = []
        held = Held.__new__(Held)
        held.worker = SimpleNamespace(workers=SimpleNamespace(kick=lambda: kicks.append(1)))  # type: ignore[assignment]
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answered.set_result(None)
        held.asked = {answered}
        held.over()
        assert kicks == []
        held.asked = {answered, asyncio.get_running_loop().create_future()}
        held.over()
        assert kicks == [1]

    asyncio.run(main())
