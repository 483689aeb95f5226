"""What types an expression can have, as far as it can be seen without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from .operands import is_nullable
from .variables import INTEGERS

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["Types"]

#: Numbers that every message has.
_ALWAYS = INTEGERS - {"rs", "T_reply_code"}

#: Names of types; the empty set means that nothing is known.
Set = frozenset[str]

UNKNOWN: Set = frozenset()
INT, STR, BOOL, FLOAT, BYTES = (frozenset({t}) for t in ("int", "str", "bool", "float", "bytes"))
_NUMBERS = INT | BOOL

_CALLS: dict[str, Set] = {
    "str": STR, "repr": STR, "chr": STR, "hex": STR, "format": STR, "ascii": STR,
    "int": INT, "len": INT, "ord": INT, "hash": INT, "id": INT,
    "bool": BOOL, "isinstance": BOOL, "hasattr": BOOL, "callable": BOOL,
    "float": FLOAT, "bytes": BYTES,
    "list": frozenset({"list"}), "dict": frozenset({"dict"}), "tuple": frozenset({"tuple"}), "set": frozenset({"set"}),
}  # fmt: skip
_STR_METHODS: dict[str, Set] = {
    **dict.fromkeys(
        "capitalize casefold center expandtabs format format_map join ljust lower lstrip removeprefix removesuffix "
        "replace rjust rstrip strip swapcase title translate upper zfill".split(),
        STR,
    ),
    **dict.fromkeys("count find index rfind rindex".split(), INT),
    **dict.fromkeys("endswith isalnum isalpha isascii isdecimal isdigit isnumeric isspace startswith".split(), BOOL),
    "encode": BYTES,
    **dict.fromkeys(("split", "rsplit", "splitlines"), frozenset({"list"})),
    **dict.fromkeys(("partition", "rpartition"), frozenset({"tuple"})),
}
_RETURNS: dict[str, Set] = {"int": INT, "bool": BOOL, "none": frozenset({"None"}), "str": STR}


class Types:
    """Types of expressions of one script: literals, what is computed from them, results of KSR functions, constants."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._busy: set[int] = set()

    def of(self, node: ast.expr) -> Set:
        """The types ``node`` can have; empty when that is not known."""
        if id(node) in self._busy:
            return UNKNOWN
        find: Callable[..., Set] | None = getattr(self, "_" + type(node).__name__, None)
        if find is None:
            return UNKNOWN
        self._busy.add(id(node))
        try:
            return find(node)
        finally:
            self._busy.discard(id(node))

    def _Constant(self, node: ast.Constant) -> Set:
        value = node.value
        return frozenset({"None" if value is None else type(value).__name__}) if value is not ... else UNKNOWN

    def _JoinedStr(self, node: ast.JoinedStr) -> Set:
        return STR

    def _Compare(self, node: ast.Compare) -> Set:
        return BOOL

    def _List(self, node: ast.List | ast.ListComp) -> Set:
        return frozenset({"list"})

    _ListComp = _List

    def _Dict(self, node: ast.Dict | ast.DictComp) -> Set:
        return frozenset({"dict"})

    _DictComp = _Dict

    def _Tuple(self, node: ast.Tuple) -> Set:
        return frozenset({"tuple"})

    def _UnaryOp(self, node: ast.UnaryOp) -> Set:
        if isinstance(node.op, ast.Not):
            return BOOL
        inner = self.of(node.operand)
        return INT if inner and inner <= _NUMBERS else inner if inner == FLOAT else UNKNOWN

    def _BinOp(self, node: ast.BinOp) -> Set:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.op, ast.Mod) and left == STR:
            return STR
        if isinstance(node.op, ast.Add) and STR in (left, right):
            # What is added to a str is one, or there is an exception before the call.
            return STR
        if isinstance(node.op, ast.Mult) and (left == STR and right <= _NUMBERS or right == STR and left <= _NUMBERS):
            return STR
        if not left or not right or not left <= _NUMBERS | FLOAT or not right <= _NUMBERS | FLOAT:
            return UNKNOWN
        if isinstance(node.op, ast.Div):
            return FLOAT
        if isinstance(node.op, ast.Pow | ast.MatMult):
            return UNKNOWN
        return INT if left | right <= _NUMBERS else FLOAT

    def _BoolOp(self, node: ast.BoolOp) -> Set:
        return self._either([self.of(value) for value in node.values])

    def _IfExp(self, node: ast.IfExp) -> Set:
        return self._either([self.of(node.body), self.of(node.orelse)])

    @staticmethod
    def _either(kinds: list[Set]) -> Set:
        return frozenset().union(*kinds) if all(kinds) else UNKNOWN

    def _NamedExpr(self, node: ast.NamedExpr) -> Set:
        return self.of(node.value)

    def _Name(self, node: ast.Name) -> Set:
        value = self.script.value_of(node)
        found = self.of(value) if value is not None else UNKNOWN
        # What may be null is mostly tested between the assignment and here.
        return UNKNOWN if "None" in found and len(found) > 1 else found

    def _Call(self, node: ast.Call) -> Set:
        path = self.script.names.path(node.func)
        if path:
            if path in ("pv.get", "pv.gete", "pv.getw") and len(node.args) == 1:
                return self._variable(path, node.args[0])
            function = self.script.api.find(path)
            return _RETURNS.get(function.decl.ret, UNKNOWN) if function is not None else UNKNOWN
        if isinstance(node.func, ast.Name):
            return UNKNOWN if node.func.id in self.script.names.bound else _CALLS.get(node.func.id, UNKNOWN)
        if isinstance(node.func, ast.Attribute) and self.of(node.func.value) == STR:
            return _STR_METHODS.get(node.func.attr, UNKNOWN)
        return UNKNOWN

    def _variable(self, path: str, node: ast.expr) -> Set:
        text = self.script.text_of(node)
        if text is None:
            return UNKNOWN
        name = text[1:] if text[:1] == "$" else ""
        if name in INTEGERS:
            return frozenset({"int"}) if name in _ALWAYS or path != "pv.get" else frozenset({"int", "None"})
        if path == "pv.get" and is_nullable(text):
            return frozenset({"str", "None"})
        return UNKNOWN
