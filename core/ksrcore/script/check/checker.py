"""Checking a script without running it: :func:`check`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ...kemi.catalog import Api, kamailio, release
from .callbacks import CORE, armed, check_callbacks
from .calls import check_calls, ksr_nodes
from .exits import check_exits
from .finding import Finding, Findings
from .flow import Flow, blocks
from .infer import Types
from .names import Def, Handler, Names
from .operands import check_operands
from .results import check_results
from .scope import Scopes
from .undefined import check_names
from .variables import check_variables

__all__ = ["Around", "Script", "Signature", "check"]


@dataclass(frozen=True, slots=True)
class Signature:
    """The positional parameters of a function, ``self`` among them, and how many of them have no default."""

    names: tuple[str, ...]
    required: int


@dataclass(frozen=True, slots=True)
class Around:
    """What a piece of a script is put into.

    ``ksr_names``: the names there for KSR and its parts (:func:`ksr_paths`); ``has``: whether there is a callback of
    that name; ``functions``: the script's functions, ``callbacks``: those of them that Kamailio calls; ``replaced``:
    the signatures of those that the piece replaces; ``names``: all names of the module, None when not known;
    ``source``: the script's source.
    """

    ksr_names: Mapping[str, str] = field(default_factory=lambda: {"KSR": ""})
    has: Callable[[str], bool] = lambda name: False
    functions: frozenset[str] = frozenset()
    replaced: Mapping[str, Signature] = field(default_factory=dict)
    callbacks: frozenset[str] = frozenset()
    names: frozenset[str] | None = None
    source: str = ""


class Script:
    """A parsed script with what the checks share."""

    def __init__(self, source: str, tree: ast.Module, api: Api, version: str, around: Around | None) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self.blocks = blocks(self.nodes)
        self.api = api
        self.version = version
        self.around = around
        self.findings = Findings(source)
        self.add = self.findings.add
        self.names = Names(tree, self.nodes, around.ksr_names if around is not None else {})
        self.scopes = Scopes(tree)
        self.guarded = _guarded(self.nodes, "AttributeError")
        self.guarded_names = _guarded(self.nodes, "NameError")
        self.types = Types(self)
        self.flow = Flow(self)
        self._next: dict[int, ast.stmt | None] | None = None
        self.ksr = ksr_nodes(self)

    @property
    def handler(self) -> Handler:
        return self.names.handler

    def has(self, name: str) -> bool:
        """Whether a callback of that name is there, or may be."""
        if self.around is not None:
            return name in self.names.functions or self.around.has(name)
        return not self.handler.closed or self.handler.has(name)

    def callable_names(self) -> Iterable[str]:
        mine = set(self.names.functions) | set(self.handler.methods)
        return mine | self.around.functions if self.around is not None else mine

    def value_of(self, node: ast.Name) -> ast.expr | None:
        """The expression a name stands for, when it is bound once: in the function around it or at module level."""
        if self.scopes.is_local(node):
            return self.scopes.local_value(node)
        return self.names.constants.get(node.id)

    def text_of(self, node: ast.expr) -> str | None:
        """The text of a literal, or of a name that stands for one."""
        if isinstance(node, ast.Name):
            value = self.value_of(node)
            if value is None:
                return None
            node = value
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    def is_method(self, function: Def) -> bool:
        """Whether the function's first parameter is ``self``."""
        if any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list):
            return False
        args = [*function.args.posonlyargs, *function.args.args]
        if args and args[0].arg == "self":
            return True
        return self.around is None and self.names.functions.get(function.name) is not function

    def target(self, call: ast.Call) -> Def | None:
        """The function of the script that is called: ``self.name()``, ``name()``."""
        func = call.func
        if isinstance(func, ast.Name):
            if self.scopes.is_local(func) or self.names.module_stores.count(func.id) > 1:
                return None
            return self.names.functions.get(func.id)
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "self":
            if self.around is not None:
                return self.names.functions.get(func.attr)
            return self.handler.methods.get(func.attr) if self.handler.style == "class" else None
        return None

    def callbacks(self) -> list[Def]:
        """The functions that Kamailio calls: the core's and those that are armed here or, in a piece, around it."""
        names = {*CORE, *(name for name, _, _ in armed(self))}
        have = self.handler.methods
        if self.around is not None:
            have = self.names.functions
            names |= self.around.callbacks
        return [have[name] for name in have if name in names]

    def follows(self, statement: ast.stmt) -> ast.stmt | None:
        """The statement that runs after this one, None at the end of the function. A loop runs its body again."""
        if self._next is None:
            self._next = {}
            _link(self.tree.body, None, self._next)
        return self._next.get(id(statement))


def _link(body: list[ast.stmt], after: ast.stmt | None, found: dict[int, ast.stmt | None]) -> None:
    for n, statement in enumerate(body):
        follows = body[n + 1] if n + 1 < len(body) else after
        found[id(statement)] = follows
        inner = follows
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = None
        elif isinstance(statement, ast.For | ast.AsyncFor | ast.While):
            inner = statement.body[0]
        for part in ("body", "orelse", "finalbody"):
            sub = getattr(statement, part, None)
            if sub:
                _link(sub, inner, found)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            _link(part.body, inner, found)


def _guarded(nodes: list[ast.AST], exception: str) -> set[int]:
    """The nodes in a ``try`` that catches this exception by name: the script asks there whether something exists."""
    found: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Try) and any(
            isinstance(name, ast.Name) and name.id == exception
            for handler in node.handlers
            if handler.type is not None
            for name in ast.walk(handler.type)
        ):
            found.update(id(sub) for statement in node.body for sub in ast.walk(statement))
    return found


CHECKS: tuple[Callable[[Script], None], ...] = (
    check_calls,
    check_variables,
    check_callbacks,
    check_results,
    check_operands,
    check_names,
    check_exits,
)


def check(
    source: str, filename: str = "<script>", *, version: str = "", api: Api | None = None, around: Around | None = None
) -> list[Finding]:
    """What is wrong with a KEMI script in Python, in the order of its lines.

    ``version`` is the Kamailio it shall run on ('5.6'; '' for any); ``api`` the functions there are, Kamailio's by
    default; ``around`` what a piece of a script is put into. Raises ``ValueError`` for a version without a table.
    """
    wanted = release(version) if version else ""
    findings = Findings(source)
    try:
        tree = ast.parse(source, filename)
        compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        findings.add("syntax", _At(error, findings.lines), f"does not compile: {error.msg}")
        return findings.found
    except (ValueError, RecursionError, MemoryError) as error:
        findings.add("syntax", None, f"does not compile: {error}")
        return findings.found
    script = Script(source, tree, api or kamailio(), wanted, around)
    for look in CHECKS:
        try:
            look(script)
        except RecursionError:
            script.add("syntax", None, "nested too deeply: not all of it is checked", "warning")
    return script.findings.result(source)


class _At(ast.AST):
    """Where a syntax error is. Its offsets are characters from 1 already; those of the tree are bytes from 0."""

    def __init__(self, error: SyntaxError, lines: list[str]) -> None:
        self.lineno = min(max(error.lineno or 1, 1), len(lines))
        self.end_lineno = self.lineno
        text = lines[self.lineno - 1]
        start = max((error.offset or 1) - 1, 0)
        end = start
        if error.end_lineno == error.lineno and error.end_offset:
            end = max(error.end_offset - 1, start)
        self.col_offset = len(text[:start].encode("utf-8", "replace"))
        self.end_col_offset = len(text[:end].encode("utf-8", "replace"))
