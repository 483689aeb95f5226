"""Other versions of the script's functions and constants in this process, put in place between two messages.

The node says what is to be there: all of it, each time. What is there and not wanted goes back to what was loaded.
"""

from __future__ import annotations

import ast
import linecache
from types import CellType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    #: (class, name); class '' for the module.
    Place = tuple[str, str]

    from .agent import Agent

_META = "__ksr_class__"
_GONE = object()


class SwapError(Exception):
    """What is wanted cannot be put in place: nothing has changed."""


class Swaps:
    """``changed``: a function may be another than before the last look."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.keys: dict[Place, str] = {}
        self.originals: dict[Place, Any] = {}
        #: Where the texts of what is in place are, for tracebacks.
        self.files: dict[Place, str] = {}
        self.changed = False

    def numbers(self) -> list[list[str]]:
        """What is there beside what was loaded: class, name, key."""
        return [[cls, name, key] for (cls, name), key in self.keys.items()]

    def forget(self) -> None:
        """The script was loaded again."""
        self.keys.clear()
        self.originals.clear()
        for file in self.files.values():
            linecache.cache.pop(file, None)
        self.files.clear()
        self.changed = True

    def apply(self, want: list[dict[str, Any]]) -> list[list[str]]:
        """``want``: dicts with ``cls name key``, ``source`` (None: it is to be removed), ``kind``, ``file``, ``line``.

        All of it or nothing: raises :class:`SwapError` or what the new code raises while it is defined.
        """
        wanted = {(entry["cls"], entry["name"]): entry for entry in want}
        new = [entry for place, entry in wanted.items() if self.keys.get(place) != entry["key"]]
        made = self._define([entry for entry in new if entry["source"] is not None])
        back = [place for place in self.keys if place not in wanted]
        # From here on nothing fails.
        for entry in new:
            place = (entry["cls"], entry["name"])
            if place not in self.originals:
                self.originals[place] = self._scope(place).get(attribute(place), _GONE)
            self._put(place, made.get(place, _GONE))
            self.keys[place] = entry["key"]
            self._has(place, entry["file"] if entry["source"] is not None else "")
        for place in back:
            self._put(place, self.originals.pop(place))
            del self.keys[place]
            self._has(place, "")
        if new or back:
            self.changed = True
            self.agent.renew()
        return self.numbers()

    def _has(self, place: Place, file: str) -> None:
        """What is in place there is of that file; the text of one of which nothing is left is forgotten."""
        before = self.files.pop(place, "")
        if file:
            self.files[place] = file
        if before and before not in self.files.values():
            linecache.cache.pop(before, None)

    # -- places ---------------------------------------------------------------------------------------------------

    def owner(self, place: Place) -> Any:
        """The class or module that has it. Raises :class:`SwapError`."""
        cls = place[0]
        module = self.agent.module
        if module is None:
            raise SwapError("no script is loaded in this process")
        if not cls:
            return module
        handler = self.agent.handler
        for kind in type(handler).__mro__ if not isinstance(handler, ModuleType) else ():
            if kind.__name__ == cls:
                return kind
        found = vars(module).get(cls)
        if not isinstance(found, type):
            raise SwapError(f"the script has no class {cls} in this process")
        return found

    def _scope(self, place: Place) -> Mapping[str, Any]:
        kept = self._kept(place)
        return kept if kept is not None else vars(self.owner(place))

    def _kept(self, place: Place) -> dict[str, Any] | None:
        """Where the script's own function is whose place in the module a wrapper of the agent's has."""
        handler = self.agent.handler
        cls, name = place
        if not cls and type(handler).__name__ == "Originals" and name in handler.__dict__:
            found: dict[str, Any] = handler.__dict__
            return found
        return None

    def _put(self, place: Place, value: Any) -> None:
        kept = self._kept(place)
        if kept is not None:
            kept[place[1]] = value if value is not _GONE else _absent
            return
        owner, name = self.owner(place), attribute(place)
        if value is not _GONE:
            setattr(owner, name, value)
        elif name in vars(owner):
            delattr(owner, name)

    # -- making the functions -------------------------------------------------------------------------------------

    def _define(self, entries: list[dict[str, Any]]) -> dict[Place, Any]:
        module = self.agent.module
        if module is None:
            raise SwapError("no script is loaded in this process")
        made: dict[Place, Any] = {}
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for entry in entries:
            groups.setdefault((entry["file"], entry["cls"]), []).append(entry)
        for (file, cls), own in groups.items():
            body: list[ast.stmt] = []
            for entry in own:
                tree = ast.parse(entry["source"], file)
                ast.increment_lineno(tree, entry["line"] - 1)
                body += tree.body
            scope: dict[str, Any] = {}
            if cls:
                shell = scope[_META] = _Shell(self.owner((cls, "")), scope)
                body = [_class(cls, body)]
            exec(compile(ast.Module(body=body, type_ignores=[]), file, "exec", dont_inherit=True), vars(module), scope)
            names: Mapping[str, Any] = shell.names if cls else scope
            for entry in own:
                place = (cls, entry["name"])
                made[place] = names[attribute(place)]
            lines = own[0].get("lines")
            if lines:
                linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
        return made


def _absent(*args: Any) -> int:
    return 1


def attribute(place: Place) -> str:
    """Under which name its class or module has it: private names of classes are mangled."""
    cls, name = place
    if cls and name.startswith("__") and not name.endswith("__"):
        return "_{}{}".format(cls.lstrip("_"), name)
    return str(name)


class _Names(dict):  # type: ignore[type-arg]
    """The namespace of a class body that is run again: what it lacks is looked for in the class, then in ``more``."""

    def __init__(self, owner: type, more: Mapping[str, Any]) -> None:
        super().__init__()
        self._owner = owner
        self._more = more

    def __missing__(self, name: str) -> Any:
        for scope in (vars(self._owner), self._more):
            if name in scope and name not in ("__module__", "__qualname__", "__doc__"):
                return scope[name]
        raise KeyError(name)


class _Shell:
    """Stands in for the metaclass while methods are compiled in a body of their class's name, so that private names
    are mangled and ``super()`` finds the class."""

    def __init__(self, owner: type, more: Mapping[str, Any]) -> None:
        self.owner = owner
        self.names = _Names(owner, more)

    def __prepare__(self, name: str, bases: tuple[type, ...]) -> _Names:
        return self.names

    def __call__(self, name: str, bases: tuple[type, ...], names: _Names) -> _Names:
        cell = names.pop("__classcell__", None)
        if isinstance(cell, CellType):
            cell.cell_contents = self.owner
        return names


def _class(name: str, body: list[ast.stmt]) -> ast.ClassDef:
    first = body[0].lineno
    meta = ast.Name(id=_META, ctx=ast.Load())
    word = ast.keyword(arg="metaclass", value=meta)
    head = ast.ClassDef(name=name, bases=[], keywords=[word], decorator_list=[], body=body)
    if "type_params" in ast.ClassDef._fields:  # Python 3.12 and later
        setattr(head, "type_params", [])  # noqa: B010
    nodes: tuple[Any, ...] = (head, word, meta)
    for node in nodes:
        node.lineno = node.end_lineno = first
        node.col_offset = node.end_col_offset = 0
    return head
