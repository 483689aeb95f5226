"""The KSR object that a script's globals have while somebody is attached: it does what Kamailio's does and notes it."""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .agent import Agent

#: Characters of an argument or result that are sent to the node.
MOST = 4096
#: KSR calls of one callback that are noted.
MOST_CALLS = 500


class Recorder:
    """``KSR`` or one of its modules. What is got once is an attribute from then on."""

    def __init__(self, agent: Agent, real: Any, path: str) -> None:
        self.__dict__.update(_ksr_agent=agent, _ksr_real=real, _ksr_path=path)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._ksr_real, name)
        path = f"{self._ksr_path}.{name}"
        if isinstance(value, ModuleType) or type(value).__module__ == "KSR":
            made: Any = Recorder(self._ksr_agent, value, path)
        elif callable(value):
            made = recorded(self._ksr_agent, value, path)
        else:
            return value
        self.__dict__[name] = made
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._ksr_real, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._ksr_real)


def recorded(agent: Agent, function: Callable[..., Any], path: str) -> Callable[..., Any]:
    """The function, noting each call in the run that makes it."""
    clock = time.perf_counter
    holds = agent.holds

    def call(*args: Any) -> Any:
        run = agent.run
        if run is None:
            return function(*args)
        if holds.live is not None:
            holds.before_call(path, args)
        started = clock()
        try:
            result = function(*args)
        except BaseException as error:
            if len(run.calls) < MOST_CALLS:
                run.calls.append((path, args, error))
            if holds.live is not None:
                holds.after_call(path, args, error, clock() - started)
            raise
        if len(run.calls) < MOST_CALLS:
            run.calls.append((path, args, result))
        if holds.live is not None:
            holds.after_call(path, args, result, clock() - started)
        return result

    call.__name__ = call.__qualname__ = path
    return call


class Recording:
    """Puts the recording object into the script's globals, and takes it out again."""

    def __init__(self, agent: Agent, real: Any) -> None:
        self.real = real
        self.recorder = Recorder(agent, real, "KSR")
        self.on = False

    def start(self) -> None:
        self.on = True
        self._put(self.real, self.recorder)

    def stop(self) -> None:
        self.on = False
        self._put(self.recorder, self.real)

    @staticmethod
    def _put(old: Any, new: Any) -> None:
        # Also modules of the script's own that import KSR. The entry in sys.modules stays Kamailio's.
        for module in list(sys.modules.values()):
            scope = getattr(module, "__dict__", None)
            if isinstance(scope, dict) and not getattr(module, "__name__", "").startswith(__package__ or "ksragent"):
                for name in ("KSR", "ksr"):
                    if scope.get(name) is old:
                        scope[name] = new


def plain(value: Any) -> Any:
    """A value for JSON: text of the script as a character a byte, as the wire has it."""
    if isinstance(value, str):
        return latin(value[:MOST])
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        return repr(value)[:MOST]
    except Exception as error:
        return f"<{type(value).__name__}: repr failed: {type(error).__name__}>"


def latin(text: str) -> str:
    """UTF-8 text of the script as one character for each byte."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # half of a pair that stands for no byte
        return text.encode("utf-8", "replace").decode("latin-1")
