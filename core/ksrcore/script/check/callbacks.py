"""Callbacks: those that are armed exist, and take what they are called with."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .calls import nearest_name
from .names import Def, Parameters

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["armed", "check_callbacks"]


def armed(script: Script) -> list[tuple[str, ast.expr, str]]:
    """Callback names given literally to KSR functions: name, where, and the function's path."""
    found = []
    for path, _, call in script.ksr:
        if call is None or not call.args or script.api.find(path) is None:
            continue
        name = path.rpartition(".")[2]
        if name.startswith("t_on_"):
            arg = call.args[0]
        elif name == "t_continue":
            arg = call.args[-1]
        else:
            continue
        text = script.text_of(arg)
        if text:
            found.append((text, arg, path))
    return found


def check_callbacks(script: Script) -> None:
    for name, node, path in armed(script):
        if not script.has(name):
            script.add(
                "unknown-callback",
                node,
                f"KSR.{path} arms the callback {name!r}, which the script does not define"
                f"{nearest_name(name, script.callable_names())}",
            )
    if script.around is not None:
        _replaced(script)


def _replaced(script: Script) -> None:
    """A function that replaces another is called as that was."""
    around = script.around
    assert around is not None
    for name, node in script.names.functions.items():
        old = around.replaced.get(name)
        if old is None:
            continue
        args = node.args
        have = len(args.posonlyargs) + len(args.args)
        need = have - len(args.defaults)
        if args.vararg is None and have < len(old.names) or need > old.required:
            script.add(
                "signature",
                node,
                f"{name} is called with ({', '.join(old.names)}), the new one takes ({ast.unparse(args)})",
            )


def parameters(script: Script, node: Def) -> Parameters | None:
    return Parameters.of(node, script.names.handler.style == "class")
