"""Python scripts: app_python3's class style (``mod_init`` returns the object) and app_python3s' module style."""

from __future__ import annotations

import ast
import asyncio
import difflib
import logging
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from inspect import CO_VARARGS, Parameter, signature
from pathlib import Path
from time import perf_counter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ..kemi.facade import KsrModule
from ..outside import look_at
from ..tm.kept import KEPT_ROUTES, keep
from .check import Api, Around, Finding, Signature, api_of, check, ksr_paths
from .engine import Route, Script, ScriptError
from .inspect import armed_callbacks
from .instrument import HITS, compile_counted
from .message import ScriptMessage
from .program import parse, read
from .swap import Swapped, Swaps
from .waits import callbacks_that_wait, helpers

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

log = logging.getLogger("ksrcore.script")

#: Callbacks that Kamailio's core itself calls.
CORE_CALLBACKS = ("ksr_request_route", "ksr_reply_route", "ksr_onsend_route")

_OWN = str(Path(__file__).resolve().parent.parent)
#: Evaluating for a stepped run waits in it.
_ASYNCIO = str(Path(asyncio.__file__).parent)


class _Stats:
    __slots__ = ("calls", "total", "longest", "exceptions")

    def __init__(self) -> None:
        self.calls = 0
        self.total = 0.0
        self.longest = 0.0
        self.exceptions = 0


class PythonScript(Script):
    """A KEMI script in Python. ``ksr`` is the KSR object it imports.

    ``generation`` counts swaps; ``Run.version`` is the generation a callback ran in, so a captured message can say
    which version of each function handled it (:meth:`versions_at`).
    """

    def __init__(self, path: str | Path, proxy: Proxy, ksr: KsrModule) -> None:
        self.path = str(path)
        self.proxy = proxy
        self.env = proxy.env
        self.ksr = ksr
        self.module = ModuleType("script")
        self.handler: Any = None
        self.hits: list[int] = []
        self.generation = 0
        self._hit_names: list[tuple[str, str]] = []
        # What was called since the last swap, with its statistics.
        self._callbacks: dict[str, tuple[Callable[..., Any], _Stats]] = {}
        self._missing: set[str] = set()
        self._stats: dict[str, _Stats] = {}
        self._armed: set[str] = set()
        self.swaps = Swaps(self)
        self._api: Api | None = None  # made at the first swap: it takes 10 ms

    # -- loading --------------------------------------------------------------------------------------------------

    def load(self) -> None:
        data, tree, filename = self._load()
        self._armed = set(CORE_CALLBACKS) | {name for name, _ in armed_callbacks(tree)}
        self.swaps.loaded(data, filename, "load")
        self._warn_armed(tree)

    def reload(self) -> None:
        """The whole file, as Kamailio's ``app_python.reload``: module globals start anew, ``mod_init`` runs again."""
        data, tree, filename = self._load()
        self._armed |= {name for name, _ in armed_callbacks(tree)}
        self.generation += 1
        self.swaps.loaded(data, filename, "reload")
        self.forget_callbacks()
        self._look_at()
        self._warn_armed(tree)

    def _load(self) -> tuple[bytes, ast.Module, str]:
        path = Path(self.path)
        try:
            data = path.read_bytes()
            source = data.decode("utf-8-sig")
        except OSError as error:
            raise ScriptError(f"cannot read the script: {error.strerror or error}", self.path) from None
        except UnicodeDecodeError as error:
            raise ScriptError(f"the script is not UTF-8: {error.reason} at byte {error.start}", self.path) from None
        filename = str(path.resolve())
        tree = self._parse(source, filename)
        module = ModuleType(path.stem)
        module.__file__ = filename
        module.__dict__[HITS] = self.hits
        before = {name: sys.modules.get(name) for name in ("KSR", path.stem)}
        sys.modules["KSR"] = self.ksr
        sys.modules[path.stem] = module
        sys.path.insert(0, str(path.resolve().parent))
        outer = self.env.run
        self.env.run = self.proxy.fake_run()
        try:
            exec(compile_counted(tree, filename, self.number(filename)), module.__dict__)
            init = module.__dict__.get("mod_init")
            handler = init() if callable(init) else None
            if handler is None or isinstance(handler, int):
                handler = module
            self._check_entry(module, handler)
            child_init = getattr(handler, "child_init", None)
            if callable(child_init):
                child_init(1)
            self.module, self.handler = module, handler
        except ScriptError:
            self._restore(before)
            raise
        except (Exception, SystemExit) as error:
            self._restore(before)
            line = next(
                (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == filename), 0
            )
            raise ScriptError(f"{type(error).__name__}: {error}", self.path, line or 0) from error
        finally:
            self.env.run = outer
            sys.path.remove(str(path.resolve().parent))
        return data, tree, filename

    @staticmethod
    def _restore(before: dict[str, ModuleType | None]) -> None:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module

    def _parse(self, source: str, filename: str) -> ast.Module:
        try:
            return ast.parse(source, filename)
        except SyntaxError as error:
            raise ScriptError(f"does not compile: {error.msg}", self.path, error.lineno or 0) from None
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, nesting without end
            raise ScriptError(f"does not compile: {error or 'too complex'}", self.path) from None

    def _check_entry(self, module: ModuleType, handler: Any) -> None:
        if not callable(getattr(handler, "ksr_request_route", None)):
            kind = (
                "the script" if handler is module else f"the object that mod_init() returned ({type(handler).__name__})"
            )
            raise ScriptError(f"{kind} has no ksr_request_route(): nothing would route a request", self.path)

    # -- what a swap needs (swap.py) ------------------------------------------------------------------------------

    def number(self, filename: str) -> Callable[[str, int], int]:
        """Gives each function that is compiled for ``filename`` the index of its counter."""

        def number(name: str, line: int) -> int:
            self.hits.append(0)
            self._hit_names.append((name, filename))
            return len(self.hits) - 1

        return number

    def counters(self) -> int:
        return len(self.hits)

    def drop_counters(self, mark: int) -> None:
        """Forget the counters made since there were ``mark`` of them: what they were for is not used."""
        del self.hits[mark:], self._hit_names[mark:]

    def handler_kinds(self) -> list[type]:
        """The classes of the object with the callbacks, the most special first; none in module style."""
        handler = self.handler
        if handler is self.module or handler is None:
            return []
        kinds = handler.__mro__ if isinstance(handler, type) else type(handler).__mro__
        return [kind for kind in kinds if kind.__module__ != "builtins"]

    def is_armed(self, name: str) -> bool:
        return name in self._armed

    def arm(self, tree: ast.AST) -> None:
        """New code may arm new callbacks."""
        self._armed.update(name for name, _ in armed_callbacks(tree))

    def forget_callbacks(self) -> None:
        self._callbacks = {}
        self._missing = set()

    def switched(self) -> None:
        """Other functions are in place from now on."""
        self.forget_callbacks()
        self.generation += 1
        self._look_at()

    def _look_at(self) -> None:
        if self.proxy.script is self:
            look_at(self.proxy, self)

    def waiting(self, functions: Mapping[str, Collection[str]]) -> frozenset[str]:
        """The callbacks that may reach one of these functions of KSR modules."""
        trees = helpers(self.module)
        slots = [slot for slot in self.swaps.slots.by_key.values() if slot.version is not None]
        texts = [slot.version.source for slot in slots if slot.version is not None and slot.kind == "function"]
        program = self.swaps.program
        if not trees and not any(name in text for text in (program.text, *texts) for name in ("modf", *functions)):
            return frozenset()
        parts: list[tuple[str, ast.AST]] = []
        for slot in slots:
            if slot.kind == "function" and slot.version is not None:
                try:
                    parts.append((slot.place[1], parse(slot.version.source)))
                except (SyntaxError, ValueError):
                    continue
        known = {name for name, _ in parts}
        # What cannot be swapped, defined under a condition or twice, and the functions of other files.
        for tree in (program.tree, *trees):
            parts += [
                (node.name, node)
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef) and (tree is not program.tree or node.name not in known)
            ]
        rest: list[ast.AST] = [part.node for part in program.rest]
        return callbacks_that_wait(parts, rest, functions)

    def _warn_armed(self, tree: ast.AST) -> None:
        for name, call in armed_callbacks(tree):
            if not self.has(name):
                near = difflib.get_close_matches(name, self.swaps.slots.by_key, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                log.warning(
                    "%s:%d: callback %r is armed but the script does not define it%s",
                    self.path,
                    call.lineno,
                    name,
                    hint,
                )

    # -- calling --------------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        if name in self._callbacks:
            return True
        # Also what is not there is remembered: ksr_onsend_route is asked for with each request that leaves.
        if name in self._missing:
            return False
        if callable(getattr(self.handler, name, None)):
            return True
        self._missing.add(name)
        return False

    def function(self, name: str) -> Callable[..., Any]:
        """The callable of that name, as it is now. Raises :class:`ScriptError`."""
        fn = getattr(self.handler, name, None)
        if not callable(fn):
            near = difflib.get_close_matches(name, self.swaps.slots.by_key, 1)
            raise ScriptError(
                f"the script has no callback {name!r}{f'; did you mean {near[0]!r}?' if near else ''}", self.path
            )
        return fn  # type: ignore[no-any-return]

    def call(self, run: Run, name: str, *args: Any) -> int:
        run.callback = name
        run.version = self.generation
        proxy = run.proxy
        env = proxy.env  # a sandbox has an environment of its own
        outer = env.run
        env.run = run
        code = 1
        if args or run.route & KEPT_ROUTES:
            run.kept = keep(run, args)
        started = perf_counter()
        try:
            fn, stats = self._callbacks.get(name) or self._look_up(name)
            msg = ScriptMessage(run)
            # Without the star it is a call from Python to Python, which costs less.
            result = run.result = fn(msg, *args) if args else fn(msg)
            if type(result) is int:
                code = result
        except SystemExit:
            run.exited = True
        except Exception as error:
            code = -1
            stats = self._failed(run, error)
        finally:
            env.run = outer
        run.duration = duration = perf_counter() - started
        if not proxy.sandbox:
            stats.calls += 1
            stats.total += duration
            if duration > stats.longest:
                stats.longest = duration
        proxy.recorder.ran(run.record, run)
        return code

    def _look_up(self, name: str) -> tuple[Callable[..., Any], _Stats]:
        fn = self.function(name)
        if self.handler is self.module:
            fn = _with_or_without_message(fn)
        found = self._callbacks[name] = fn, self._stats.setdefault(name, _Stats())
        return found

    def _failed(self, run: Run, error: Exception) -> _Stats:
        run.exception = error
        run.traceback = user_traceback(error)
        # Frames and locals of the error would keep the whole message's working set alive with the record.
        error.__traceback__ = None
        if run.proxy.sandbox:
            return _Stats()
        log.error("exception in %s for message %d\n%s", run.callback, run.record.id, run.traceback)
        stats = self._stats.setdefault(run.callback, _Stats())
        stats.exceptions += 1
        return stats

    # -- versions -------------------------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        hits: dict[str, int] = {}
        for (name, _), count in zip(self._hit_names, self.hits, strict=True):
            hits[name] = hits.get(name, 0) + count
        found = []
        for slot in self.swaps.slots.by_key.values():
            if slot.kind != "function" or slot.version is None:
                continue
            name = slot.key
            stats = self._stats.get(name)
            called = stats is not None and stats.calls > 0
            route = Route(
                name, name in self._armed or called, slot.versions, slot.current, hits.get(slot.place[1], 0),
                saved=slot.saved,
            )  # fmt: skip
            if stats is not None:
                route.hits = max(route.hits, stats.calls)
                route.total, route.longest, route.exceptions = stats.total, stats.longest, stats.exceptions
            found.append(route)
        return sorted(found, key=lambda route: (not route.callback, route.version.filename, route.version.firstline))

    def route(self, name: str) -> Route:
        """The function of that name. Raises :class:`ScriptError` naming the nearest."""
        for route in self.routes():
            if route.name == name:
                return route
        slot = self.swaps.slot(name)  # a constant, or what was removed
        return Route(name, False, slot.versions, slot.current or len(slot.versions), kind=slot.kind, saved=slot.saved)

    def versions_at(self, generation: int) -> dict[str, int]:
        """Which version of each function was current in that generation."""
        return self.swaps.slots.at(generation)

    def swap(self, source: str, who: str = "", *, pin: bool = False, remove: Iterable[str] = ()) -> Swapped:
        return self.swaps.swap(source, who, pin=pin, remove=remove)

    def rollback(self, name: str = "", number: int | None = None) -> Swapped:
        return self.swaps.rollback(name, number) if name else self.swaps.rollback_all()

    def check(self, source: str) -> list[Finding]:
        try:
            program = read(source)
        except ScriptError:
            return check(source)
        return self.swaps.findings(list(program.items.values()), program.lines)

    def findings(self, text: str, replaced: Mapping[str, FunctionType], more: Iterable[str] = ()) -> list[Finding]:
        """What the static check says of new code, which takes the place of these functions. ``more``: names it has
        beside those of the module."""
        known = {name: _signature(fn) for name, fn in replaced.items()}
        signatures = {name: found for name, found in known.items() if found is not None}
        around = Around(
            ksr_paths(vars(self.module)),
            self.has,
            frozenset(self.swaps.slots.by_key),
            signatures,
            frozenset(self._armed),
            frozenset((*vars(self.module), *more)),
            "".join(self.swaps.program.lines),
        )
        if self._api is None:
            self._api = api_of(self.ksr)
        return check(text, api=self._api, around=around)


def _with_or_without_message(function: Callable[..., Any]) -> Callable[..., Any]:
    """A callback of a script in module style: app_python3s calls ``f()`` and ``f(evname)``, without the message."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount > 1 or code.co_flags & CO_VARARGS:
        return function
    if not code.co_argcount:
        return lambda msg, *args: function(*args)
    return lambda msg, *args: function(*args) if args else function(msg)


def _signature(function: FunctionType) -> Signature | None:
    """The positional parameters of a function; None when a wrapper hides them."""
    parameters = signature(function).parameters.values()
    if hasattr(function, "__wrapped__") or any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        return None
    found = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    return Signature(tuple(p.name for p in found), sum(p.default is Parameter.empty for p in found))


def user_traceback(error: BaseException) -> str:
    """The traceback with the script's own frames only: what the proxy did around them tells its user nothing."""
    lines = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in lines.stack if not frame.filename.startswith((_OWN, _ASYNCIO, "<KSR"))]
    lines.stack = traceback.StackSummary.from_list(kept)
    lines.__context__ = lines.__cause__ = None
    return "".join(lines.format()).rstrip("\n")
