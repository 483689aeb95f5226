"""When a swap on several nodes goes back: ``exceptions > 0 or failed > 1%``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from ..errors import UsageError

#: What a condition may name.
FIGURES = ("exceptions", "failed", "requests")

_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


class Condition:
    """``exceptions > 0 or failed > 1%``: when a canary goes back. Raises :class:`UsageError` for what it is not."""

    def __init__(self, text: str) -> None:
        self.text = text.strip() if isinstance(text, str) else ""
        try:
            tree = ast.parse(re.sub(r"(\d+(?:\.\d+)?)\s*%", r"(\1*0.01)", self.text), mode="eval")
        except (SyntaxError, ValueError):
            raise self._error(text) from None
        self._test = self._bool(tree.body, text)

    def __call__(self, figures: dict[str, float]) -> bool:
        return self._test(figures)

    @staticmethod
    def _error(text: object) -> UsageError:
        return UsageError(
            f"abort_if compares {', '.join(FIGURES)} with numbers, such as 'exceptions > 0 or failed > 1%'; "
            f"got {text!r}"
        )

    def _bool(self, node: ast.expr, text: str) -> Callable[[dict[str, float]], bool]:
        if isinstance(node, ast.BoolOp):
            parts = [self._bool(each, text) for each in node.values]
            every = isinstance(node.op, ast.And)
            return lambda figures: (all if every else any)(part(figures) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._bool(node.operand, text)
            return lambda figures: not inner(figures)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            compare = _COMPARE[type(node.ops[0])]
            left, right = self._number(node.left, text), self._number(node.comparators[0], text)
            return lambda figures: compare(left(figures), right(figures))
        raise self._error(text)

    def _number(self, node: ast.expr, text: str) -> Callable[[dict[str, float]], float]:
        if isinstance(node, ast.Name) and node.id in FIGURES:
            name = node.id
            return lambda figures: figures[name]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and ast.unparse(node.right) == "0.01":
            number = self._number(node.left, text)  # what % was made
            return lambda figures: number(figures) * 0.01
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            value = float(node.value)
            return lambda figures: value
        raise self._error(text)
