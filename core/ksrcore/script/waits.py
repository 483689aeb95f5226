"""Which callbacks of a script may have to wait for somebody outside, by the KSR modules that its functions use."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Collection, Iterable
from types import ModuleType

__all__ = ["callbacks_that_wait", "helpers"]

#: What runs by itself later, not inside the function that arms it.
_LATER = frozenset(("t_on_failure", "t_on_reply", "t_on_branch_failure"))


class _Function:
    """What a function refers to: names it may call now, names it gives to something that calls them later."""

    def __init__(self, node: ast.AST, modules: Collection[str]) -> None:
        self.waits = False
        self.uses: set[str] = set()
        self.calls: set[str] = set()
        self.later: set[str] = set()
        armed: set[int] = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute):
                self.uses.add(each.attr)
                self.calls.add(each.attr)
                if each.attr in modules and isinstance(each.value, ast.Name) and each.value.id == "KSR":
                    self.waits = True
            elif isinstance(each, ast.Name):
                self.uses.add(each.id)
                self.calls.add(each.id)
            elif isinstance(each, ast.ImportFrom) and each.module == "KSR":
                self.waits = self.waits or any(name.name in modules for name in each.names)
            elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _LATER:
                armed.update(id(arg) for arg in each.args)
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                (self.later if id(each) in armed else self.uses).add(each.value)


def callbacks_that_wait(
    functions: Iterable[tuple[str, ast.AST]], rest: Iterable[ast.AST], modules: Collection[str]
) -> frozenset[str]:
    """The names of those functions that nobody in the script calls and that may reach a function of ``modules``.

    Functions are told apart by name alone, and a string that is a function's name counts as a call of it, unless it is
    armed to be called later: what is wrongly taken to wait only costs a little time.
    """
    known: dict[str, list[_Function]] = {}
    for name, node in functions:
        known.setdefault(name, []).append(_Function(node, modules))
    outside = [_Function(node, modules) for node in rest]
    if any(part.waits for part in outside):
        return frozenset(known)  # a name of the script stands for the module: any function may use it
    called: set[str] = set()
    waiting: set[str] = set()
    for name, parts in known.items():
        for part in parts:
            called |= part.calls - {name}
            if part.waits:
                waiting.add(name)
    found = bool(waiting)
    while found:
        found = False
        for name, parts in known.items():
            if name not in waiting and any(not part.uses.isdisjoint(waiting) for part in parts):
                waiting.add(name)
                found = True
    return frozenset(name for name in waiting if name not in called or name == "ksr_request_route")


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
