"""Which function a node belongs to, and what a name stands for there."""

from __future__ import annotations

import ast

from .names import Def, own_nodes

__all__ = ["Scopes"]

_Scope = Def | ast.Lambda


class _Function:
    """What one function binds. ``values`` has the names bound once, by a plain assignment."""

    def __init__(self, node: _Scope, nonlocals: set[str]) -> None:
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        every += [a for a in (args.vararg, args.kwarg) if a is not None]
        self.parameters = {a.arg for a in every}
        self.outer: set[str] = set()
        stores: dict[str, int] = {}
        values: dict[str, ast.expr] = {}
        for sub in own_nodes(node):
            if isinstance(sub, ast.Global | ast.Nonlocal):
                self.outer.update(sub.names)
            elif isinstance(sub, ast.Name) and not isinstance(sub.ctx, ast.Load):
                stores[sub.id] = stores.get(sub.id, 0) + 1
            elif isinstance(sub, Def | ast.ClassDef):
                stores[sub.name] = stores.get(sub.name, 0) + 2
            elif isinstance(sub, ast.Import | ast.ImportFrom):
                for alias in sub.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    stores[name] = stores.get(name, 0) + 2
            elif isinstance(sub, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and sub.name:
                stores[sub.name] = stores.get(sub.name, 0) + 2
            elif isinstance(sub, ast.MatchMapping) and sub.rest:
                stores[sub.rest] = stores.get(sub.rest, 0) + 2
            if isinstance(sub, ast.Assign) and len(sub.targets) == 1 and isinstance(sub.targets[0], ast.Name):
                values[sub.targets[0].id] = sub.value
            elif isinstance(sub, ast.AnnAssign) and sub.value is not None and isinstance(sub.target, ast.Name):
                values[sub.target.id] = sub.value
            elif isinstance(sub, ast.NamedExpr):
                values[sub.target.id] = sub.value
            elif isinstance(sub, ast.AugAssign) and isinstance(sub.target, ast.Name):
                stores[sub.target.id] = stores.get(sub.target.id, 0) + 2
        self.bound = (self.parameters | set(stores)) - self.outer
        self.values = {
            name: value
            for name, value in values.items()
            if stores.get(name) == 1 and name in self.bound - self.parameters - nonlocals
        }


class Scopes:
    """The functions of a module, by the nodes in them."""

    def __init__(self, tree: ast.Module) -> None:
        self._chain: dict[int, tuple[_Scope, ...]] = {}
        self._functions: dict[int, _Function] = {}
        #: Names that some function inside another may bind there.
        self._nonlocals: set[str] = set()
        self._walk(tree, ())

    def _walk(self, node: ast.AST, chain: tuple[_Scope, ...]) -> None:
        stack: list[tuple[ast.AST, tuple[_Scope, ...]]] = [(node, chain)]
        while stack:
            here, inside = stack.pop()
            self._chain[id(here)] = inside
            if isinstance(here, ast.Nonlocal):
                self._nonlocals.update(here.names)
            if isinstance(here, _Scope):
                # Defaults and decorators are evaluated outside; that they count as inside changes nothing here.
                inside = (*inside, here)
            stack.extend((child, inside) for child in ast.iter_child_nodes(here))

    def function_of(self, node: ast.AST) -> _Scope | None:
        """The innermost function around ``node``."""
        chain = self._chain.get(id(node), ())
        return chain[-1] if chain else None

    def _of(self, node: _Scope) -> _Function:
        found = self._functions.get(id(node))
        if found is None:
            found = self._functions[id(node)] = _Function(node, self._nonlocals)
        return found

    def is_local(self, name: ast.Name) -> bool:
        """Whether a function around binds the name."""
        return any(name.id in self._of(f).bound for f in self._chain.get(id(name), ()))

    def local_value(self, name: ast.Name) -> ast.expr | None:
        """What the local variable was assigned, when that is one assignment."""
        for function in reversed(self._chain.get(id(name), ())):
            scope = self._of(function)
            if name.id in scope.bound:
                return scope.values.get(name.id)
        return None
