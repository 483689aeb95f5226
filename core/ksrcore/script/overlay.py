"""A script with other versions of some functions, beside the live one: for trying a swap, and for pinned transactions.

Functions are copied with globals of their own, which fall back to the live module's; code objects are shared. Copying
the stock script's sixty functions takes a tenth of a millisecond.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

from .engine import ScriptError
from .instrument import HITS
from .program import Place, attribute

if TYPE_CHECKING:
    from ..run import Run
    from .python import PythonScript

#: What stands for a function that is not there in an overlay.
GONE: Any = object()


class _Globals(dict[str, Any]):
    """What differs from the live module's globals; a plain dict would have to be filled and would not see changes.

    CPython looks up globals in a subclass of dict by its ``__missing__``, and stores into the subclass itself.
    """

    __slots__ = ("live", "gone", "fixed")

    def __init__(self, live: dict[str, Any]) -> None:
        super().__init__()
        self.live = live
        self.gone: set[str] = set()
        self.fixed = 0

    def __missing__(self, name: str) -> Any:
        if name in self.gone:
            raise KeyError(name)
        return self.live[name]


class _ModuleView:
    """Module style: what ``script.handler`` is."""

    def __init__(self, names: _Globals) -> None:
        self.__names = names

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__names[name]
        except KeyError:
            raise AttributeError(name) from None


class _Copier:
    """Copies functions of the script; those that refer to each other through closures too."""

    def __init__(self, live: dict[str, Any], names: _Globals) -> None:
        self.live = live
        self.names = names
        self._functions: dict[int, FunctionType] = {}
        self._cells: dict[int, CellType] = {}
        self._keep: list[Any] = []  # ids are those of living objects

    def value(self, value: Any) -> Any:
        if isinstance(value, FunctionType):
            return self.function(value) if self._ours(value, set()) else value
        if isinstance(value, staticmethod):
            return staticmethod(self.value(value.__func__))
        if isinstance(value, classmethod):
            return classmethod(self.value(value.__func__))
        if isinstance(value, property):
            get, put, delete = map(self.value, (value.fget, value.fset, value.fdel))
            return property(get, put, delete, value.__doc__)
        return value

    def _ours(self, fn: FunctionType, seen: set[int]) -> bool:
        if fn.__globals__ is self.live:
            return True
        if id(fn) in seen:
            return False
        seen.add(id(fn))
        return any(isinstance(inner, FunctionType) and self._ours(inner, seen) for inner in map(_content, _cells(fn)))

    def function(self, fn: FunctionType) -> FunctionType:
        made = self._functions.get(id(fn))
        if made is not None:
            return made
        fresh: list[tuple[CellType, FunctionType]] = []
        closure = tuple(self._cell(cell, fresh) for cell in _cells(fn)) or None
        names = self.names if fn.__globals__ is self.live else fn.__globals__
        made = FunctionType(fn.__code__, names, fn.__name__, fn.__defaults__, closure)
        made.__kwdefaults__ = fn.__kwdefaults__
        made.__qualname__, made.__module__, made.__doc__ = fn.__qualname__, fn.__module__, fn.__doc__
        self._functions[id(fn)] = made
        self._keep.append(fn)
        for name, value in vars(fn).items():
            setattr(made, name, self.value(value))
        for cell, inner in fresh:
            cell.cell_contents = self.function(inner)
        return made

    def _cell(self, cell: CellType, fresh: list[tuple[CellType, FunctionType]]) -> CellType:
        known = self._cells.get(id(cell))
        if known is not None:
            return known
        inner = _content(cell)
        if not (isinstance(inner, FunctionType) and self._ours(inner, set())):
            return cell
        made = self._cells[id(cell)] = CellType()
        self._keep.append(cell)
        fresh.append((made, inner))
        return made


def _cells(fn: FunctionType) -> tuple[CellType, ...]:
    return fn.__closure__ or ()


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def overlay(
    script: PythonScript, values: Mapping[Place, Any], generation: int, *, isolated: bool = False
) -> PythonScript:
    """The script with ``values`` (:data:`GONE`: not there) instead of its own, as generation ``generation``.

    The module's other globals and the handler's attributes are the live ones; ``isolated``: copies of what is mutable
    among them, so that nothing a callback does to them is seen outside. Raises :class:`ScriptError` when the script's
    handler or a value of a class that is not the handler's stands in the way.
    """
    live = vars(script.module)
    names = _Globals(live)
    copier = _Copier(live, names)
    names["__builtins__"] = live["__builtins__"]
    for name, value in live.items():
        if isinstance(value, FunctionType) and (changed := copier.value(value)) is not value:
            names[name] = changed
    for (cls, name), value in values.items():
        if cls:
            continue
        if value is GONE:
            names.pop(name, None)
            names.gone.add(name)
        else:
            names[name] = copier.value(value)
    handler: Any
    if script.handler is script.module:
        handler = _module_handler(values, names)
    else:
        handler = _handler(script, values, copier)
    if isolated:
        names[HITS] = defaultdict(int)
        _isolate(script, names, handler)
    names.fixed = len(names)
    return _Overlay.of(script, names, handler, generation)


class _Overlay:
    """How an overlay differs from its script as an object: what it caches, and what its callbacks leave behind."""

    @staticmethod
    def of(script: PythonScript, names: _Globals, handler: Any, generation: int) -> PythonScript:
        made = copy.copy(script)
        vars(made).pop("call", None)  # pins of the live script
        made.handler = handler
        made.generation = generation
        made.forget_callbacks()
        vars(made)["overlaid"] = names
        return made


def keep_globals(made: PythonScript) -> None:
    """What a callback of an overlay stored by ``global X`` goes into the live module."""
    names: _Globals = vars(made)["overlaid"]
    if len(names) > names.fixed:
        for name in list(names)[names.fixed :]:
            names.live[name] = names.pop(name)


def call_in(made: PythonScript, run: Run, name: str, *args: Any) -> int:
    """``made.call`` for an overlay that shares the live globals."""
    try:
        return made.call(run, name, *args)
    finally:
        keep_globals(made)


def _module_handler(values: Mapping[Place, Any], names: _Globals) -> Any:
    for cls, name in values:
        if cls:
            raise ScriptError(f"{cls}.{name}: only functions of the module can differ for a while")
    return _ModuleView(names)


def _handler(script: PythonScript, values: Mapping[Place, Any], copier: _Copier) -> Any:
    kind = type(script.handler)
    made: dict[str, Any] = {}
    owners: dict[str, type] = {}
    for cls in kind.__mro__:
        for name, value in vars(cls).items():
            if name in owners or name in ("__dict__", "__weakref__", "__new__"):
                continue
            owners[name] = cls
            changed = copier.value(value)
            if changed is not value:
                made[name] = changed
    for each, value in values.items():
        place, name = each[0], attribute(each)
        if not place:
            continue
        owner = owners.get(name)
        if owner is not None and owner.__name__ != place or owner is None and place != kind.__name__:
            raise ScriptError(f"{place}.{name}: only methods of {kind.__name__} can differ for a while")
        if value is GONE:
            # Shadows the live one as if it were not there.
            made[name] = property(_not_there(name))
        else:
            made[name] = copier.value(value)
    try:
        other = type(kind.__name__, (kind,), made | {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
        handler: Any = object.__new__(other)
        handler.__dict__ = script.handler.__dict__
    except (TypeError, AttributeError) as error:
        raise ScriptError(
            f"pins and trials need a second object of {kind.__name__}, which cannot be made: {error}"
        ) from None
    return handler


def _not_there(name: str) -> Any:
    def get(self: Any) -> Any:
        raise AttributeError(name)

    return get


def _isolate(script: PythonScript, names: _Globals, handler: Any) -> None:
    memo: dict[int, Any] = {id(script.handler): handler}
    for name, value in list(names.live.items()):
        if name not in names and not name.startswith("__") and _mutable(value, script.module.__name__):
            names[name] = _copied(value, memo)
    state = getattr(script.handler, "__dict__", None)
    if state is not None and handler is not None and not isinstance(handler, _ModuleView):
        handler.__dict__ = {name: _copied(value, memo) for name, value in state.items()}


def _mutable(value: Any, module: str) -> bool:
    if isinstance(value, dict | list | set | bytearray):
        return True
    kind = type(value)
    return (kind.__module__ == module and hasattr(value, "__dict__")) or kind.__module__ == "collections"


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a socket, a lock, a database: shared
        return value
