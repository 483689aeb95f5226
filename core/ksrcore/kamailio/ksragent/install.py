"""Putting the agent between Kamailio and the script, while the server loads it."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from . import folder
from .agent import OPTIONAL, Agent, _nothing, _number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Names the real script, when the agent is loaded in its place.
SCRIPT = "KSRAGENT_SCRIPT"
#: Callbacks of Kamailio's core.
CORE = ("ksr_request_route", "ksr_reply_route", "ksr_onsend_route")


#: This process's, also when the script is loaded again (app_python.reload).
_agent: Agent | None = None


class Front:
    """Stands for the object that has the callbacks: Kamailio asks it for each by name."""

    def __init__(self, agent: Agent) -> None:
        self.__dict__["_ksr_agent"] = agent
        agent.fronts.append(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        agent: Agent = self._ksr_agent
        if agent.loading:
            return getattr(agent.handler, name)
        made = _child_init(agent) if name == "child_init" else agent.wrap(name)
        self.__dict__[name] = made
        return made

    def renew(self) -> None:
        agent = self._ksr_agent
        self.__dict__.clear()
        self.__dict__["_ksr_agent"] = agent


class Originals:
    """The functions of a script without a class, whose places in its module the agent has taken."""

    def __init__(self, module: ModuleType) -> None:
        self.__dict__["_ksr_module"] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ksr_module, name)


def install(package: ModuleType) -> Front | None:
    """Wrap the script that imports ``package``, or load the one that is named when Kamailio itself imports it.

    Returns what has the callbacks in the latter case. Raises ImportError when no script is named.
    """
    ksr = sys.modules["KSR"]
    scope = _importer()
    if scope is None:
        _last_on_path()
        module = _load(_named(ksr))
    else:
        module = sys.modules[scope["__name__"]]
    global _agent
    if _agent is None:
        _agent = Agent(ksr, folder.meeting(_setting(ksr, "KSRSHELL_NAME"), _setting(ksr, "KSRSHELL_DIR")))
        if static_rank() is not None:
            _begins_with_forks(_agent, by_script=scope is not None)
    agent = _agent
    agent.loaded(module)
    init = vars(module).get("mod_init")
    if agent.static or not callable(init):
        before, agent.handler = agent.handler, module
        front = Front(agent)
        if scope is not None:
            _take_places(agent, front, module, before)
        return front
    front = Front(agent)

    def mod_init(*args: Any) -> Any:
        if scope is not None:
            # A reload of the script imports the package again, which must not be found then.
            sys.modules.pop("ksragent", None)
        handler = init(*args)
        if handler is None or isinstance(handler, int):
            agent.say(f"mod_init() returned {handler!r}, not the object with the callbacks: the agent is off")
            return handler
        agent.handler = handler
        return front

    if scope is None:
        vars(package)["mod_init"] = mod_init
    else:
        vars(module)["mod_init"] = mod_init
    return front


def _importer() -> dict[str, Any] | None:
    """The globals of the module whose import statement this is; None when Kamailio imports the package."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("ksragent", "importlib", "_frozen_importlib")):
            return frame.f_globals
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _last_on_path() -> None:
    """Kamailio has put the package's folder first on Python's path: what else is there is not to be found before the
    script's own modules."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for entry in list(sys.path):
        if os.path.abspath(entry) == home:
            sys.path.remove(entry)
            sys.path.append(entry)


def _setting(ksr: Any, name: str) -> str:
    """A setting from the environment, else a ``#!define`` of kamailio.cfg."""
    value = os.environ.get(name, "")
    if not value:
        try:
            value = str(ksr.pv.get(f"$def({name})") or "")
        except Exception:
            value = ""
    return value.strip().strip("\"'")


def _named(ksr: Any) -> str:
    path = _setting(ksr, SCRIPT)
    if not path:
        raise ImportError(
            f'ksragent is loaded as the script, and no script is named: put #!define {SCRIPT} "/path/script.py" into '
            "kamailio.cfg, or that variable into the server's environment"
        )
    if not os.path.isfile(path):
        raise ImportError(f"ksragent: {SCRIPT} names {path}, which is no file")
    return path


def _load(path: str) -> ModuleType:
    """The script at ``path``, run as Kamailio would: under its name, with its folder on the path."""
    name = os.path.splitext(os.path.basename(path))[0]
    parent = os.path.dirname(os.path.realpath(path))
    if parent not in sys.path:
        sys.path.insert(0, parent)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"ksragent: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _child_init(agent: Agent) -> Callable[..., int]:
    def child_init(*args: Any) -> int:
        agent.open(args[0] if args and isinstance(args[0], int) else None)
        function = getattr(agent.handler, "child_init", None)
        if function is None:
            return 0
        result = function(*args)
        return 0 if result is None else _number(result)

    return child_init


# -- app_python3s -----------------------------------------------------------------------------------------------------


def static_rank() -> int | None:
    """The rank of this process, where app_python3s keeps it; None under app_python3, which tells child_init()."""
    try:
        import ctypes

        return ctypes.c_int.in_dll(ctypes.pythonapi, "_apy3s_process_rank").value
    except (ImportError, AttributeError, ValueError):
        return None


def _begins_with_forks(agent: Agent, by_script: bool) -> None:
    """app_python3s calls no child_init() that is not configured, but tells Python of its forks."""
    agent.static = agent.loading = True
    main = [0]

    def before() -> None:
        if agent.loading:
            main[0] = os.getpid()

    def parent() -> None:
        agent.loading = False

    def child() -> None:
        # Children of workers are the script's own affair.
        if not agent.loading or os.getppid() != main[0]:
            return
        agent.loading = False
        if by_script:
            # A reload of the script imports the package again, which must not be found then.
            sys.modules.pop("ksragent", None)
        agent.open(static_rank())

    os.register_at_fork(before=before, after_in_parent=parent, after_in_child=child)


# -- scripts without a class ------------------------------------------------------------------------------------------


def _take_places(agent: Agent, front: Front, module: ModuleType, before: Any) -> None:
    """In the module's globals each callback is replaced by one that asks the front; the script's own is kept.
    ``before``: what has the callbacks that it had when it was loaded before."""
    scope = vars(module)
    # After a reload: what the new file does not define is there as before.
    for name in [name for name, value in scope.items() if getattr(value, "__module__", "") == __name__]:
        function = vars(before).get(name, _nothing) if before is not None else _nothing
        del scope[name]
        if function is not _nothing:
            scope[name] = function
    originals = Originals(module)
    agent.handler = originals
    optional = [name for name in OPTIONAL if name not in vars(module)]
    for name in (*_callbacks(module), *optional):
        function = vars(module).get(name, _nothing)
        originals.__dict__[name] = function
        vars(module)[name] = _stub(front, name, function)


def _stub(front: Front, name: str, function: Any) -> Callable[..., Any]:
    def stub(*args: Any) -> Any:
        return getattr(front, name)(*args)

    stub.__name__ = name
    stub.__doc__ = function.__doc__
    return stub


def _callbacks(module: ModuleType) -> list[str]:
    """Functions of the module that Kamailio calls: the core's, and those whose name is a text in the code."""
    functions = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    texts = {text for function in functions.values() for text in _texts(function.__code__)}
    return [name for name in functions if name in CORE or name in texts or name.startswith("ksr_event")]


def _texts(code: CodeType) -> Iterator[str]:
    for const in code.co_consts:
        if isinstance(const, str):
            yield const
        elif isinstance(const, CodeType):
            yield from _texts(const)
