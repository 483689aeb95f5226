"""Ways out of a callback: what is after them, what catches them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .names import own_nodes

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["check_exits"]


def check_exits(script: Script) -> None:
    for body in script.blocks:
        _unreachable(script, body)
    for node in script.nodes:
        if isinstance(node, ast.Try):
            _caught(script, node)


def _unreachable(script: Script, body: list[ast.stmt]) -> None:
    for n, statement in enumerate(body[:-1]):
        if not script.flow.leaves(statement):
            continue
        rest = body[n + 1 :]
        # A "return 1" after exit() is how careful people write it; a text that stands alone is a comment.
        trailing = len(rest) == 1 and (isinstance(rest[0], ast.Pass) or script.flow.is_exit(rest[0]))
        if not trailing and not (isinstance(rest[0], ast.Expr) and isinstance(rest[0].value, ast.Constant | ast.Yield)):
            script.add("unreachable", rest[0], f"never reached: line {statement.lineno} always leaves")
        return


def _caught(script: Script, node: ast.Try) -> None:
    """``exit()`` raises SystemExit, which a bare ``except`` catches."""
    handler = next((h for h in node.handlers if _catches_all(h)), None)
    if handler is None or any(isinstance(n, ast.Raise) for n in ast.walk(handler)):
        return
    if any(_names(h, "SystemExit") for h in node.handlers):
        return
    if any(
        isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and script.flow.never_returns(s.value)
        for s in handler.body
    ):
        return
    for statement in node.body:
        for sub in (statement, *own_nodes(statement)):
            if isinstance(sub, ast.Call) and script.flow.never_returns(sub):
                script.add(
                    "exit-caught",
                    sub,
                    f"the except of line {handler.lineno} catches this exit: name the exceptions, or except Exception",
                )


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or _names(handler, "BaseException")


def _names(handler: ast.ExceptHandler, name: str) -> bool:
    return handler.type is not None and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(handler.type))
