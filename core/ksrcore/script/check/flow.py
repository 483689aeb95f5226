"""How control flows: does it run off the end of a function, what is never reached, what does a function return?"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .names import Def, own_nodes

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["Flow", "Nothing", "blocks", "is_exit"]

_EXITS = frozenset({"exit", "quit"})
_MODULE_EXITS = frozenset({("sys", "exit"), ("os", "_exit"), ("os", "abort")})
EXIT = -255


@dataclass(frozen=True, slots=True)
class Nothing:
    """Where a function returns None: a ``return`` statement, or its end when ``node`` is the function itself."""

    node: ast.AST

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 0)


class Flow:
    """Answers about the functions of one script; remembers them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._ends: dict[int, bool] = {}
        self._nothing: dict[int, list[Nothing]] = {}
        self._exits: dict[int, bool] = {}

    # -- the end of a block -----------------------------------------------------------------------------------------

    def leaves(self, node: ast.stmt) -> bool:
        """Whether nothing after this statement in its block is ever reached."""
        match node:
            case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
                return True
            case ast.Expr(value=ast.Call() as call):
                return self.never_returns(call)
            case ast.If():
                return bool(node.orelse) and self.block_leaves(node.body) and self.block_leaves(node.orelse)
            case ast.While():
                return _always(node.test) and not _breaks(node.body)
            case ast.With() | ast.AsyncWith():
                # The context manager may swallow an exception; it cannot hold back a return.
                return any(isinstance(s, ast.Return | ast.Continue | ast.Break) for s in node.body)
            case ast.Try() | ast.TryStar():
                if self.block_leaves(node.finalbody):
                    return True
                body = self.block_leaves(node.orelse) if node.orelse else self.block_leaves(node.body)
                body = body or self.block_leaves(node.body)
                return body and all(self.block_leaves(h.body) for h in node.handlers)
            case ast.Match():
                last = node.cases[-1]
                open_end = last.guard is not None or not (
                    isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
                )
                return not open_end and all(self.block_leaves(c.body) for c in node.cases)
        return False

    def is_exit(self, node: ast.stmt) -> bool:
        """A statement that does nothing but leave."""
        return not isinstance(node, ast.If | ast.While | ast.With | ast.Try | ast.Match) and self.leaves(node)

    def block_leaves(self, body: list[ast.stmt]) -> bool:
        return any(self.leaves(statement) for statement in body)

    def never_returns(self, call: ast.Call) -> bool:
        """exit(), sys.exit(), KSR.x.exit(), or a function of the script that always ends in one."""
        func = call.func
        if isinstance(func, ast.Name) and func.id in _EXITS and func.id not in self.script.names.functions:
            return True
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            if (func.value.id, func.attr) in _MODULE_EXITS:
                return True
        if self.script.names.path(func) in ("x.exit", "x.drop"):
            return True
        target = self.script.target(call)
        return target is not None and self._always_exits(target)

    def _always_exits(self, function: Def) -> bool:
        known = self._exits.get(id(function))
        if known is None:
            self._exits[id(function)] = False  # of a function that calls itself
            returns = any(isinstance(n, ast.Return) for n in own_nodes(function))
            generator = any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for n in own_nodes(function))
            known = not returns and not generator and self.block_leaves(function.body)
            self._exits[id(function)] = known
        return known

    def falls_off(self, function: Def) -> bool:
        """Whether control can run off the end: the function gives None then."""
        known = self._ends.get(id(function))
        if known is None:
            known = self._ends[id(function)] = not self.block_leaves(function.body)
        return known

    # -- what is returned -------------------------------------------------------------------------------------------

    def nothing(self, function: Def) -> list[Nothing]:
        """The places where the function itself returns None."""
        found = self._nothing.get(id(function))
        if found is None:
            found = self._nothing[id(function)] = []
            if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(function)):
                return found
            for node in own_nodes(function):
                if isinstance(node, ast.Return) and (
                    node.value is None or isinstance(node.value, ast.Constant) and node.value.value is None
                ):
                    found.append(Nothing(node))
            if self.falls_off(function):
                found.append(Nothing(function))
        return found

    def gives_exit(self, function: Def, seen: frozenset[int] = frozenset()) -> bool:
        """Whether the function can return -255, which asks its caller to stop."""
        if id(function) in seen:
            return False
        for node in own_nodes(function):
            if isinstance(node, ast.Return) and node.value is not None:
                if is_exit(node.value):
                    return True
                if isinstance(node.value, ast.Call):
                    target = self.script.target(node.value)
                    if target is not None and self.gives_exit(target, seen | {id(function)}):
                        return True
        return False


def is_exit(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and node.operand.value == -EXIT
    )


def _always(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _breaks(body: list[ast.stmt]) -> bool:
    """Whether a ``break`` in the body belongs to the loop around it."""
    for node in body:
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            if _breaks(node.orelse):
                return True
            continue
        if isinstance(node, Def | ast.ClassDef):
            continue
        for part in ("body", "orelse", "finalbody"):
            if _breaks(getattr(node, part, [])):
                return True
        for inner in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            if _breaks(inner.body):
                return True
    return False


def blocks(nodes: Iterable[ast.AST]) -> list[list[ast.stmt]]:
    """The lists of statements that these nodes have."""
    found = []
    for sub in nodes:
        for part in ("body", "orelse", "finalbody"):
            body = getattr(sub, part, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                found.append(body)
    return found
