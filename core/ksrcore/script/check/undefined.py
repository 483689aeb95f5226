"""Names and methods that nothing defines."""

from __future__ import annotations

import ast
import builtins
import difflib
import re
import symtable
from typing import TYPE_CHECKING

from .names import Def

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["check_names"]

_ALWAYS = frozenset(dir(builtins)) | {
    "__file__",
    "__name__",
    "__doc__",
    "__builtins__",
    "__path__",
    "__class__",
    "exit",
    "quit",
}


def check_names(script: Script) -> None:
    _undefined(script)
    _methods(script)


def _undefined(script: Script) -> None:
    around = script.around
    if script.names.star or around is not None and around.names is None:
        return
    defined = _ALWAYS | set(script.names.bound)
    if around is not None and around.names is not None:
        defined |= around.names
        for names in re.findall(r"\bglobal\s+([\w, ]+)", around.source):
            defined |= {name.strip() for name in names.split(",")}
    try:
        table = symtable.symtable("\n".join(script.findings.lines), "<script>", "exec")
    except (SyntaxError, ValueError):
        return
    unknown: set[str] = set()
    stack = [table]
    while stack:
        here = stack.pop()
        stack.extend(here.get_children())
        for symbol in here.get_symbols():
            name = symbol.get_name()
            is_global = symbol.is_global() or here.get_type() == "module"
            if is_global and symbol.is_assigned():
                defined = defined | {name}
            if is_global and symbol.is_referenced():
                unknown.add(name)
    unknown -= defined
    if not unknown or "globals" in _called(script) or "exec" in _called(script):
        return
    for node in script.nodes:
        if (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id in unknown
            and not script.scopes.is_local(node)
            and id(node) not in script.guarded_names
        ):
            near = difflib.get_close_matches(node.id, defined - _ALWAYS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            if node.id == "KSR":
                hint = ": import KSR"
            script.add("undefined-name", node, f"{node.id} is not defined{hint}")


def _called(script: Script) -> set[str]:
    return {n.func.id for n in script.nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


def _methods(script: Script) -> None:
    """``self.name(...)`` in the class with the callbacks."""
    handler = script.handler
    if script.around is not None:
        for function in script.names.functions.values():
            _new_methods(script, function)
        return
    if handler.style != "class" or not handler.closed:
        return
    for function in handler.methods.values():
        args = [*function.args.posonlyargs, *function.args.args]
        if not args or not script.is_method(function):
            continue
        own = args[0].arg
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == own
                and not handler.has(node.func.attr)
                and not hasattr(object, node.func.attr)
                and id(node.func) not in script.guarded
            ):
                near = difflib.get_close_matches(node.func.attr, handler.methods, 1)
                hint = f"; did you mean {own}.{near[0]}?" if near else ""
                if node.func.attr in script.names.functions:
                    hint = f"; the module has a function {node.func.attr}()"
                script.add("unknown-method", node.func, f"class {handler.name} has no {node.func.attr}(){hint}")


def _new_methods(script: Script, function: Def) -> None:
    """``self.name(...)`` in a piece: what the object has not and no code of the script gives it."""
    around = script.around
    assert around is not None
    if not script.is_method(function) or around.names is None or "setattr(" in around.source:
        return
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "self"
            and id(node.func) not in script.guarded
            and not script.has(name := node.func.attr)
            and not hasattr(object, name)
            and not re.search(rf"\bself\.{name}\s*[:=]|\bdef\s+{name}\b|\b{name}\s*=", around.source)
            and not re.search(rf"\bself\.{name}\s*[:=]", "\n".join(script.findings.lines))
        ):
            near = difflib.get_close_matches(name, script.callable_names(), 1)
            hint = f"; did you mean self.{near[0]}?" if near else ""
            script.add("unknown-method", node.func, f"the script has no {name}(){hint}")
