import asyncio
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ksrcore.net import loop as netloop


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, two:
        one.setblocking(False)
        yield one, two


def collector(sock: socket.socket, into: list[bytes], then: Callable[[], object] = lambda: None) -> Callable[[], None]:
    def read() -> None:
        into.append(sock.recv(100))
        then()

    return read


def test_the_loop_is_hot_on_linux() -> None:
    async def main() -> type:
        return type(asyncio.get_running_loop())

    assert netloop.HAVE_HOT
    assert netloop.run(main()) is netloop.HotLoop


@pytest.mark.parametrize("runner", [netloop.run, asyncio.run])
def test_reader_gets_data_on_any_loop(runner: Callable[..., list[bytes]]) -> None:
    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        got: list[bytes] = []
        done = asyncio.Event()

        def finish() -> None:
            if len(got) == 3:
                done.set()

        with pair() as (near, far):
            netloop.add_reader(loop, near.fileno(), collector(near, got, finish))
            for data in (b"a", b"b", b"c"):
                far.send(data)
            await asyncio.wait_for(done.wait(), 2)
            netloop.remove_reader(loop, near.fileno())
            far.send(b"d")
            await asyncio.sleep(0.01)
        return got

    assert runner(main()) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("how", ["call_soon", "call_later", "future", "task"])
def test_what_a_reader_schedules_takes_effect_at_once(how: str) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        seen: list[float] = []

        async def task() -> None:
            done.set_result(None)

        def finish() -> None:
            done.set_result(None)

        def then() -> None:
            seen.append(time.monotonic())
            if how == "call_soon":
                loop.call_soon(finish)
            elif how == "call_later":
                loop.call_later(0.01, finish)
            elif how == "future":
                done.set_result(None)
            else:
                tasks.append(loop.create_task(task()))

        tasks: list[asyncio.Task[None]] = []
        far_timer = loop.call_later(5, lambda: None)
        with pair() as (near, far):
            netloop.add_reader(loop, near.fileno(), collector(near, [], then))
            loop.call_later(0.01, far.send, b"x")
            await asyncio.wait_for(done, 2)
            netloop.remove_reader(loop, near.fileno())
        far_timer.cancel()
        return time.monotonic() - seen[0]

    assert netloop.run(main()) < 1


def test_busy_readers_starve_neither_timers_nor_streams() -> None:
    async def main() -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        count = 0

        def again() -> None:
            nonlocal count
            near.recv(100)
            count += 1
            far.send(b"x")  # always readable

        with pair() as (near, far):
            far.send(b"x")
            netloop.add_reader(loop, near.fileno(), again)
            await asyncio.sleep(0.02)
            left, right = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=left)
            with right:
                right.send(b"hello")
                data = await asyncio.wait_for(reader.readexactly(5), 2)
            writer.close()
            await writer.wait_closed()
            netloop.remove_reader(loop, near.fileno())
        return count, data

    count, data = netloop.run(main())
    assert count > 10
    assert data == b"hello"


def test_a_busy_loop_does_not_starve_readers() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        got: list[bytes] = []
        with pair() as (near, far):
            netloop.add_reader(loop, near.fileno(), collector(near, got))
            for _ in range(10):
                far.send(b"x")
            for _ in range(2):  # two turns of a loop that always has callbacks to run
                await asyncio.sleep(0)
            netloop.remove_reader(loop, near.fileno())
        return len(got)

    assert netloop.run(main()) == 10


def test_a_reader_that_raises_is_reported_and_called_again() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        errors: list[str] = []
        done = asyncio.Event()
        loop.set_exception_handler(lambda _loop, context: errors.append(str(context["exception"])))

        def bad() -> None:
            data = near.recv(100)
            if data == b"2":
                done.set()
            raise ValueError(data.decode())

        with pair() as (near, far):
            netloop.add_reader(loop, near.fileno(), bad)
            far.send(b"1")
            far.send(b"2")
            await asyncio.wait_for(done.wait(), 2)
            netloop.remove_reader(loop, near.fileno())
        return errors

    assert netloop.run(main()) == ["1", "2"]


def test_threadsafe_calls_and_executors_wake_the_loop() -> None:
    async def main() -> int:
        with pair() as (near, _far):
            loop = asyncio.get_running_loop()
            netloop.add_reader(loop, near.fileno(), lambda: None)
            result = await asyncio.wait_for(loop.run_in_executor(None, lambda: 7), 2)
            netloop.remove_reader(loop, near.fileno())
            return result

    assert netloop.run(main()) == 7


def test_selector_without_a_loop() -> None:
    got: list[bytes] = []
    with pair() as (near, far), pair() as (cold, cold_far):
        selector = netloop.HotSelector()
        selector.register(cold, selectors.EVENT_READ)
        selector.add_reader(near.fileno(), collector(near, got))
        far.send(b"x")
        assert selector.select(0) == []
        assert got == [b"x"]
        begin = time.monotonic()
        assert selector.select(0.02) == []
        assert 0.015 < time.monotonic() - begin < 1
        cold_far.send(b"y")
        far.send(b"z")
        assert [key.fileobj for key, _ in selector.select(None)] == [cold]
        assert selector.remove_reader(near.fileno())
        assert not selector.remove_reader(near.fileno())
        assert [key.fileobj for key, _ in selector.select(None)] == [cold]
        selector.close()
    assert got in ([b"x"], [b"x", b"z"])
