"""The proxy of one test: no sockets, a clock that stands still, DNS that is a table, a database in memory.

Everything that would be left to chance comes from counters: ids, tags, nonces.
"""

from __future__ import annotations

import logging
import zlib
from hashlib import md5
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

from ksrcore.assemble import make_proxy
from ksrcore.capture.recorder import Recorder
from ksrcore.kemi.declare import Decl, ParamError
from ksrcore.kemi.facade import Failed, KsrModule, KsrNotImplemented, coerce, perform
from ksrcore.net.address import DEFAULT_PORTS, AddressError, Dest, Listen, Rcv, ip_family, parse_listen
from ksrcore.proxy import Resolved
from ksrcore.run import Run
from ksrcore.script.engine import ScriptError
from ksrcore.script.python import PythonScript
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError

from .errors import MissingFunction, ProxyDefect, ScriptRaised, UsageError
from .isolate import Imports, LogTap, script_files
from .messages import Message, Numbers, parse_source
from .mocks import KsrMock
from .options import Options
from .sent import Sent
from .steps import Log, Step, Watch

__all__ = ["World"]

__tracebackhide__ = True

_OWN = str(Path(__file__).resolve().parent)
#: The monotonic time at which a test begins.
_BEGIN = 1000.0
#: Firings of timers in one advance() after which it will not come to rest.
_MOST_TURNS = 100_000
_DEFAULT_LISTEN = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")

#: What a name leads to: addresses (``10.0.0.9``, ``10.0.0.9:5070``, ``tcp:10.0.0.9:5060``), none for a name that does
#: not exist.
Dns = dict[str, "str | list[str]"]


class _Script(PythonScript):
    """A script whose callbacks are watched."""

    def __init__(self, path: Path, proxy: Any, ksr: KsrModule, watch: Watch) -> None:
        super().__init__(path, proxy, ksr)
        self.watch = watch

    def call(self, run: Run, name: str, *args: Any) -> int:
        return self.watch.call(name, run, args, lambda: super(_Script, self).call(run, name, *args))

    def _failed(self, run: Run, error: Exception) -> Any:
        # What is between the script and the KSR function tells its user nothing.
        error.__traceback__ = _theirs(error.__traceback__)
        return super()._failed(run, error)


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of this package."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    if trace is not None:
        trace.tb_next = _theirs(trace.tb_next)
    return trace


class World:
    """A proxy with its script. ``steps``: what the test has done so far. Closed when the test ends."""

    def __init__(self, path: Path, options: Options, mocks: dict[str, KsrMock], dns: Dns, dead: set[str]) -> None:
        """Raises :class:`UsageError` for what cannot be made, with one line that says why."""
        self.path = path
        self.options = options
        self.mocks = mocks
        self.dns = dns
        self.dead = dead
        self.now = _BEGIN
        self.numbers = Numbers()
        self.steps: list[Step] = []
        #: Requests that came in, by Call-ID and CSeq: to go on with their dialog.
        self.requests: dict[tuple[str, str], Message] = {}
        self.watch = Watch(script_files(path))
        self._seen: set[tuple[str, str, str]] = set()
        self._names: dict[str, str] = {}
        self._connections: dict[tuple[str, str, int], int] = {}
        self._defects: list[str] = []
        self._imports = Imports(path)
        self._tap = LogTap(self._logged)
        self._closed = False
        self._tap.open()
        self.watch.lines.open()
        try:
            self._make()
        except BaseException as error:
            self.close()
            if isinstance(error, ParamError | AddressError | StoreError | ScriptError):
                raise UsageError(str(error)) from None
            raise

    def _make(self) -> None:
        options = self.options
        self.db = Database.open(":memory:")
        self.proxy, self.ksr = make_proxy(
            transmit=self._transmit,
            listens=[parse_listen(text) for text in options.listen or _DEFAULT_LISTEN],
            aliases=options.aliases,
            modparams=("auth:secret=secret of tests", *options.modparams),
            db=self.db,
            now=self.now,
            wall=options.now,
            name="test",
            recorder=Recorder(10_000, 64 * 1024 * 1024),
        )
        proxy = self.proxy
        proxy.resolve = self._resolve
        proxy.random = Random(0)
        proxy.defines.update(options.defines)
        engine = proxy.modules.tm.engine
        engine.secret, engine.scramble = "test", lambda text: zlib.crc32(text.encode())
        engine.tag = md5(b"tag", usedforsecurity=False).hexdigest()
        engine.salt = md5(b"branch", usedforsecurity=False).hexdigest()[:16]
        proxy.modules.auth._nid = 1
        for table in proxy.modules.usrloc.tables.values():
            table._ruid_prefix = "uloc-test-"
        proxy.env.hook = self.dispatch
        if self.path.suffix != ".py":
            raise ScriptError(f"scripts end in .py, got {self.path.suffix or 'no ending'!r}", str(self.path))
        self.script = _Script(self.path, proxy, self.ksr, self.watch)
        try:
            self.script.load()
        except ScriptError as error:
            raise UsageError(str(error)) from None
        finally:
            self._imports.loaded()
        proxy.script = self.script
        # Modules put off what they tell a script at its start (htable:mod-init) until it is there.
        with self.step("the script starts") as step:
            self.settle()
        if not step.sent:
            self.steps.remove(step)  # not worth showing with each test that fails

    def close(self) -> None:
        """Put everything back as it was."""
        if self._closed:
            return
        self._closed = True
        try:
            if hasattr(self, "proxy"):
                for module in self.proxy.modules.values():
                    module.stop()
            if hasattr(self, "db"):
                self.db.close()
        finally:
            self.watch.lines.close()
            self._tap.close()
            self._imports.restore()

    # -- KSR --------------------------------------------------------------------------------------------------------

    def dispatch(self, decl: Decl, args: tuple[Any, ...]) -> Any:
        """A KSR call of the script: recorded, and with a mock in the function's place. Raises what it raises."""
        call = self.watch.begin_call(decl, args)
        mock = self.mocks.get(decl.path)
        call.mocked = mock is not None
        try:
            result = perform(self.proxy, decl, args) if mock is None else self._mocked(decl, args, mock)
        except BaseException as error:
            call.error = error
            raise
        call.done, call.result = True, result
        return result

    def _mocked(self, decl: Decl, args: tuple[Any, ...], mock: KsrMock) -> Any:
        calls = self.proxy.env.run.calls
        try:
            converted = coerce(decl, args)
            result = mock(*args)
        except BaseException as error:
            calls.extend((Failed(decl), args, error))
            raise
        calls.extend((decl, converted, result) if decl.variadic else (decl, *converted, result))
        return result

    # -- what the proxy is connected to -------------------------------------------------------------------------------

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        if dest.ip in self.dead or f"{dest.ip}:{dest.port}" in self.dead:
            return False
        wire = data.decode("latin-1")
        key = (wire, dest.text, dest.proto)
        self.watch.sent(Sent(wire, dest, self.now - _BEGIN, key in self._seen))
        self._seen.add(key)
        return True

    def _resolve(self, host: str, port: int, proto: str, done: Resolved) -> None:
        found = self.dns.get(host.lower())
        if found is None:
            if host.lower().endswith(".invalid"):  # RFC 6761: there are none
                done([])
                return
            # A name the test says nothing of: an address of those for documentation (RFC 5737), by order of use.
            found = self._names.setdefault(host.lower(), f"192.0.2.{len(self._names) % 254 + 1}")
        targets = []
        for text in [found] if isinstance(found, str) else found:
            has_proto = text.partition(":")[0].lower() in DEFAULT_PORTS
            own, ip, own_port = parse_source(text, proto)
            explicit = has_proto or text.rpartition("]")[2].count(":") == 1
            targets.append((own, ip, port if port and not explicit else own_port))
        done(targets)

    def _logged(self, log: Log, record: logging.LogRecord) -> None:
        self.watch.step.logs.append(log)
        text = log.text
        if record.exc_info:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
        # A last resort of the core logs a traceback; those of scripts are told in another way.
        if "Traceback (most recent call last)" in text and log.name != "ksrcore.script":
            self._defects.append(text)

    # -- what the test does -------------------------------------------------------------------------------------------

    def step(self, title: str, message: Message | None = None) -> _Stepping:
        """What happens inside ``with`` belongs to this step. At its end raises what must end the test."""
        return _Stepping(self, Step(title, message))

    def judge(self, step: Step) -> None:
        if self._defects:
            text = "\n".join(self._defects)
            self._defects.clear()
            raise ProxyDefect(f"ksrshell itself failed, not the script:\n{text}")
        for call in step.calls:
            if isinstance(call.error, KsrNotImplemented):
                where = f" ({self.shown(call.file)}:{call.line})" if call.file else ""
                hint = f"ksr.mock({call.name!r}, returns=...) stands in for it in a test"
                raise MissingFunction(f"{call.error}; {hint}{where}")
        if self.options.allow_exceptions:
            return
        for callback in step.callbacks:
            if callback.exception is not None:
                raise ScriptRaised(callback.name, callback.exception, callback.frames) from None

    def shown(self, file: str) -> str:
        """A file of the script as its user knows it."""
        try:
            return str(Path(file).relative_to(self.path.parent))
        except ValueError:
            return file

    def rcv(self, message: Message) -> Rcv:
        """Where a message comes in. Raises :class:`UsageError` when no socket is there for it."""
        listens = [
            listen
            for listen in self.proxy.listens
            if listen.proto == message.proto
            and listen.family == ip_family(message.ip)
            and message.dst in ("", f"{listen.uri_host}:{listen.port}")
        ]
        if not listens:
            there = ", ".join(listen.text for listen in self.proxy.listens)
            wanted = message.dst or f"over {message.proto} from {message.ip}"
            raise UsageError(
                f"no listen socket takes a message {wanted}; there are {there}: "
                f'listen=["{message.proto}:ADDRESS:PORT"] adds one'
            )
        listen: Listen = listens[0]
        conid = 0
        if message.proto != "udp":
            key = (message.proto, message.ip, message.port)
            conid = self._connections.setdefault(key, len(self._connections) + 1)
        return Rcv(message.proto, message.ip, message.port, listen.host, listen.port, listen, conid)

    def receive(self, message: Message, title: str = "") -> Step:
        """The proxy gets that message."""
        rcv = self.rcv(message)
        if message.is_request:
            self.requests[message.headers.get("Call-ID", ""), message.headers.get("CSeq", "")] = message
        with self.step(title or message.title, message) as step:
            before = self.proxy.recorder.last_id
            self.proxy.receive(message.wire.encode("latin-1"), rcv, self.now)
            record = self.proxy.recorder.get(before + 1)
            if record is not None:
                step.error = record.error
            self.settle()
        return step

    def settle(self) -> None:
        """Let what is due now happen: work that the proxy put off for a moment."""
        at = self.proxy.next_timer()
        if at is not None and at <= self.now:
            self.proxy.advance(self.now)

    def advance(self, seconds: float, title: str = "") -> Step:
        """Time goes on; timers fire at their times."""
        with self.step(title or f"{seconds:g} s pass") as step:
            until = self.now + seconds
            proxy = self.proxy
            for _ in range(_MOST_TURNS):
                at = proxy.next_timer()
                if at is None or at > until:
                    break
                self.now = max(self.now, at)
                proxy.advance(self.now)
            else:
                raise ProxyDefect(f"timers do not come to rest: {_MOST_TURNS} firings in {seconds:g} s")
            self.now = until
            proxy.advance(until)
        return step


class _Stepping:
    """A class and no generator: what it raises has no frame of contextlib's, which pytest would show."""

    def __init__(self, world: World, step: Step) -> None:
        self._world = world
        self._step = step

    def __enter__(self) -> Step:
        world = self._world
        self._outer, world.watch.step = world.watch.step, self._step
        world.steps.append(self._step)
        return self._step

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._world.watch.step = self._outer
        if kind is None:
            self._world.judge(self._step)
