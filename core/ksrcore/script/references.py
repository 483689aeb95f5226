"""Who uses a name of the script: asked before it is taken out."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .program import Program, parse
from .versions import Slot

if TYPE_CHECKING:
    from ..proxy import Proxy

#: What a transaction may still call by name.
_ARMED = ("on_failure", "on_reply", "on_branch", "on_branch_failure")


def callers(slot: Slot, running: Iterable[tuple[str, str]], program: Program, proxy: Proxy) -> list[str]:
    """For people: who uses the name. ``running``: name and source of what else there is in the script."""
    cls, name = slot.place
    found = [key for key, source in running if _uses(parse(source), name, bool(cls))]
    found += [f"line {rest.node.lineno} of the file" for rest in program.rest if _uses(rest.node, name, bool(cls))]
    for module in proxy.modules.values():
        for param, value in vars(module).items():
            if value == name and isinstance(value, str):
                found.append(f"the parameter {param} of {module.name or 'the core'}")
    tm: Any = proxy.modules.get("tm")
    count = 0
    if tm is not None:
        for t in tm.engine.clients.values():
            count += any(getattr(t, armed) == name for armed in _ARMED) or any(
                name in (client.on_reply, client.on_branch_failure) for client in t.branches
            )
    if count:
        found.append(f"{count} transaction{'s' if count > 1 else ''} that armed it")
    return found


def _uses(tree: ast.AST, name: str, method: bool) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == name:
            return True  # by name: armed, or in a table
        if isinstance(node, ast.Attribute) and node.attr == name and method:
            return True
        if isinstance(node, ast.Name) and node.id == name and not method and isinstance(node.ctx, ast.Load):
            return True
    return False


def globals_of(program: Program) -> set[str]:
    """The names that functions assign by ``global``: state of the script, whatever they begin with."""
    return {name for node in ast.walk(program.tree) if isinstance(node, ast.Global) for name in node.names}
