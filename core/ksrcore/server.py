"""The proxy on real sockets: event loop, network, clock, control channel, signals."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import logs
from .assemble import load_script, make_proxy, start_modules
from .capture.recorder import Record
from .control import views
from .control.jsonrpc import Answer
from .control.methods import Methods
from .control.rpc import rpc_methods
from .control.rpcsockets import Access, DatagramRpc, FifoRpc, RpcSocketError
from .control.server import ControlServer
from .control.socket import ControlSocketError, check_control_path
from .kamailio.cfg import CfgError, read
from .kamailio.embed import Plan, plan
from .kamailio.lexer import command_line_defines
from .kemi import MODULES
from .kemi.core import Core
from .kemi.core_params import FORCE_RPORT
from .kemi.declare import ParamError
from .kemi.jsonrpcs import DATAGRAM, FIFO
from .mirror import collect, mirroring
from .net.address import AddressError, Dest, parse_listen
from .net.dns import ResolveError, Resolver, Target
from .net.hep import HepListener, HepSender, parse_hep
from .net.loop import run
from .net.network import Network
from .net.transport import ListenError
from .proxy import Proxy
from .script.engine import ScriptError
from .script.watch import LOOK, Watcher
from .state import StateError, default_db_url, runtime_dir
from .store.database import Database
from .store.errors import DatabaseError

log = logging.getLogger("ksrcore")

#: Seconds between two looks at the timers: finer than Kamailio's tick of 62.5 ms.
TICK = 0.05
#: How long transactions may take to end after SIGTERM.
DRAIN = 2.0


class ServeError(Exception):
    """The proxy cannot start: one line for the user."""


_USER_ERRORS = (
    ParamError,
    AddressError,
    ListenError,
    ScriptError,
    DatabaseError,
    ControlSocketError,
    RpcSocketError,
    CfgError,
    StateError,
)


@dataclass
class Options:
    """What ``ksrshell serve`` was told. ``script``: a KEMI script, or a kamailio.cfg that names one."""

    script: str
    #: Empty: those of the kamailio.cfg, without one UDP and TCP on 127.0.0.1:5060.
    listens: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    modparams: list[str] = field(default_factory=list)
    db: str = ""
    name: str = ""
    control: str = ""
    ready: Callable[[str, str], None] | None = None
    #: End when standard input ends: whoever started the proxy holds the other end.
    while_stdin: bool = False
    #: Swap in what changes in the script's file.
    reload: bool = False
    #: Where HEP is received (``udp:HOST:PORT``), and where messages are mirrored as HEP ('' nowhere).
    heps: list[str] = field(default_factory=list)
    hep_send: str = ""
    #: Kamailio's -A: NAME or NAME=VALUE.
    defines: list[str] = field(default_factory=list)


def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Raises :class:`ServeError`; nothing is left behind then."""
    try:
        run(_serve(options))
    except _USER_ERRORS as error:
        raise ServeError(str(error)) from None


async def _serve(options: Options) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    settings = from_cfg(options)
    name = options.name or Path(settings.script).stem
    if not options.name and Path(settings.script).is_dir():
        raise ScriptError(f"{settings.script}: cannot read the script: it is a directory")
    if not name or "/" in name or name.startswith("."):
        raise ParamError(f"--name is a word without '/', got {name!r}")
    path = Path(options.control) if options.control else runtime_dir() / f"{name}.sock"
    check_control_path(path, name)  # before the script runs: its mod_init may write to a database
    async with AsyncExitStack() as stack:
        network = Network()
        stack.push_async_callback(network.close)
        listens = [parse_listen(text) for text in settings.listens]
        now = time.monotonic()
        proxy, ksr = make_proxy(
            transmit=network.send,
            listens=listens,
            aliases=settings.aliases,
            modparams=settings.modparams,
            now=now,
            wall=time.time(),
            name=name,
            start=False,
        )
        proxy.defines |= settings.defines
        proxy.custom |= settings.custom
        core: Core = proxy.module("")
        core.apply_network(network.options)
        await network.open(listens)
        db = proxy.db = Database.open(options.db or default_db_url())
        stack.callback(db.close)
        start_modules(proxy)
        stack.callback(_stop_modules, proxy)
        resolver = Resolver(core.dns_options(), protos=network.counters)
        stack.push_async_callback(resolver.close)
        connect(proxy, network, resolver)
        proxy.tasks.post = _turns(proxy, loop)
        stack.callback(proxy.tasks.close)
        load_script(settings.script, proxy, ksr)
        # What modules do at the start, such as the event htable:mod-init, comes before the first message.
        proxy.advance(time.monotonic())
        methods = Methods(proxy, stopping.set, Rates(proxy, network))
        control = ControlServer(path, name, _guarded(proxy, rpc_methods(proxy) | methods.table()))
        stack.push_async_callback(control.close)
        stack.callback(methods.close)
        methods.server = control
        await control.start()
        _open_rpc(proxy, stack)
        proxy.recorder.on_record = _announce(control, loop)
        _open_hep(options, proxy, stack)
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stopping.set)
            stack.callback(loop.remove_signal_handler, signum)
        if options.while_stdin:
            loop.add_reader(0, _until_eof, loop, 0, stopping)
            stack.callback(loop.remove_reader, 0)
        _tame_collector()
        network.on_message = lambda data, rcv: proxy.receive(data, rcv, time.monotonic())
        network.on_send_error = _undelivered(proxy)
        if options.reload:
            _watch(proxy, methods)
        if options.ready is not None:
            options.ready(name, str(path))
        await _tick(proxy, stopping, _publish_stats(control, methods))
        await _drain(proxy)


def from_cfg(options: Options) -> Plan:
    """What is run: the options alone for a script; with a kamailio.cfg its settings, and the options over them.

    Raises :class:`CfgError`, :class:`ParamError` for a bad define.
    """
    if Path(options.script).suffix != ".cfg":
        try:
            defines = command_line_defines(options.defines)
        except ValueError as error:
            raise ParamError(str(error)) from None
        settings = Plan(options.script, defines=defines)
    else:
        try:
            config = read(options.script, options.defines)
        except CfgError:
            raise
        except ValueError as error:
            raise ParamError(str(error)) from None
        modules = [module.name for module in MODULES]
        settings = plan(config, modules, {*Core.params, FORCE_RPORT.name}, keep_db=not options.db)
        for warning in settings.warnings:
            log.warning("%s", warning)
    settings.listens = options.listens or settings.listens or ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    settings.aliases += options.aliases
    settings.modparams += options.modparams
    return settings


def _open_rpc(proxy: Proxy, stack: AsyncExitStack) -> None:
    """The datagram socket and the fifo of jsonrpcs, as far as they are wanted. Raises RpcSocketError."""
    module = proxy.modules.jsonrpcs

    def execute(document: str) -> Answer | None:
        # Commands work in the core as messages do: under its lock while a route is debugged.
        proxy.now = time.monotonic()
        with proxy.lock:
            return module.execute(document)

    if module.dgram_socket and module.wants(DATAGRAM):
        access = Access(module.dgram_mode, module.dgram_user, module.dgram_group)
        stack.callback(DatagramRpc(module.dgram_socket, execute, access).close)
    if module.fifo_name and module.wants(FIFO):
        access = Access(module.fifo_mode, module.fifo_user, module.fifo_group)
        stack.callback(FifoRpc(module.fifo_name, execute, access, module.fifo_reply_dir).close)


def _open_hep(options: Options, proxy: Proxy, stack: AsyncExitStack) -> None:
    """HEP in and out, as far as it is wanted."""
    for text in options.heps:
        listener = HepListener(parse_hep(text), time.time)
        stack.callback(listener.close)
        collect(proxy, listener)
    if options.hep_send:
        sender = HepSender(parse_hep(options.hep_send))
        stack.callback(sender.close)
        announce, mirror = proxy.recorder.on_record, mirroring(proxy, sender)

        def both(record: Record) -> None:
            mirror(record)
            if announce is not None:
                announce(record)

        proxy.recorder.on_record = both


def _watch(proxy: Proxy, methods: Methods) -> None:
    watcher = Watcher(proxy.script, methods.swapping.reloaded)  # type: ignore[arg-type]
    proxy.after(LOOK, watcher.look, every=LOOK)


def _until_eof(loop: asyncio.AbstractEventLoop, fd: int, stopping: asyncio.Event) -> None:
    try:
        if os.read(fd, 4096):
            return
    except BlockingIOError:
        return
    except OSError:
        pass  # a terminal that went away
    # It stays readable: the loop would not rest while open transactions end.
    loop.remove_reader(fd)
    stopping.set()


def _tame_collector() -> None:
    """Keep Python's cyclic collector off the path of messages.

    What exists now lives as long as the process: it is frozen. The core makes no cycles, so what a message allocates
    is freed by reference counts; the collector would only trace the recorder again and again (measured: a third of the
    CPU of a call). It still runs when half a million more objects exist than at its last run, which is what cycles of
    a script would come to.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 100)


def connect(proxy: Proxy, network: Network, resolver: Resolver) -> None:
    """Give the core its ways out: connections, socket choice, DNS."""
    proxy.network = network
    proxy.pick_listen = network.pick_listen

    def resolve(host: str, port: int, proto: str, done: Callable[[list[tuple[str, str, int]]], None]) -> None:
        def resolved(targets: list[Target], error: ResolveError | None) -> None:
            if error is not None:
                log.warning("%s", error)
                proxy.count("dns:failed_dns_request")
            with proxy.lock:
                proxy.now = time.monotonic()
                done([(target.proto, target.ip, target.port) for target in targets])

        resolver.lookup(host, port, proto, proto == "tls", resolved)

    proxy.resolve = resolve


def _undelivered(proxy: Proxy) -> Callable[[Dest, bytes, OSError], None]:
    """What was handed over could not be sent after all (a connection that was refused): tm tries the next address."""
    tm: Any = proxy.modules["tm"]

    def undelivered(dest: Dest, data: bytes, error: OSError) -> None:
        log.warning("could not send to %s: %s", dest.text, error)
        with proxy.lock:
            proxy.now = time.monotonic()
            tm.send_failed(data.decode("latin-1"))

    return undelivered


async def _tick(proxy: Proxy, stopping: asyncio.Event, each_second: Callable[[], None]) -> None:
    second = 0.0
    while not stopping.is_set():
        await asyncio.sleep(TICK)
        now = time.monotonic()
        if now - second > 1.0:
            second = now
            proxy.wall_offset = time.time() - now
            each_second()
        proxy.advance(now)
        logs.flush()


async def _drain(proxy: Proxy) -> None:
    """Let open transactions end, for a bounded time."""
    log.info("stopping")
    if proxy.debugger is not None:
        proxy.debugger.stop()
    tm: Any = proxy.modules.get("tm")
    outside = proxy.outside
    end = time.monotonic() + DRAIN
    while ((tm is not None and tm.busy()) or (outside is not None and outside.busy())) and time.monotonic() < end:
        await asyncio.sleep(TICK)
        proxy.advance(time.monotonic())


def _turns(proxy: Proxy, loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[], None]], None]:
    """How other threads ask for their turn in the core."""

    def turn(fn: Callable[[], None]) -> None:
        proxy.now = time.monotonic()
        fn()

    def post(fn: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(turn, fn)

    return post


def _stop_modules(proxy: Proxy) -> None:
    for module in reversed(list(proxy.modules.values())):
        try:
            module.stop()
        except Exception:
            log.exception("module %s did not stop well", module.name)


def _guarded(proxy: Proxy, methods: dict[str, Any]) -> dict[str, Any]:
    """Control requests work in the core like messages do: under its lock while a route is debugged."""

    def guard(handler: Any) -> Any:
        def guarded(connection: Any, params: Any) -> Any:
            proxy.now = time.monotonic()
            with proxy.lock:
                return handler(connection, params)

        return guarded

    return {name: guard(handler) for name, handler in methods.items()}


_ABOUT_MESSAGES = frozenset(("message", "exception"))


def _announce(control: ControlServer, loop: asyncio.AbstractEventLoop) -> Callable[[Record], None]:
    """Events about messages, sent when their callbacks have run: only if somebody asked for them."""

    def announce(record: Record) -> None:
        for connection in control.connections:
            if not connection.events.isdisjoint(_ABOUT_MESSAGES):
                loop.call_soon(publish, record)
                return

    def publish(record: Record) -> None:
        if control.wanted("message"):
            control.publish("message", {"message": views.summary(record)})
        if any(run.exception is not None for run in record.runs):
            control.publish("exception", {"message": views.summary(record)})

    return announce


def _publish_stats(control: ControlServer, methods: Methods) -> Callable[[], None]:
    """The event ``stats``, for whoever asked for it."""

    def publish() -> None:
        if control.wanted("stats"):
            control.publish("stats", {"stats": methods.stats()})

    return publish


class Rates:
    """Messages a second and other figures for the toolbar, measured between two askings at least a second apart."""

    def __init__(self, proxy: Proxy, network: Network) -> None:
        self.proxy = proxy
        self.network = network
        self._at = proxy.now
        self._last = proxy.recorder.last_id
        self._rate = 0.0

    def __call__(self) -> dict[str, Any]:
        proxy = self.proxy
        elapsed = proxy.now - self._at
        if elapsed >= 1.0:
            self._rate = (proxy.recorder.last_id - self._last) / elapsed
            self._at, self._last = proxy.now, proxy.recorder.last_id
        counters = proxy.counters
        tm: Any = proxy.modules.get("tm")
        return {
            "messages_per_s": round(self._rate, 1),
            "transactions": tm.count() if tm is not None else 0,
            "received": counters.get("core:rcv_requests", 0) + counters.get("core:rcv_replies", 0),
            "sent": sum(transport.sent for transport in self.network.counters.values()),
            "uptime": proxy.wall() - proxy.started,
        }
