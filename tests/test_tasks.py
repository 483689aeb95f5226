"""Threads that take turns: one works, the others wait."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from ksrcore.proxy import Proxy
from ksrcore.tasks import SPARE, Task, TaskError


class Turns:
    def __init__(self) -> None:
        self.proxy = Proxy(transmit=lambda data, dest: True)
        self.log: list[str] = []
        self.tasks = self.proxy.tasks

    def start(self, fn: Callable[[], object]) -> Task:
        return self.tasks.start(lambda: void(fn()), lambda: self.log.append("begin"), lambda: self.log.append("end"))


def void(result: object) -> None:
    pass


class Turn:
    """Where a task asks for its next turn."""

    def __init__(self, turns: Turns) -> None:
        self.queue: Queue[Callable[[], None]] = Queue()
        turns.tasks.post = self.queue.put

    def give(self) -> None:
        self.queue.get(timeout=5)()


@pytest.fixture
def turns() -> Iterator[Turns]:
    others = set(threading.enumerate())
    made = Turns()
    yield made
    made.tasks.close()
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("ksr-task")]


def test_a_task_without_a_pause_is_done_at_once(turns: Turns) -> None:
    where: list[str] = []
    task = turns.start(lambda: where.append(threading.current_thread().name))
    assert task.done and where == ["ksr-task-1"] and turns.log == ["begin", "end"]
    with pytest.raises(TaskError, match="does not wait"):
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
        task = turns.start(work)
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

    tasks = [turns.start(lambda n=n: work(n)) for n in range(SPARE + 3)]  # type: ignore[misc]
    for task in reversed(tasks):
        turns.tasks.go_on(task)
    assert order == list(reversed(range(SPARE + 3)))
    names: list[str] = []
    for _ in range(10):
        turns.start(lambda: names.append(threading.current_thread().name))
    assert len(set(names)) <= SPARE and not any(int(name.rpartition("-")[2]) > SPARE + 3 for name in names)


def test_what_fails_ends_only_itself(turns: Turns, caplog: pytest.LogCaptureFixture) -> None:
    assert turns.start(lambda: [][1]).done
    assert "IndexError" in caplog.text
    assert turns.start(lambda: None).done


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
        task = turns.start(work)
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
            assert turns.start(work).done
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [signal.SIGUSR1]


def test_a_paused_task_outlives_close(tmp_path: Path) -> None:
    made = Turns()
    task = made.start(made.tasks.pause)
    made.tasks.close()
    made.tasks.go_on(task)
    assert task.done


def test_while_one_waits_for_somebody_outside_others_work(turns: Turns) -> None:
    tasks, proxy = turns.tasks, turns.proxy
    turn = Turn(turns)
    there = threading.Event()
    order: list[str] = []
    run = proxy.fake_run()

    def ask() -> str:
        assert there.wait(5)
        return "answer"

    def work() -> None:
        proxy.env.run = run
        order.append(tasks.wait(ask))
        assert proxy.env.run is run

    task = turns.start(work)
    assert task.paused and task.outside and task.run is run and turns.log == ["begin", "end"]
    assert turns.start(lambda: order.append("other")).done
    there.set()
    assert order == ["other"]  # it needs its turn
    turn.give()
    assert task.done and order == ["other", "answer"] and not task.outside


def test_what_fails_outside_fails_in_the_task(turns: Turns) -> None:
    tasks = turns.tasks
    turn = Turn(turns)
    seen: list[str] = []

    def work() -> None:
        try:
            tasks.wait(lambda: [][1])
        except IndexError as error:
            seen.append(str(error))

    turns.start(work)
    turn.give()
    assert seen == ["list index out of range"]


def test_without_a_loop_the_core_is_kept(turns: Turns) -> None:
    seen: list[int] = []
    task = turns.start(lambda: seen.append(turns.tasks.wait(lambda: 1)))
    assert task.done and seen == [1]
    assert turns.tasks.wait(lambda: 2) == 2


def test_what_waits_when_the_proxy_ends_goes_no_further() -> None:
    others = set(threading.enumerate())
    made = Turns()
    there = threading.Event()
    seen: list[int] = []
    made.tasks.post = lambda fn: None
    made.start(lambda: seen.append(made.tasks.wait(lambda: there.wait(5))))
    threading.Timer(0.05, there.set).start()
    made.tasks.close()
    assert seen == []
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("ksr-task")]
