"""Python scripts: app_python3's class style (``mod_init`` returns the object) and app_python3s' module style."""

from __future__ import annotations

import ast
import difflib
import linecache
import logging
import sys
import textwrap
import traceback
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from time import perf_counter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ..kemi.facade import KsrModule
from .check import Around, Finding, Signature, api_of, check, ksr_paths
from .engine import Route, Script, ScriptError, Version
from .inspect import armed_callbacks
from .instrument import HITS, compile_counted
from .message import ScriptMessage

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

log = logging.getLogger("ksrcore.script")

#: Callbacks that Kamailio's core itself calls.
CORE_CALLBACKS = ("ksr_request_route", "ksr_reply_route", "ksr_onsend_route")

_OWN = str(Path(__file__).resolve().parent.parent)


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
        self._versions: dict[str, list[Version]] = {}
        self._current: dict[str, int] = {}
        self._history: list[dict[str, int]] = []

    # -- loading --------------------------------------------------------------------------------------------------

    def load(self) -> None:
        source, tree, filename = self._load()
        self._armed = set(CORE_CALLBACKS) | {name for name, _ in armed_callbacks(tree)}
        self._register(source, filename, "load")
        self._history.append(dict(self._current))
        self._warn_armed(tree)

    def reload(self) -> None:
        """The whole file, as Kamailio's ``app_python.reload``: module globals start anew, ``mod_init`` runs again."""
        source, tree, filename = self._load()
        self._armed |= {name for name, _ in armed_callbacks(tree)}
        self._register(source, filename, "reload")
        self._switched()
        self._warn_armed(tree)

    def _load(self) -> tuple[str, ast.Module, str]:
        path = Path(self.path)
        try:
            source = path.read_bytes().decode("utf-8-sig")
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
            exec(compile_counted(tree, filename, self._number(filename)), module.__dict__)
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
        linecache.checkcache(filename)
        return source, tree, filename

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
        except ValueError as error:  # null bytes
            raise ScriptError(f"does not compile: {error}", self.path) from None

    def _check_entry(self, module: ModuleType, handler: Any) -> None:
        if not callable(getattr(handler, "ksr_request_route", None)):
            kind = (
                "the script" if handler is module else f"the object that mod_init() returned ({type(handler).__name__})"
            )
            raise ScriptError(f"{kind} has no ksr_request_route(): nothing would route a request", self.path)

    def _number(self, filename: str) -> Callable[[str, int], int]:
        def number(name: str, line: int) -> int:
            self.hits.append(0)
            self._hit_names.append((name, filename))
            return len(self.hits) - 1

        return number

    def _register(self, text: str, filename: str, who: str) -> None:
        now = self.proxy.wall()
        lines = text.splitlines(keepends=True)
        for name, fn in self._functions().items():
            first = fn.__code__.co_firstlineno
            versions = self._versions.setdefault(name, [])
            versions.append(Version(len(versions) + 1, "".join(_block(lines, first)), now, who, filename, first, fn))
            self._current[name] = len(versions)

    def _functions(self) -> dict[str, FunctionType]:
        """The script's functions by name: the handler's methods, then the module's own functions."""
        found: dict[str, FunctionType] = {}
        filename = self.module.__file__
        scopes = [vars(c) for c in type(self.handler).__mro__] if self.handler is not self.module else []
        for scope in [*scopes, vars(self.module)]:
            for name, fn in scope.items():
                if isinstance(fn, FunctionType) and fn.__code__.co_filename == filename:
                    found.setdefault(name, fn)
        return found

    def _warn_armed(self, tree: ast.AST) -> None:
        for name, call in armed_callbacks(tree):
            if not self.has(name):
                near = difflib.get_close_matches(name, self._versions, 1)
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
            near = difflib.get_close_matches(name, self._versions, 1)
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
        found = self._callbacks[name] = self.function(name), self._stats.setdefault(name, _Stats())
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
        for name, versions in self._versions.items():
            stats = self._stats.get(name)
            called = stats is not None and stats.calls > 0
            route = Route(
                name, name in self._armed or called, versions, self._current[name], hits.get(name, 0)
            )
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
        near = difflib.get_close_matches(name, self._versions, 1)
        raise ScriptError(
            f"the script has no function {name!r}{f'; did you mean {near[0]!r}?' if near else ''}", self.path
        )

    def versions_at(self, generation: int) -> dict[str, int]:
        """Which version of each function was current in that generation."""
        return self._history[generation]

    def swap(self, source: str, who: str = "") -> list[Route]:
        text = textwrap.dedent(source)
        filename = f"<swap {self.generation + 1} of {Path(self.path).name}>"
        tree = self._parse_swap(text, filename)
        defs = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self._check_swap(text, tree, defs)
        number = len(self.hits)
        scope: dict[str, Any] = {}
        try:
            exec(compile_counted(tree, filename, self._number(filename)), self.module.__dict__, scope)
        except Exception as error:
            del self.hits[number:], self._hit_names[number:]
            raise ScriptError(
                f"the new code failed while it was defined: {type(error).__name__}: {error}", filename
            ) from error
        lines = text.splitlines(keepends=True)
        # From here on nothing can fail: all functions of the swap change between two messages.
        linecache.cache[filename] = (len(text), None, lines, filename)
        now = self.proxy.wall()
        for node in defs:
            fn = scope[node.name]
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            versions = self._versions.setdefault(node.name, [])
            versions.append(Version(len(versions) + 1, "".join(_block(lines, first)), now, who, filename, first, fn))
            self._install(node.name, fn)
            self._current[node.name] = len(versions)
        self._armed.update(name for name, _ in armed_callbacks(tree))
        self._switched()
        return [self.route(node.name) for node in defs]

    def _parse_swap(self, text: str, filename: str) -> ast.Module:
        try:
            return ast.parse(text, filename)
        except (SyntaxError, ValueError) as error:
            raise ScriptError(f"the new code does not compile: {error}", "", getattr(error, "lineno", 0) or 0) from None

    def _check_swap(self, text: str, tree: ast.Module, defs: list[ast.FunctionDef]) -> None:
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef):
                kind = type(node).__name__
                raise ScriptError(
                    f"a swap takes function definitions only, line {node.lineno} has {kind}", "", node.lineno
                )
            if node.decorator_list:
                raise ScriptError(
                    f"{node.name} is decorated: swap the undecorated function, or reload", "", node.lineno
                )
        if not defs:
            raise ScriptError("a swap takes function definitions (def name(self, msg): ...), there is none")
        for node in defs:
            if any(isinstance(n, ast.Name) and n.id in ("super", "__class__") for n in ast.walk(node)):
                raise ScriptError(
                    f"{node.name} uses super(), which needs its class: reload the script", "", node.lineno
                )
        errors = [finding for finding in self._findings(text, defs) if finding.severity == "error"]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise ScriptError(f"line {errors[0].line}: {errors[0].text}{more}", "", errors[0].line)

    def check(self, source: str) -> list[Finding]:
        text = textwrap.dedent(source)
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return check(text)
        return self._findings(text, [node for node in tree.body if isinstance(node, ast.FunctionDef)])

    def _findings(self, text: str, defs: list[ast.FunctionDef]) -> list[Finding]:
        replaced = {}
        for node in defs:
            old = self._versions.get(node.name)
            if old:
                replaced[node.name] = _signature(old[self._current[node.name] - 1].function)
        around = Around(ksr_paths(vars(self.module)), self.has, frozenset(self._versions), replaced)
        return check(text, api=api_of(self.ksr), around=around)

    def _install(self, name: str, fn: FunctionType | None) -> None:
        module = vars(self.module)
        owner = None
        if self.handler is not self.module:
            owner = next((c for c in type(self.handler).__mro__ if isinstance(vars(c).get(name), FunctionType)), None)
            if owner is None and name not in module:
                owner = type(self.handler)
        if owner is not None:
            if fn is None:
                delattr(owner, name)
            else:
                setattr(owner, name, fn)
        elif fn is None:
            del module[name]
        else:
            module[name] = fn

    def _switched(self) -> None:
        self._callbacks.clear()
        self._missing.clear()
        self.generation += 1
        self._history.append(dict(self._current))

    def rollback(self, name: str, number: int | None = None) -> Route:
        route = self.route(name)
        if number is None:
            number = route.current - 1
            if number < 1:
                raise ScriptError(f"{name} is at its first version: there is nothing to roll back to")
        if not 1 <= number <= len(route.versions):
            raise ScriptError(f"{name} has versions 1 to {len(route.versions)}, not {number}")
        self._install(name, route.versions[number - 1].function)
        self._current[name] = number
        self._switched()
        return self.route(name)


def _signature(function: FunctionType) -> Signature:
    """The positional parameters of a function."""
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    found = [p for p in signature(function).parameters.values() if p.kind in positional]
    return Signature(tuple(p.name for p in found), sum(p.default is Parameter.empty for p in found))


def _block(lines: list[str], first: int) -> list[str]:
    """The lines of the definition that starts at line ``first`` (from 1)."""
    try:
        import inspect

        return inspect.getblock(lines[first - 1 :])
    except (SyntaxError, IndentationError):
        return lines[first - 1 : first]


def user_traceback(error: BaseException) -> str:
    """The traceback with the script's own frames only: what the proxy did around them tells its user nothing."""
    lines = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in lines.stack if not frame.filename.startswith((_OWN, "<KSR"))]
    lines.stack = traceback.StackSummary.from_list(kept)
    lines.__context__ = lines.__cause__ = None
    return "".join(lines.format()).rstrip("\n")
