"""KSR names and calls: do they exist, with that many arguments of those types?"""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

from ...kemi.catalog import Function

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["check_calls", "ksr_nodes"]

_ARTICLE = {"int": "an int", "str": "a str", "bool": "a bool", "float": "a float", "bytes": "bytes", "None": "None"}


def ksr_nodes(script: Script) -> list[tuple[str, ast.expr, ast.Call | None]]:
    """Each use of KSR with its dotted path, and the call it is the function of."""
    called = {id(node.func): node for node in script.nodes if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in script.nodes if isinstance(node, ast.Attribute)}
    found: list[tuple[str, ast.expr, ast.Call | None]] = []
    for node in script.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner and isinstance(node.ctx, ast.Load):
            path = script.names.path(node)
            if path:
                found.append((path, node, called.get(id(node))))
    return found


def check_calls(script: Script) -> None:
    for path, node, call in script.ksr:
        function = script.api.find(path)
        if function is None:
            _unknown(script, path, node, call)
            continue
        if call is not None:
            _arguments(script, function, call)
        if path in ("x.exit", "x.drop"):
            instead = "exit()" if path == "x.exit" else "KSR.set_drop() and exit()"
            script.add("not-in-python", node, f"KSR.{path} is for Lua and JavaScript, app_python3 has {instead}")
        if script.version and function.versions and script.version not in function.versions:
            script.add(
                "other-version",
                node,
                f"{function.decl.path} is in Kamailio {' and '.join(function.versions)}, not in {script.version}",
            )
        elif not function.implemented:
            does = f" ({function.decl.summary.rstrip('.')})" if function.decl.doc else ""
            script.add("not-implemented", node, f"{function.decl.path}: Kamailio has it{does}, ksrshell not yet")


def _unknown(script: Script, path: str, node: ast.expr, call: ast.Call | None) -> None:
    api = script.api
    if path in api.modules:
        if call is not None:
            script.add("unknown-function", node, api.unknown(path))
        return
    if id(node) in script.guarded or isinstance(node, ast.Name) and node.id in script.names.constants:
        return
    head, _, last = path.rpartition(".")
    if last.startswith("_"):
        return  # of the Python object, or of a mock that tests use
    if api.find(head) is not None:
        script.add("unknown-function", node, f"KSR.{head} is a function: it has no {last!r}")
        return
    script.add("unknown-function", node, api.unknown(path))


def _arguments(script: Script, function: Function, call: ast.Call) -> None:
    decl = function.decl
    if call.keywords:
        names = ", ".join(k.arg or "**" for k in call.keywords)
        script.add("argument-count", call, f"{decl.signature}: takes no arguments by name, got {names}")
        return
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        return
    count = len(decl.params)
    if not count and call.args and not decl.variadic:
        script.add(
            "argument-count",
            call,
            f"{decl.signature}: takes no arguments, got {len(call.args)}; Kamailio 5.6 does not look at them",
            "warning",
        )
        return
    if len(call.args) < count or len(call.args) > count and not decl.variadic:
        least = "at least " if decl.variadic else ""
        script.add(
            "argument-count",
            call,
            f"{decl.signature}: takes {least}{count} argument{'' if count == 1 else 's'}, got {len(call.args)}",
        )
        return
    for kind, name, arg in zip(decl.params, decl.names, call.args, strict=False):
        have = script.types.of(arg)
        if not have or have & ({"int", "bool"} if kind == "int" else {"str"}):
            continue
        (one, *_) = sorted(have)
        got = " or ".join(_ARTICLE.get(t, t) for t in sorted(have))
        hint = ""
        value = arg.value if isinstance(arg, ast.Constant) else None
        if kind == "int" and isinstance(value, str) and value.strip("+-").isdigit():
            hint = f"; did you mean {value}?"
        elif kind == "str" and isinstance(value, int):
            hint = f'; did you mean "{value}"?'
        elif kind == "str" and one in ("int", "float"):
            hint = "; use str()"
        elif kind == "int" and one == "str":
            hint = "; use int()"
        script.add("argument-type", arg, f"{decl.signature}: {name} is {_ARTICLE[kind]}, got {got}{hint}")


def nearest_name(name: str, names: object) -> str:
    """``; did you mean 'x'?`` or nothing."""
    near = difflib.get_close_matches(name, list(names), 1)  # type: ignore[call-overload]
    return f"; did you mean {near[0]!r}?" if near else ""
