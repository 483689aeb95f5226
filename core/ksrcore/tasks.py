"""Threads for messages that may have to wait: one message is processed whole in one thread, and exactly one works.

The thread that runs the proxy hands the core over to a task's thread and waits until that task has ended or pauses;
a paused task waits inside the script, with the whole stack of its message, until the core is handed to it again. The
hand-over gives ``proxy.lock`` away, however deep it is held. What is ambient in the core (the current run, the event
loop) is the task's own while it works and the owner's again afterwards.

A task pauses for a debugger (:meth:`Tasks.pause`) or for somebody outside (:meth:`Tasks.wait`): then its thread does
what waits, without the core, and asks for its next turn when that is done.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .proxy import Proxy
    from .run import Run

log = logging.getLogger("ksrcore.tasks")

T = TypeVar("T")

#: Seconds between two looks for signals.
_LOOK = 0.05

#: Threads that stay for the next task when theirs has ended.
SPARE = 4

#: Seconds until :meth:`Tasks.close` gives up on threads that wait for somebody outside.
_CLOSE = 2.0


#: What is done in the background at once.
BACKGROUND = 64


class TaskError(Exception):
    """A task is not in the state that was expected."""


class Gone(BaseException):
    """The proxy has ended while a task waited: nothing of it must go on."""


def _nothing() -> None:
    pass


def _attempt(fn: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return fn(), None
    except Exception as error:
        return None, error


class Task:
    """A piece of work in a thread of its own. ``done``: it has ended; ``paused``: it waits for :meth:`Tasks.go_on`.

    ``begin()`` and ``end()`` are called in its thread around each of its turns. ``ready()`` is called in the thread
    that runs the proxy when what it waited for outside is done; it hands the core over. ``outside``: it waits so.
    """

    def __init__(
        self,
        fn: Callable[[], None],
        lock: threading.RLock,
        begin: Callable[[], None],
        end: Callable[[], None],
        ready: Callable[[], None] | None,
    ) -> None:
        self.fn = fn
        self.begin = begin
        self.end = end
        self.ready = ready
        self.done = False
        self.paused = False
        self.outside = False
        #: The run that pauses, or did last.
        self.run: Run | None = None
        self.turn = threading.Condition(lock)  # type: ignore[arg-type, unused-ignore]
        self.working = False
        #: Released when the turn is over.
        self.back = threading.Lock()
        self.back.acquire()


def _give_up(lock: threading.RLock, back: threading.Lock) -> None:
    """Let another thread have ``lock``, however often this one has taken it, until ``back`` is released.

    This thread runs the proxy, and signals are for it: it looks for them meanwhile, which nobody does who waits for a
    lock without a limit. Python 3.11 needs that: while a signal is not handled, another thread that is traced runs in
    circles at the beginning of the next function it calls.
    """
    depth, _ = lock._release_save()  # type: ignore[attr-defined]
    while not back.acquire(timeout=_LOOK):
        pass
    while not lock.acquire(timeout=_LOOK):
        pass
    for _ in range(depth - 1):
        lock.acquire()


class _Worker:
    """A thread and the task it does; it waits for the next one."""

    def __init__(self, tasks: Tasks, number: int) -> None:
        self.tasks = tasks
        self.task: Task | None = None
        self.wake = threading.Condition(tasks.proxy.lock)  # type: ignore[arg-type, unused-ignore]
        self.ended = False
        self.thread = threading.Thread(target=self._main, name=f"ksr-task-{number}", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        tasks = self.tasks
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the proxy's own thread
        with tasks.proxy.lock:
            while True:
                while self.task is None and not self.ended:
                    self.wake.wait()
                task = self.task
                if task is None:
                    return
                tasks.work(task)
                self.task = None
                tasks.rest(self)


class Tasks:
    """The tasks of one proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        #: The task that has the core now.
        self.current: Task | None = None
        #: Has a function called in the thread that runs the proxy, from any other. None: there is nobody to do it, and
        #: whoever waits for somebody outside keeps the core meanwhile.
        self.post: Callable[[Callable[[], None]], None] | None = None
        self._workers: list[_Worker] = []
        self._spare: list[_Worker] = []
        self._numbers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._background = 0
        self._queue: deque[Callable[[], None]] = deque()

    # -- in the thread that runs the proxy ------------------------------------------------------------------------

    def start(
        self,
        fn: Callable[[], None],
        begin: Callable[[], None] = _nothing,
        end: Callable[[], None] = _nothing,
        ready: Callable[[Task], None] | None = None,
    ) -> Task:
        """Do ``fn`` as a task; returns when it has ended or pauses. ``ready``: see :class:`Task`, by default
        :meth:`go_on`."""
        with self.proxy.lock:
            task = Task(fn, self.proxy.lock, begin, end, None)
            follow = ready if ready is not None else self.go_on
            task.ready = lambda: follow(task)
            if self._spare:
                worker = self._spare.pop()
            else:
                self._numbers += 1
                worker = _Worker(self, self._numbers)
                self._workers.append(worker)
            worker.task = task
            worker.wake.notify()
            self._hand_over(task)
        return task

    def go_on(self, task: Task) -> None:
        """Let a paused task work again; returns when it has ended or pauses. Raises :class:`TaskError`."""
        with self.proxy.lock:
            if not task.paused or self.current is not None:
                raise TaskError("the message does not wait: it is being processed, or was")
            self._hand_over(task)

    def _hand_over(self, task: Task) -> None:
        env = self.proxy.env
        run = env.run
        self._loop = asyncio._get_running_loop()
        self.current = task
        task.working = True
        task.turn.notify()
        _give_up(self.proxy.lock, task.back)
        self.current = None
        env.run = run

    def background(self, fn: Callable[[], T], done: Callable[[T | None, Exception | None], None]) -> None:
        """Do ``fn`` in a thread, then ``done`` in the one that runs the proxy: with what ``fn`` returned or raised.

        At most ``BACKGROUND`` are under way, further ones queue. Where nobody runs the proxy, ``fn`` is done at once
        and ``done`` with the next timer.
        """
        if self.post is None:
            found, error = _attempt(fn)
            self.proxy.after(0.0, lambda: done(found, error))
            return

        def work() -> None:
            found, error = _attempt(fn)
            post = self.post
            try:
                if post is not None:
                    post(lambda: self._background_done(done, found, error))
            except RuntimeError:  # the event loop is closed
                pass

        if self._background < BACKGROUND:
            self._background += 1
            threading.Thread(target=work, name="ksr-background", daemon=True).start()
        else:
            self._queue.append(work)

    def _background_done(
        self, done: Callable[[T | None, Exception | None], None], found: T | None, error: Exception | None
    ) -> None:
        if self._queue:
            threading.Thread(target=self._queue.popleft(), name="ksr-background", daemon=True).start()
        else:
            self._background -= 1
        done(found, error)

    def close(self) -> None:
        """End the threads that have nothing to do; a task that is still paused keeps its thread.

        What waits for somebody outside ends when it would go on; this waits a moment for it.
        """
        with self.proxy.lock:
            self.post = None
            self._queue.clear()
            for worker in self._workers:
                worker.ended = True
                worker.wake.notify()
        end = monotonic() + _CLOSE
        for worker in self._workers:
            task = worker.task
            if task is None or task.outside:
                worker.thread.join(max(0.0, end - monotonic()))
        self._workers.clear()
        self._spare.clear()

    # -- in the task's thread -------------------------------------------------------------------------------------

    def work(self, task: Task) -> None:
        """Do the task, from its first turn to its end."""
        while not task.working:
            task.turn.wait()
        self._enter(task)
        try:
            task.fn()
        except Gone:
            task.done = True
            return
        except Exception:
            log.exception("a message that may wait failed")
        self._leave(task)
        task.done = True
        task.working = False
        task.back.release()

    def pause(self) -> None:
        """Called inside a task: give the core back and wait for the next turn."""
        task = self.current
        assert task is not None
        run = self._give_back(task)
        self._next_turn(task, run)

    def wait(self, fn: Callable[[], T]) -> T:
        """Called inside a task: do ``fn`` without the core. Returns what it returns, raises what it raises.

        Elsewhere, or where nobody could hand the core back, ``fn`` is just called.
        """
        task = self.current
        if task is None or self.post is None:
            return fn()
        lock: Any = self.proxy.lock
        task.outside = True
        run = self._give_back(task)
        depth = lock._release_save()
        try:
            return fn()
        finally:
            lock._acquire_restore(depth)
            self._ask(task)
            self._next_turn(task, run)
            task.outside = False

    def _ask(self, task: Task) -> None:
        """Have the core handed over again. Raises :class:`Gone` where nobody is left to do it."""
        post, ready = self.post, task.ready
        try:
            if post is not None and ready is not None:
                post(ready)
                return
        except RuntimeError:  # the event loop is closed
            pass
        raise Gone

    def _give_back(self, task: Task) -> Run:
        run = task.run = self.proxy.env.run
        self._leave(task)
        task.paused = True
        task.working = False
        task.back.release()
        return run

    def _next_turn(self, task: Task, run: Run) -> None:
        while not task.working:
            if task.outside and self.post is None:
                raise Gone
            task.turn.wait(None if not task.outside else _LOOK)
        task.paused = False
        self._enter(task)
        self.proxy.env.run = run

    def rest(self, worker: _Worker) -> None:
        """A task has ended: its thread waits for another, or ends when enough wait."""
        if len(self._spare) < SPARE and not worker.ended:
            self._spare.append(worker)
        else:
            worker.ended = True
            if worker in self._workers:
                self._workers.remove(worker)

    def _enter(self, task: Task) -> None:
        # Connections and resolvers ask for the running loop, and this thread runs it now as far as they can tell:
        # the loop's own thread stands still in a callback until the turn is over.
        asyncio._set_running_loop(self._loop)
        task.begin()

    def _leave(self, task: Task) -> None:
        task.end()
        asyncio._set_running_loop(None)
