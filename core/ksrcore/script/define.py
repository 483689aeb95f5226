"""Making the functions of a swap: in the module's scope, methods in the scope of their class, and nothing installed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from types import CellType
from typing import Any

from .engine import ScriptError
from .instrument import compile_counted
from .program import Item, Place, attribute

_META = "__ksr_class__"


class _Names(dict[str, Any]):
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
    """Stands in for the metaclass while methods are compiled in a class body of their class's name.

    So ``self.__x`` is mangled as in the class, and the cell that ``super()`` and ``__class__`` read is a real one, into
    which the class goes that the methods are for.
    """

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


def define(
    items: Iterable[Item],
    module: dict[str, Any],
    owners: Mapping[str, type],
    filename: str,
    number: Callable[[str, int], int],
) -> dict[Place, Any]:
    """The values of these items by place. ``owners``: the classes by name. Raises :class:`ScriptError`.

    Decorators and defaults are evaluated here, once. The items' nodes get counters.
    """
    scope: dict[str, Any] = {}
    made: dict[Place, Any] = {}
    by_class: dict[str, list[Item]] = {}
    for item in items:
        item.shape  # noqa: B018 (of the node as it is now)
        by_class.setdefault(item.cls, []).append(item)
    for cls, own in sorted(by_class.items()):
        body: list[ast.stmt] = [item.node for item in own]
        if cls:
            shell = scope[_META] = _Shell(owners[cls], scope)
            head = ast.ClassDef(
                name=owners[cls].__name__,
                bases=[],
                keywords=[ast.keyword(arg="metaclass", value=ast.Name(id=_META, ctx=ast.Load()))],
                decorator_list=[],
                body=body,
            )
            if "type_params" in ast.ClassDef._fields:  # Python 3.12 and later
                setattr(head, "type_params", [])  # noqa: B010
            body = [head]
        tree = ast.Module(body=body, type_ignores=[])
        if cls:
            first = own[0].node.lineno
            for node in (head, head.keywords[0], head.keywords[0].value):
                node.lineno = node.end_lineno = first
                node.col_offset = node.end_col_offset = 0
        try:
            exec(compile_counted(tree, filename, number), module, scope)
        except Exception as error:
            raise ScriptError(
                f"the new code failed while it was defined: {type(error).__name__}: {error}", filename
            ) from error
        names: Mapping[str, Any] = shell.names if cls else scope
        for item in own:
            made[item.place] = names[attribute(item.place)]
    return made
