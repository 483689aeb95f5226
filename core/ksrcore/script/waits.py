"""Which callbacks of a script may have to wait for somebody outside, by the KSR modules that its functions use."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Collection, Iterable, Mapping
from types import ModuleType

__all__ = ["callbacks_that_wait", "helpers"]

#: What runs by itself later, not inside the function that arms it.
_LATER = frozenset(("t_on_failure", "t_on_reply", "t_on_branch_failure"))


class _Function:
    """What a function refers to: names it may call now, names it gives to something that calls them later."""

    def __init__(self, node: ast.AST, waiting: Mapping[str, Collection[str]]) -> None:
        self.waits = False
        self.uses: set[str] = set()
        self.calls: set[str] = set()
        self.later: set[str] = set()
        armed: set[int] = set()
        decided: set[int] = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute):
                self.uses.add(each.attr)
                self.calls.add(each.attr)
                # An attribute is met before what it is an attribute of.
                module = _module(each.value)
                if module in waiting:
                    decided.add(id(each.value))
                    self.waits = self.waits or each.attr in waiting[module]
                elif id(each) not in decided and _module(each) in waiting:
                    self.waits = True
            elif isinstance(each, ast.Name):
                self.uses.add(each.id)
                self.calls.add(each.id)
            elif isinstance(each, ast.ImportFrom) and each.module == "KSR":
                self.waits = self.waits or any(name.name in waiting for name in each.names)
            elif isinstance(each, ast.Call) and _module(each.func, 2) == "x.modf":
                name = each.args[0].value if each.args and isinstance(each.args[0], ast.Constant) else None
                self.waits = self.waits or name is None or any(name in names for names in waiting.values())
            elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _LATER:
                armed.update(id(arg) for arg in each.args)
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                (self.later if id(each) in armed else self.uses).add(each.value)


def _module(node: ast.AST, depth: int = 1) -> str:
    """``sl`` for ``KSR.sl``; with ``depth`` 2 ``sl.send_reply`` for ``KSR.sl.send_reply``; else '.'."""
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < depth:
        names.insert(0, node.attr)
        node = node.value
    return ".".join(names) if len(names) == depth and isinstance(node, ast.Name) and node.id == "KSR" else "."


def callbacks_that_wait(
    functions: Iterable[tuple[str, ast.AST]], rest: Iterable[ast.AST], waiting: Mapping[str, Collection[str]]
) -> frozenset[str]:
    """The names of those functions that nobody in the script calls and that may reach one that waits.

    ``waiting``: these by KSR module. A module that the script gives a name of its own counts with all its functions.

    Functions are told apart by name alone, and a string that is a function's name counts as a call of it, unless it is
    armed to be called later: what is wrongly taken to wait only costs a little time.
    """
    known: dict[str, list[_Function]] = {}
    for name, node in functions:
        known.setdefault(name, []).append(_Function(node, waiting))
    outside = [_Function(node, waiting) for node in rest]
    if any(part.waits for part in outside):
        return frozenset(known)  # a name of the script stands for the module: any function may use it
    called: set[str] = set()
    reached: set[str] = set()
    for name, parts in known.items():
        for part in parts:
            called |= part.calls - {name}
            if part.waits:
                reached.add(name)
    found = bool(reached)
    while found:
        found = False
        for name, parts in known.items():
            if name not in reached and any(not part.uses.isdisjoint(reached) for part in parts):
                reached.add(name)
                found = True
    return frozenset(name for name in reached if name not in called or name == "ksr_request_route")


def helpers(module: ModuleType) -> list[ast.Module]:
    """The modules that a script imports and that use KSR as well."""
    found = []
    for value in list(vars(module).values()):
        name = getattr(value, "__module__", None)
        other = value if isinstance(value, ModuleType) else sys.modules.get(name) if isinstance(name, str) else None
        if other is None or other is module or other in found or not _uses_ksr(other):
            continue
        found.append(other)
    trees = []
    for other in found:
        try:
            trees.append(ast.parse(inspect.getsource(other)))
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
    return trees


def _uses_ksr(module: ModuleType) -> bool:
    return isinstance(vars(module).get("KSR"), ModuleType) and not module.__name__.startswith("KSR")
