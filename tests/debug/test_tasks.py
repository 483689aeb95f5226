"""Threads that take turns: one works, the others wait."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.debug.errors import DebugError
from ksrcore.debug.tasks import SPARE, Tasks
from ksrcore.proxy import Proxy


class Turns:
    def __init__(self) -> None:
        self.proxy = Proxy(transmit=lambda data, dest: True)
        self.log: list[str] = []
        self.tasks = Tasks(self.proxy, lambda: self.log.append("begin"), lambda: self.log.append("end"))


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns()
    yield made
    made.tasks.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-hold")]


def test_a_task_without_a_pause_is_done_at_once(turns: Turns) -> None:
    where: list[str] = []
    task = turns.tasks.start(lambda: where.append(threading.current_thread().name))
    assert task.done and where == ["ksr-hold-1"] and turns.log == ["begin", "end"]
    with pytest.raises(DebugError, match="does not wait"):
        turns.tasks.go_on(task)


def test_pause_and_go_on(turns: Turns) -> None:
    proxy = turns.proxy
    seen: list[object] = []
    run = proxy.fake_run()
    inner = proxy.fake_run()

    def work() -> None:
        proxy.env.run = inner
        turns.tasks.pause()
        seen.append(proxy.env.run)

    proxy.env.run = run
    with proxy.lock, proxy.lock:  # deeper than once: all of it is given back
        task = turns.tasks.start(work)
    assert task.paused and not task.done and proxy.env.run is run
    proxy.env.run = proxy.fake_run()
    turns.tasks.go_on(task)
    assert task.done and seen == [inner]
    assert turns.log == ["begin", "end", "begin", "end"]


def test_several_in_any_order_and_threads_are_used_again(turns: Turns) -> None:
    order: list[int] = []

    def work(n: int) -> None:
        turns.tasks.pause()
        order.append(n)

    tasks = [turns.tasks.start(lambda n=n: work(n)) for n in range(SPARE + 3)]  # type: ignore[misc]
    for task in reversed(tasks):
        turns.tasks.go_on(task)
    assert order == list(reversed(range(SPARE + 3)))
    names: list[str] = []
    for _ in range(10):
        turns.tasks.start(lambda: names.append(threading.current_thread().name))
    assert len(set(names)) <= SPARE and not any(int(name.rpartition("-")[2]) > SPARE + 3 for name in names)


def test_what_fails_ends_only_itself(turns: Turns, caplog: pytest.LogCaptureFixture) -> None:
    assert turns.tasks.start(lambda: [][1]).done
    assert "IndexError" in caplog.text
    assert turns.tasks.start(lambda: None).done


def test_a_task_has_the_loop_while_it_is_its_turn(turns: Turns) -> None:
    done: list[str] = []

    async def later(name: str) -> None:
        await asyncio.sleep(0)
        done.append(name)

    made: list[asyncio.Task[None]] = []

    def work() -> None:
        made.append(asyncio.get_running_loop().create_task(later("first")))
        turns.tasks.pause()
        made.append(asyncio.get_running_loop().create_task(later("second")))

    async def main() -> None:
        task = turns.tasks.start(work)
        await asyncio.sleep(0.01)
        assert done == ["first"]
        turns.tasks.go_on(task)
        await asyncio.gather(*made)

    asyncio.run(main())
    assert done == ["first", "second"]


def test_a_signal_is_handled_while_a_traced_task_works(turns: Turns) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))

    def called() -> None:
        pass

    def work() -> None:
        sys.settrace(lambda frame, event, arg: None)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            while not got:
                called()
        finally:
            sys.settrace(None)

    try:
        for _ in range(10):
            got.clear()
            assert turns.tasks.start(work).done
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [signal.SIGUSR1]


def test_a_paused_task_outlives_close(tmp_path: Path) -> None:
    made = Turns()
    task = made.tasks.start(made.tasks.pause)
    made.tasks.close()
    made.tasks.go_on(task)
    assert task.done
