"""What a script engine is, whatever language its script is written in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..run import Run
    from .check import Finding
    from .swap import Swapped


class ScriptError(Exception):
    """A script cannot be loaded or a change to it cannot be taken: ``path``, ``line`` (0 unknown), what and why."""

    def __init__(self, text: str, path: str = "", line: int = 0) -> None:
        self.path = path
        self.line = line
        self.text = text
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + text)


@dataclass
class Version:
    """One version of a function or constant: ``number`` from 1, its source, when (unix time) and by whom it came.

    ``function`` is the callable, or a constant's value; ``shape`` its code without layout. ``epoch`` counts loads of
    the whole script: functions of an older one refer to a module that is gone. ``removed``: it is not there then.
    """

    number: int
    source: str
    time: float
    who: str
    filename: str
    firstline: int
    function: Any = field(repr=False, default=None)
    shape: str = field(repr=False, default="")
    epoch: int = 0
    removed: bool = False


@dataclass
class Route:
    """A function of the script: a callback the proxy calls, or one that callbacks call."""

    name: str
    callback: bool
    versions: list[Version]
    current: int
    hits: int = 0
    #: Callbacks only: seconds in it, in total and at most.
    total: float = 0.0
    longest: float = 0.0
    exceptions: int = 0
    #: 'function' or 'constant', and the number of the version in the file (0: it is not there).
    kind: str = "function"
    saved: int = 0

    @property
    def version(self) -> Version:
        return self.versions[self.current - 1]


class Script(ABC):
    """A loaded script: callbacks by name."""

    path: str
    #: Counts swaps, rollbacks and reloads.
    generation: int

    @abstractmethod
    def load(self) -> None:
        """Read, compile and initialise. Raises :class:`ScriptError`; nothing is half loaded then."""

    @abstractmethod
    def reload(self) -> None:
        """Load the file anew, whole or not at all. Raises :class:`ScriptError`."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether the script has a callback of that name."""

    @abstractmethod
    def call(self, run: Run, name: str, *args: Any) -> int:
        """Run a callback for ``run``; never raises.

        Sets ``run.callback``, ``result``, ``exited``, ``dropped``, ``exception``, ``traceback``, ``duration``; hands
        the run to the recorder. Returns the callback's number (1 when it gave none, -1 on an exception).
        """

    @abstractmethod
    def function(self, name: str) -> Any:
        """The callable of that name. Raises :class:`ScriptError` naming the nearest."""

    @abstractmethod
    def route(self, name: str) -> Route:
        """The function of that name. Raises :class:`ScriptError` naming the nearest."""

    @abstractmethod
    def versions_at(self, generation: int) -> dict[str, int]:
        """Which version of each function was current in that generation of the script (``Run.version``)."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """The functions of the script, callbacks first."""

    def waiting(self, functions: Mapping[str, Collection[str]]) -> frozenset[str]:
        """The callbacks that may reach one of these functions of KSR modules, which wait for somebody outside.

        Unless an engine knows better, every callback may.
        """
        return frozenset(("ksr_request_route", "ksr_reply_route"))

    @abstractmethod
    def check(self, source: str) -> list[Finding]:
        """What is wrong with ``source``, which a swap would put into the script. Errors make the swap refuse it."""

    @abstractmethod
    def swap(self, source: str, who: str = "", *, pin: bool = False, remove: Iterable[str] = ()) -> Swapped:
        """Put the functions and constants of ``source`` in place and take out those in ``remove``, all or none.

        ``pin``: transactions that there are end on what they began with. Raises :class:`ScriptError`.
        """

    @abstractmethod
    def rollback(self, name: str = "", number: int | None = None) -> Swapped:
        """Make version ``number`` (default: the one before) of a function current; without a name take back the
        latest swap. Raises :class:`ScriptError`."""
