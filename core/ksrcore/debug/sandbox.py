"""Sandboxes: KSR on a captured message. Reads see the live proxy's state, writes stay in a copy, sends are collected.

A sandbox is a second :class:`~ksrcore.proxy.Proxy` over forks of the live one's modules, with an environment of its
own. The script's functions are the live ones, and they call the live ``KSR`` object; :class:`Sandboxes` is the hook
in that object's way: it knows which thread works in which sandbox and sends the call to the right proxy.

Several threads may work in the core only one at a time: each KSR call of a debugged route holds ``proxy.lock``, and
while such a route exists the loop thread takes it too. A route that waits at a breakpoint is in the script's code, not
in the core, and holds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from ..capture.recorder import Ran, Record, Recorder
from ..kemi.declare import Decl
from ..kemi.facade import find_decl, perform
from ..net.address import Dest
from ..proxy import Proxy
from ..sip.errors import SipError
from . import states
from .context import prepare
from .errors import DebugError

if TYPE_CHECKING:
    from ..script.engine import Script
    from ..sip.message import SipMessage


def is_script_file(script: Script, filename: str) -> bool:
    """Whether code of that file is the script's: its own file or a function that was swapped in."""
    path: str | None = getattr(getattr(script, "module", None), "__file__", "")
    return filename == path or filename.startswith("<swap ")


class SandboxError(DebugError):
    """A sandbox cannot be opened or used as asked: one line."""


def fork_proxy(parent: Proxy, transmit: Callable[[bytes, Dest], bool], wall: float) -> Proxy:
    """A proxy over forks of the parent's modules, at the time ``wall`` (unix): what it reads is what the parent has."""
    proxy = Proxy(
        transmit=transmit,
        listens=parent.listens,
        now=parent.now - (parent.wall() - wall),
        wall=wall,
        recorder=Recorder(1000, 16 * 1024 * 1024),
        name=parent.name,
    )
    proxy.sandbox = True
    # The same numbers each time the same run is made.
    proxy.random = Random(int(wall * 1000))
    proxy.aliases = parent.aliases
    proxy.defines = parent.defines
    proxy.started = parent.started
    proxy.script = parent.script
    proxy.counters.update(parent.counters)
    proxy.server_header = parent.server_header
    proxy.sip_warning, proxy.marks = parent.sip_warning, parent.marks
    proxy.custom = dict(parent.custom)
    proxy.user_agent_header = parent.user_agent_header
    proxy.db = parent.db.fork() if parent.db is not None else None
    for name, module in parent.modules.items():
        proxy.modules[name] = module.fork(proxy)
    return proxy


def wall_of(live: Proxy, record: Record) -> float:
    """The time a sandbox on that message has: when the message was captured (unix)."""
    return min(record.time, live.wall()) if record.time > 0 else live.wall()


class Sandbox:
    """One captured message and a fork of the proxy around it, at the time the message was captured.

    ``sent`` is what would have left: (dest, text). ``on_call(decl, args)`` and ``after_call(decl, args, result,
    seconds)`` are the stepper's; ``live`` is the proxy this was forked from. ``made`` counts KSR calls, twice each.

    ``ran``: what the recorder has of the callback that is to run again for that message; ``args`` are its arguments.
    ``base``: a fork of the live proxy to fork from instead, so that several sandboxes begin with the same.
    """

    def __init__(self, live: Proxy, record: Record, *, ran: Ran | None = None, base: Proxy | None = None) -> None:
        self.live = live
        self.source = record
        self.sent: list[tuple[Dest, str]] = []
        self.made = 0
        self.on_call: Callable[[Decl, tuple[Any, ...]], None] | None = None
        self.after_call: Callable[[Decl, tuple[Any, ...], Any, float], None] | None = None
        wall = base.wall() if base is not None else wall_of(live, record)
        try:
            with live.lock:
                self.proxy = proxy = fork_proxy(base if base is not None else live, self._collect, wall)
                self.run, self.args = prepare(proxy, live.recorder, record, ran, live.listens)
        except SipError as error:
            raise SandboxError(f"message {record.id} cannot be parsed: {error}") from None
        self.msg: SipMessage = self.run.msg
        if self.msg.error is not None:
            raise SandboxError(f"message {record.id} cannot be routed: {self.msg.error}")
        self.record = self.run.record
        proxy.env.run = self.run

    def is_script(self, filename: str) -> bool:
        """Whether code of that file is the script's: its own file or a function that was swapped in."""
        script = self.live.script
        return script is not None and is_script_file(script, filename)

    def _collect(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest, data.decode("latin-1")))
        return True

    def dispatch(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        """Do a KSR call here: what the facade does for a live one, on this sandbox's modules."""
        if self.on_call is not None:
            self.on_call(decl, args)
        self.made += 1
        with self.live.lock:
            return perform(self.proxy, decl, args, self._made)

    def _made(self, decl: Decl, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        self.made += 1
        if self.after_call is not None:
            self.after_call(decl, args, result, seconds)

    # -- what it has come to --------------------------------------------------------------------------------------

    def effects(self) -> dict[str, Any]:
        """What was done so far: what would have been sent, the message's diff, its routing state, database writes."""
        return states.effects(self.msg, self.proxy.listens, self.sent, self.writes())

    def writes(self) -> list[str]:
        """What would have been written to the database, as text."""
        return [f"{sql} {params}" for sql, params in getattr(self.proxy.db, "writes", ())]


class Dispatcher(Protocol):
    """Where a thread's KSR calls go: a sandbox, or a live message under the debugger."""

    def dispatch(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        """Do the call. Raises what it raises."""


class Sandboxes:
    """The sandboxes of a proxy, and the hook that brings a thread's KSR calls to the one it works in."""

    def __init__(self, live: Proxy, limit: int = 32) -> None:
        self.live = live
        self.limit = limit
        self.open: dict[int, Sandbox] = {}
        self._next = 0
        self._threads: dict[int, Dispatcher] = {}
        self._others = 0

    def add(self, record: Record) -> int:
        """Open a sandbox on that message; its number. The oldest is closed when there are too many."""
        while len(self.open) >= self.limit:
            self.open.pop(next(iter(self.open)))
        box = Sandbox(self.live, record)
        self._next += 1
        self.open[self._next] = box
        return self._next

    def get(self, number: int) -> Sandbox:
        try:
            return self.open[number]
        except KeyError:
            raise SandboxError(f"no sandbox {number}: use(m) opens one") from None

    def close(self, number: int) -> None:
        self.open.pop(number, None)

    def share(self) -> Callable[[], None]:
        """Another thread will work in the core: the proxy's own takes the lock from now on. To be called in the proxy's
        thread, before the other one starts; what it returns ends it and is called by the other, once."""
        with self.live.lock:
            self._others += 1
            self.live.env.hook = self._hook
        return self._unshare

    def _unshare(self) -> None:
        with self.live.lock:
            self._others -= 1
            self._unhook()

    def _unhook(self) -> None:
        if not self._threads and not self._others:
            self.live.env.hook = None

    def enter(self, target: Dispatcher) -> None:
        """This thread's KSR calls go to ``target`` until :meth:`leave`. Called under the lock."""
        self._threads[get_ident()] = target
        self.live.env.hook = self._hook

    def leave(self) -> None:
        """They go where they belong again. Called under the lock."""
        self._threads.pop(get_ident(), None)
        self._unhook()

    @contextmanager
    def working_in(self, box: Sandbox) -> Iterator[None]:
        """This thread's KSR calls go to ``box`` inside the block."""
        me = get_ident()
        outer = self._threads.get(me)
        with self.live.lock:
            self._threads[me] = box
            self.live.env.hook = self._hook
        try:
            yield
        finally:
            with self.live.lock:
                if outer is None:
                    del self._threads[me]
                else:
                    self._threads[me] = outer
                self._unhook()

    def _hook(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        box = self._threads.get(get_ident())
        if box is not None:
            return box.dispatch(decl, args)
        # A live message that is routed while some other thread debugs.
        return perform(self.live, decl, args)

    def call(self, number: int, name: str, args: tuple[Any, ...]) -> Any:
        """``KSR.<name>(*args)`` in that sandbox. Raises what the function raises."""
        box = self.get(number)
        decl = find_decl(self.live, name)
        with self.working_in(box):
            return box.dispatch(decl, args)
