"""Checking a script without running it: :func:`check`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .api import Api, kamailio, release
from .callbacks import check_callbacks
from .calls import check_calls, ksr_nodes
from .finding import Finding, Findings
from .infer import Types
from .names import Handler, Names

__all__ = ["Around", "Script", "Signature", "check"]


@dataclass(frozen=True, slots=True)
class Signature:
    """The positional parameters of a function, ``self`` among them, and how many of them have no default."""

    names: tuple[str, ...]
    required: int


@dataclass(frozen=True, slots=True)
class Around:
    """What a piece of a script is put into: the names for KSR and its parts there (:func:`ksr_paths`), the callbacks
    there are (``has``), the names of its functions, the signatures of those that the piece replaces."""

    ksr_names: Mapping[str, str] = field(default_factory=lambda: {"KSR": ""})
    has: Callable[[str], bool] = lambda name: False
    functions: frozenset[str] = frozenset()
    replaced: Mapping[str, Signature] = field(default_factory=dict)


class Script:
    """A parsed script with what the checks share."""

    def __init__(self, source: str, tree: ast.Module, api: Api, version: str, around: Around | None) -> None:
        self.tree = tree
        self.api = api
        self.version = version
        self.around = around
        self.findings = Findings(source)
        self.add = self.findings.add
        self.names = Names(tree, around.ksr_names if around is not None else {})
        self.guarded = _guarded(tree)
        self.types = Types(self)
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
        """The expression a name stands for, when it is bound once, at module level."""
        return self.names.constants.get(node.id) if node.id not in self._locals_anywhere else None

    def text_of(self, node: ast.expr) -> str | None:
        """The text of a literal, or of a name that stands for one."""
        if isinstance(node, ast.Name):
            value = self.value_of(node)
            if value is None:
                return None
            node = value
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    @property
    def _locals_anywhere(self) -> set[str]:
        """Names that some function binds: they may hide a constant of the module."""
        found = getattr(self, "_hidden", None)
        if found is None:
            found = set()
            for node in ast.walk(self.tree):
                if isinstance(node, ast.arg):
                    found.add(node.arg)
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found |= {
                        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
                    }
            self._hidden: set[str] = found
        return found


def _guarded(tree: ast.Module) -> set[int]:
    """The nodes in a ``try`` that catches AttributeError: the script asks there whether a name exists."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
            isinstance(name, ast.Name) and name.id == "AttributeError"
            for handler in node.handlers
            if handler.type is not None
            for name in ast.walk(handler.type)
        ):
            found.update(id(sub) for statement in node.body for sub in ast.walk(statement))
    return found


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
        at = _At(error)
        findings.add("syntax", at, f"does not compile: {error.msg}")
        return findings.found
    except (ValueError, RecursionError, MemoryError) as error:
        findings.add("syntax", None, f"does not compile: {error}")
        return findings.found
    script = Script(source, tree, api or kamailio(), wanted, around)
    check_calls(script)
    check_callbacks(script)
    return script.findings.result(source)


class _At(ast.AST):
    """Where a syntax error is. Its offsets are characters from 1 already; those of the tree are bytes from 0."""

    def __init__(self, error: SyntaxError) -> None:
        text = error.text or ""
        self.lineno = max(error.lineno or 1, 1)
        self.end_lineno = error.end_lineno or self.lineno
        self.col_offset = len(text[: max((error.offset or 1) - 1, 0)].encode("utf-8", "replace"))
        end = error.end_offset if error.end_offset and error.end_offset > 0 else (error.offset or 1)
        self.end_col_offset = len(text[: max(end - 1, 0)].encode("utf-8", "replace"))
