"""What can be seen of a script before it runs: the KSR names it uses, the callbacks it arms."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def ksr_calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call | None, ast.Attribute]]:
    """Each ``KSR.a.b`` in the tree as its dotted path without ``KSR.``, with the call it is the function of."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            path = _path(node)
            if path:
                yield path, called.get(id(node)), node


def _path(node: ast.Attribute) -> str:
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if isinstance(value, ast.Name) and value.id == "KSR":
        return ".".join(reversed(parts))
    return ""


def armed_callbacks(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Callback names given literally to ``KSR.tm.t_on_*`` and ``KSR.tmx.t_continue``, with the call."""
    for path, call, _ in ksr_calls(tree):
        if call is None or not call.args:
            continue
        name = path.rpartition(".")[2]
        arg = call.args[0] if name.startswith("t_on_") else call.args[-1] if name == "t_continue" else None
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str) and arg.value:
            yield arg.value, call
