"""Where pseudo-variables are declared.

A simple variable is one function of the run::

    @pv("rm")
    def method(run: Run) -> Value: ...

and is compiled to that very function. One with an inner name is declared by a function that is given the parsed
:class:`~ksrcore.pv.spec.Spec` once and returns its accessor::

    @pv_class("shv")
    def shv(spec: Spec) -> Accessor: ...

KSR modules declare theirs in their own file; they are known once the file is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .errors import PvError
from .spec import Spec

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Accessor", "Getter", "Setter", "Value", "builder", "known", "pv", "pv_class", "setter"]

Value = str | int | None
Getter = Callable[["Run"], Value]
Setter = Callable[["Run", Value], None]


class Accessor:
    """A compiled pseudo-variable. ``get(run)`` reads it, ``set(run, value)`` writes it (None removes or resets it).

    ``get`` and ``set`` are attributes, not methods: for a simple variable they are its functions themselves. ``set``
    raises :class:`PvError` for a read-only variable or a value it does not take. ``spec`` is what was compiled.
    """

    __slots__ = ("get", "set", "spec", "writable")

    def __init__(self, spec: Spec, get: Getter, set: Setter | None = None) -> None:
        self.spec = spec
        self.get = get
        self.writable = set is not None
        self.set: Setter = set if set is not None else _read_only(spec)

    def __repr__(self) -> str:
        return f"<Accessor {self.spec}>"


def _read_only(spec: Spec) -> Setter:
    def refuse(run: Run, value: Value) -> None:
        raise PvError("read-only: it cannot be assigned", str(spec))

    return refuse


Builder = Callable[[Spec], Accessor]
G = TypeVar("G", bound=Getter)
S = TypeVar("S", bound=Setter)
B = TypeVar("B", bound=Builder)

_getters: dict[str, Getter] = {}
_setters: dict[str, Setter] = {}
_builders: dict[str, Builder] = {}


def pv(*names: str) -> Callable[[G], G]:
    """Declare a variable without inner name, under one or more names (without ``$``)."""

    def register(getter: G) -> G:
        for name in names:
            _getters[name] = getter
        return getter

    return register


def setter(*names: str) -> Callable[[S], S]:
    """Declare how variables declared with :func:`pv` are written: ``fn(run, value)``, value None for null."""

    def register(function: S) -> S:
        for name in names:
            _setters[name] = function
        return function

    return register


def pv_class(*names: str) -> Callable[[B], B]:
    """Declare a variable that its builder compiles: with an inner name, an index, or both."""

    def register(builder: B) -> B:
        for name in names:
            _builders[name] = builder
        return builder

    return register


def _simple(spec: Spec) -> Accessor:
    if spec.inner is not None:
        raise PvError(f"${spec.name} takes no name in parentheses, got ({spec.inner})", str(spec))
    return Accessor(spec, _getters[spec.name], _setters.get(spec.name))


def builder(name: str) -> Builder | None:
    """What compiles the variable of that name, None when it is unknown."""
    found = _builders.get(name)
    if found is None and name in _getters:
        return _simple
    return found


def known() -> dict[str, bool]:
    """All names and whether they take an inner name, for completion."""
    return {**dict.fromkeys(sorted(_getters), False), **dict.fromkeys(sorted(_builders), True)}
