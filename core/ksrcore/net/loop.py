"""An asyncio event loop that reads datagrams inside ``select()``.

A hot reader is called by the selector itself as soon as its socket is readable, and the selector goes on waiting
without a turn of asyncio in between. It comes back to asyncio when anything else is ready, when a timer is due, and
when a reader has scheduled something (call_soon, call_later, a future's callback), after a bounded number of further
datagrams if some are waiting. So readers must be short: each takes one datagram, or a few, and returns.

tests/bench/udp_loop.py, echoing 500 bytes at 4,000 datagrams a second: 0.8 to 0.9 of the CPU per datagram that
asyncio's add_reader takes (0.8 to 1.0 when 32 are always waiting); asyncio's DatagramProtocol takes 1.7.
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple, Unpack

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

#: True where the selector can call readers itself (Linux: epoll, which may itself be watched by another epoll).
HAVE_HOT = hasattr(select, "epoll")

#: How often hot readers are called once asyncio has something to do: else a loop busy with streams would read one
#: datagram a turn while they pile up.
_BURST = 16


class HotSelector(selectors.DefaultSelector):
    """A selector with a second set of descriptors, the hot ones, whose readers it calls itself."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: dict[int, Callable[[], object]] = {}
        #: Called with the exception of a reader, which should have none.
        self.on_error: Callable[[Exception], object] | None = None
        #: Monotonic time at which select() has to return. Lowered by the loop when a reader schedules something.
        self.deadline = math.inf
        self._cold = self.fileno()
        self._hot = select.epoll()
        self._hot.register(self._cold, select.EPOLLIN)

    def add_reader(self, fd: int, reader: Callable[[], object]) -> None:
        """Call ``reader()`` whenever fd is readable. ``reader`` must not block and should not raise."""
        self._hot.register(fd, select.EPOLLIN)
        self._readers[fd] = reader

    def remove_reader(self, fd: int) -> bool:
        """Forget fd, before it is closed. False if it was not there."""
        if self._readers.pop(fd, None) is None:
            return False
        self._hot.unregister(fd)
        return True

    def close(self) -> None:
        self._readers.clear()
        self._hot.close()
        super().close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        readers = self._readers
        if not readers:
            return super().select(timeout)
        wait: float
        if timeout is None:
            wait, self.deadline = -1, math.inf
        elif timeout <= 0:
            wait, self.deadline = 0, 0.0
        else:
            wait, self.deadline = timeout, monotonic() + timeout
        poll = self._hot.poll
        cold = False
        burst = _BURST
        while True:
            called = False
            for fd, _event in poll(wait, len(readers) + 1):
                reader = readers.get(fd)
                if reader is None:
                    cold = fd == self._cold or cold
                    continue
                called = True
                try:
                    reader()
                except Exception as err:
                    if self.on_error is None:
                        raise
                    self.on_error(err)
            if not cold:
                deadline = self.deadline
                if deadline is math.inf:
                    continue
                wait = deadline - monotonic()
                if wait > 0:
                    continue
            if not called or not burst:
                return super().select(0) if cold else []
            burst -= 1
            wait = 0


class HotLoop(asyncio.SelectorEventLoop):
    """The loop of a HotSelector: what a hot reader schedules takes effect at once."""

    def __init__(self) -> None:
        self.hot = HotSelector()
        super().__init__(self.hot)
        self.hot.on_error = self._reader_failed

    def _reader_failed(self, err: Exception) -> None:
        self.call_exception_handler({"message": "unhandled exception in a socket reader", "exception": err})

    def call_soon(
        self, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.hot.deadline = 0.0
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if when < self.hot.deadline:
            self.hot.deadline = when
        return super().call_at(when, callback, *args, context=context)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A HotLoop, or asyncio's own loop where the system has no epoll."""
    return HotLoop() if HAVE_HOT else asyncio.new_event_loop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """asyncio.run on a new_event_loop()."""
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


def add_reader(loop: asyncio.AbstractEventLoop, fd: int, reader: Callable[[], object]) -> None:
    """Call ``reader()`` when fd is readable, inside the selector if the loop is a HotLoop."""
    if isinstance(loop, HotLoop):
        loop.hot.add_reader(fd, reader)
    else:
        loop.add_reader(fd, reader)


def remove_reader(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    """Undo add_reader. To be called before the socket is closed."""
    if isinstance(loop, HotLoop):
        loop.hot.remove_reader(fd)
    else:
        loop.remove_reader(fd)
