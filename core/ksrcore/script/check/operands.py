"""Text joined with what is no text."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .names import Def
from .variables import NULLABLE

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["check_operands"]

#: Functions that tell whether a variable is there.
_TESTS = {"corex.has_user_agent": "$ua", "corex.has_ruri_user": "$rU", "isdsturiset": "$du"}


def check_operands(script: Script) -> None:
    for node in script.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        left, right = script.types.of(node.left), script.types.of(node.right)
        for one, other, operand in ((left, right, node.right), (right, left, node.left)):
            if one != {"str"} or not other or other == {"str"}:
                continue
            what = ast.unparse(operand)
            what = what if len(what) <= 60 else what[:57] + "..."
            if "str" in other:
                _maybe_none(script, node, operand, what)
                break
            kinds = " or ".join(
                "None" if k == "None" else f"an {k}" if k[0] in "aeiou" else f"a {k}" for k in sorted(other)
            )
            fix = f"str({what})" if "int" in other else "KSR.pv.gete()" if other == {"None"} else "str()"
            script.add("operand-type", operand, f"{what} is {kinds}: joining it with a str raises TypeError; use {fix}")
            break


def _maybe_none(script: Script, node: ast.BinOp, operand: ast.expr, what: str) -> None:
    name = read_variable(script, operand)
    if name is None:
        return
    function = script.scopes.function_of(node)
    if isinstance(function, Def) and _tested(script, function, name):
        return
    script.add(
        "maybe-none",
        operand,
        f"{what} is None for a message without it, and joining None with a str raises TypeError: use KSR.pv.gete()",
    )


def read_variable(script: Script, node: ast.expr) -> str | None:
    """The text of the variable that ``KSR.pv.get("...")`` reads."""
    if not isinstance(node, ast.Call) or script.names.path(node.func) != "pv.get" or len(node.args) != 1:
        return None
    return script.text_of(node.args[0])


def is_nullable(text: str) -> bool:
    """Whether a valid message can leave the variable null, transformations aside."""
    bare = text.lstrip("$").lstrip("(")
    name = ""
    for char in bare:
        if not (char.isalnum() or char == "_"):
            break
        name += char
    return name in NULLABLE and "{" not in text


def _tested(script: Script, function: Def, text: str) -> bool:
    """Whether the function looks at the variable before: is it null, is it equal to something?"""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            path = script.names.path(node.func)
            if path == "pv.is_null" and node.args and script.text_of(node.args[0]) == text:
                return True
            if path in _TESTS and _TESTS[path] == text:
                return True
        tests: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            tests = [node.left, *node.comparators]
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            tests = [node.test]
        elif isinstance(node, ast.BoolOp):
            tests = node.values
        elif isinstance(node, ast.UnaryOp):
            tests = [node.operand]
        if any(read_variable(script, test) == text for test in tests):
            return True
    return False
