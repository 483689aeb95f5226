"""What names mean in a script: KSR and what is taken from it, constants, functions, the object with the callbacks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Handler", "Names", "Parameters"]

Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Parameters:
    """How many positional arguments a function takes, ``self`` not counted. ``most`` is None for ``*args``."""

    least: int
    most: int | None

    @classmethod
    def of(cls, node: Def, bound: bool) -> Parameters | None:
        """None when that cannot be known: decorated functions, keyword-only arguments without default."""
        args = node.args
        for decorator in node.decorator_list:
            if not isinstance(decorator, ast.Name) or decorator.id not in ("staticmethod", "classmethod"):
                return None
            if decorator.id == "staticmethod":
                bound = False
        if any(default is None for default in args.kw_defaults):
            return None
        have = len(args.posonlyargs) + len(args.args)
        least = have - len(args.defaults)
        skip = 1 if bound and have else 0
        if bound and not have and args.vararg is None:
            # Not even self: a call always fails.
            return cls(-1, -1)
        return cls(max(least - skip, 0), None if args.vararg is not None else have - skip)

    def takes(self, count: int) -> bool:
        return self.least <= count and (self.most is None or count <= self.most)


@dataclass(slots=True)
class Handler:
    """Where Kamailio looks callbacks up: a class of the script, or the module itself.

    ``closed``: every name it has is in the source (no unknown base class, no ``setattr``).
    """

    methods: dict[str, Def]
    style: str  # 'class', 'module', 'unknown'
    closed: bool
    name: str = ""
    others: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        return name in self.methods or name in self.others


class Names:
    """The names of one module."""

    def __init__(self, tree: ast.Module, nodes: list[ast.AST], ksr: Mapping[str, str]) -> None:
        self.tree = tree
        self._nodes = nodes
        #: Dotted paths by the names they were given: {"KSR": "", "pv": "pv"}.
        self.paths: dict[str, str] = dict(ksr)
        self.functions: dict[str, Def] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        #: Names bound once at module level and nowhere else, to this expression.
        self.constants: dict[str, ast.expr] = {}
        self.bound: set[str] = set()
        self.star = False
        self._collect()
        self.handler = self._handler()

    # -- binding ----------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        counts: dict[str, int] = {}
        #: Whether names may come from calls of setattr() or exec().
        self._dynamic = any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in ("setattr", "exec")
            for n in self._nodes
        )
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == "KSR" or alias.name.startswith("KSR."):
                        if alias.asname and alias.name != "KSR":
                            self.paths[alias.asname] = alias.name.removeprefix("KSR.")
                        else:
                            self.paths[alias.asname or "KSR"] = ""
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name == "*":
                        self.star = True
                    elif node.module == "KSR":
                        self.paths[alias.asname or alias.name] = alias.name
                    elif node.module and node.module.startswith("KSR."):
                        self.paths[alias.asname or alias.name] = node.module.removeprefix("KSR.") + "." + alias.name
            elif isinstance(node, ast.Global):
                for name in node.names:
                    counts[name] = counts.get(name, 0) + 2
        for statement in self.tree.body:
            if isinstance(statement, Def):
                self.functions[statement.name] = statement
            elif isinstance(statement, ast.ClassDef):
                self.classes[statement.name] = statement
        self.module_stores = module_stores(self.tree)
        for name in self.module_stores:
            self.bound.add(name)
            counts[name] = counts.get(name, 0) + 1
        for statement in self.tree.body:
            value: ast.expr | None = None
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target: ast.expr = statement.targets[0]
                value = statement.value
            elif isinstance(statement, ast.AnnAssign):
                target = statement.target
                value = statement.value
            if value is not None and isinstance(target, ast.Name) and counts.get(target.id) == 1:
                self.constants[target.id] = value
                path = self.path(value)
                if path is not None and target.id not in self.paths:
                    self.paths[target.id] = path

    # -- KSR --------------------------------------------------------------------------------------------------------

    def path(self, node: ast.expr) -> str | None:
        """The path without ``KSR.`` when ``node`` is KSR (then ''), one of its modules or functions; else None."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.paths:
            return None
        base = self.paths[node.id]
        return ".".join(([base] if base else []) + parts[::-1])

    # -- the handler ------------------------------------------------------------------------------------------------

    def _handler(self) -> Handler:
        init = self.functions.get("mod_init")
        if init is None:
            if "mod_init" in self.bound:
                return Handler({}, "unknown", False)
            return self._module_handler()
        returned = [n.value for n in own_nodes(init) if isinstance(n, ast.Return) and n.value is not None]
        if not returned:
            return self._module_handler()
        if len(returned) == 1:
            value = returned[0]
            if isinstance(value, ast.Constant):
                return self._module_handler()
            if isinstance(value, ast.Name) and value.id in self.classes:
                return Handler({}, "unknown", False)
            local = self._local_value(init, value)
            if isinstance(local, ast.Call) and isinstance(local.func, ast.Name) and local.func.id in self.classes:
                return self.class_handler(self.classes[local.func.id])
        return Handler({}, "unknown", False)

    def _local_value(self, function: Def, value: ast.expr) -> ast.expr | None:
        """What a returned name was assigned, when that is one assignment in the function or in the module."""
        if not isinstance(value, ast.Name):
            return value
        found = [
            n.value
            for n in own_nodes(function)
            if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == value.id for t in n.targets)
        ]
        if len(found) == 1:
            return found[0]
        return self.constants.get(value.id) if not found else None

    def _module_handler(self) -> Handler:
        others = self.bound - set(self.functions)
        if "mod_init" not in self.functions and "ksr_request_route" not in self.bound:
            # A module that a script imports: perhaps with the class that the script makes its object of.
            for node in self.classes.values():
                handler = self.class_handler(node)
                if "ksr_request_route" in handler.methods:
                    handler.closed = False
                    return handler
            return Handler(dict(self.functions), "module", False, "", others)
        routes = [f for name, f in self.functions.items() if name.startswith("ksr_")]
        if any(f.args.args[:1] and f.args.args[0].arg == "self" for f in routes):
            # Methods to be: the script puts them into its class.
            return Handler(dict(self.functions), "class", False, "", others)
        return Handler(dict(self.functions), "module", not self.star, "", others)

    def class_handler(self, node: ast.ClassDef) -> Handler:
        """The methods of a class with those it inherits from classes of the script."""
        handler = Handler({}, "class", True, node.name)
        self._add_class(handler, node, set())
        return handler

    def _add_class(self, handler: Handler, node: ast.ClassDef, seen: set[str]) -> None:
        seen.add(node.name)
        if node.decorator_list or node.keywords or self._dynamic:
            handler.closed = False
        for statement in node.body:
            if isinstance(statement, Def):
                handler.methods.setdefault(statement.name, statement)
                if statement.name in ("__getattr__", "__getattribute__"):
                    handler.closed = False
        handler.others |= set(_stores(node.body)) - set(handler.methods)
        for sub in ast.walk(node):
            if isinstance(sub, ast.Attribute) and isinstance(sub.ctx, ast.Store) and isinstance(sub.value, ast.Name):
                handler.others.add(sub.attr)
            elif isinstance(sub, ast.Attribute) and sub.attr == "__dict__":
                handler.closed = False
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes and base.id not in seen:
                self._add_class(handler, self.classes[base.id], seen)
            elif not (isinstance(base, ast.Name) and base.id == "object"):
                handler.closed = False


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes inside it."""
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Def | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


def module_stores(tree: ast.Module) -> list[str]:
    """Each binding of a name at module level, as often as there is one, those of ``global`` statements too."""
    return _stores(tree.body)


def _stores(body: list[ast.stmt]) -> list[str]:
    found: list[str] = []
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, Def | ast.ClassDef):
            found.append(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.append(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.extend((alias.asname or alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.append(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.append(node.rest)
        stack.extend(ast.iter_child_nodes(node))
    return found
