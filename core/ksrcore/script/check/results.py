"""Results that Kamailio or Python would read differently than they were meant."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ...kemi.catalog import Function
from .names import Def, own_nodes

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["check_results"]

_NONE = "Kamailio's app_python3 wants an int and raises in the worker's next KSR call without one: return 1"
_LOGS = frozenset({"info", "dbg", "err", "warn", "notice", "crit", "log"})


def check_results(script: Script) -> None:
    for function in script.callbacks():
        _returned(script, function)
    for body in script.blocks:
        for n, statement in enumerate(body):
            if isinstance(statement, ast.Expr):
                _dropped(script, statement, body, n)
    for node in script.nodes:
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            _condition(script, node.test)
        elif isinstance(node, ast.Compare):
            _comparison(script, node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            _condition(script, node.operand)


# -- callbacks --------------------------------------------------------------------------------------------------------


def _returned(script: Script, function: Def) -> None:
    flow = script.flow
    for place in flow.nothing(function):
        if place.node is function:
            script.add("callback-return", function, f"{function.name} can end without a return: {_NONE}")
        else:
            script.add("callback-return", place.node, f"{function.name} returns None: {_NONE}")
    for node in own_nodes(function):
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        kinds = script.types.of(node.value)
        if kinds == {"None"}:
            if not (isinstance(node.value, ast.Constant)):
                script.add("callback-return", node, f"{function.name} returns None: {_NONE}")
        elif kinds and not kinds & {"int", "bool", "None"}:
            script.add("callback-return", node, f"{function.name} returns a {' or '.join(sorted(kinds))}: {_NONE}")
        elif isinstance(node.value, ast.Call) and (target := script.target(node.value)) is not None:
            places = flow.nothing(target)
            if places and target is not function:
                script.add(
                    "callback-return",
                    node,
                    f"{function.name} returns what {target.name} returns, which can be None "
                    f"(line {places[0].line}): {_NONE}",
                )


# -- exit by -255 -----------------------------------------------------------------------------------------------------


def _dropped(script: Script, statement: ast.Expr, body: list[ast.stmt], n: int) -> None:
    call = statement.value
    if not isinstance(call, ast.Call) or (target := script.target(call)) is None:
        return
    if not script.flow.gives_exit(target):
        return
    following = script.follows(statement)
    while following is not None and _only_logs(script, following):
        following = script.follows(following)
    if following is None or script.flow.leaves(following) and not isinstance(following, ast.If | ast.Try | ast.With):
        return
    script.add(
        "dropped-exit",
        statement,
        f"{target.name} can return -255 to stop, which is ignored here: line {following.lineno} runs all the same",
    )


def _only_logs(script: Script, node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass):
        return True
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    path = script.names.path(node.value.func)
    return path is not None and (path in _LOGS or path.startswith("xlog."))


# -- truth and comparison ---------------------------------------------------------------------------------------------


def _function(script: Script, node: ast.expr) -> Function | None:
    """The KSR function whose result ``node`` is."""
    if isinstance(node, ast.Name):
        value = script.value_of(node)
        node = value if value is not None else node
    if not isinstance(node, ast.Call):
        return None
    path = script.names.path(node.func)
    return script.api.find(path) if path else None


def _condition(script: Script, node: ast.expr) -> None:
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            _condition(script, value)
        return
    if isinstance(node, ast.Attribute | ast.Name):
        path = script.names.path(node)
        if path and script.api.find(path) is not None:
            script.add("not-called", node, f"KSR.{path} is the function itself, always true: call it, KSR.{path}()")
            return
    function = _function(script, node)
    if function is not None and is_status(function):
        script.add(
            "truth-value",
            node,
            f"{function.decl.path} gives a negative number for no, which is true in Python: "
            f"compare, {function.decl.path}(...) {_yes(function)}",
        )


#: Functions that give a number, not a status, or never a negative one.
_NUMBERS = frozenset({"cfgutils", "kx", "counters", "statistics", "math", "ipops", "x"})


#: Functions that give 0 for yes.
_ZERO = frozenset({"textopsx.fnmatch", "textopsx.fnmatch_ex", "xhttp.xhttp_reply"})


def _yes(function: Function) -> str:
    return "== 0" if function.decl.path.removeprefix("KSR.") in _ZERO else "> 0"


def is_status(function: Function) -> bool:
    """Whether the function gives a positive number for yes and a negative one for no."""
    decl = function.decl
    if decl.ret != "int" or decl.module in _NUMBERS:
        return False
    return not decl.name.startswith(("get", "geti", "count")) and not decl.name.endswith(("_count", "_size", "_get"))


def _comparison(script: Script, node: ast.Compare) -> None:
    if len(node.ops) != 1:
        return
    left, op, right = node.left, node.ops[0], node.comparators[0]
    for one, other, flipped in ((left, right, False), (right, left, True)):
        path = script.names.path(one) if isinstance(one, ast.Attribute) else None
        if path and script.api.find(path) is not None and not isinstance(op, ast.Is | ast.IsNot):
            script.add("not-called", one, f"KSR.{path} is the function itself: call it, KSR.{path}()")
            return
        function = _function(script, one)
        if function is None:
            continue
        if function.decl.ret == "bool":
            _bool_compared(script, node, function, op, other, flipped)
        elif function.decl.ret == "int" and _is_bool(other) and is_status(function):
            _status_compared(script, node, function, op, other)
    _types_compared(script, node, left, op, right)


def _is_bool(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _bool_compared(
    script: Script, node: ast.Compare, function: Function, op: ast.cmpop, other: ast.expr, flipped: bool
) -> None:
    number = _number(other)
    if number is None:
        return
    results = {_compare(op, number, v) if flipped else _compare(op, v, number) for v in (1, 0)}
    no = isinstance(op, ast.Gt | ast.GtE if flipped else ast.Lt | ast.LtE) or number < 0 and isinstance(op, ast.Eq)
    if len(results) == 1 and (answer := results.pop()) is not None:
        script.add(
            "comparison",
            node,
            f"{function.decl.path} gives True or False: this is always {answer}; "
            f"write {'not ' if no else ''}{function.decl.path}(...)",
        )


def _status_compared(script: Script, node: ast.Compare, function: Function, op: ast.cmpop, other: ast.expr) -> None:
    assert isinstance(other, ast.Constant)
    if isinstance(op, ast.Is | ast.IsNot) or other.value is False and isinstance(op, ast.Eq | ast.NotEq):
        always = isinstance(op, ast.IsNot | ast.NotEq)
        sign = "> 0" if bool(other.value) is not always else "< 0"
        script.add(
            "comparison",
            node,
            f"{function.decl.path} gives numbers, negative ones for no: this is always {always}; compare {sign}",
        )


def _number(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return -inner if inner is not None else None
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def _compare(op: ast.cmpop, left: int, right: int) -> bool | None:
    match op:
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
    return None


def _types_compared(script: Script, node: ast.Compare, left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
    """A number compared with text: never equal, and an exception when it is asked which is greater."""
    one, other = script.types.of(left), script.types.of(right)
    if not one or not other:
        return
    numbers, text = frozenset({"int", "bool", "float"}), frozenset({"str"})
    if not (one - {"None"} <= numbers and one & numbers and other == text) and not (
        other - {"None"} <= numbers and other & numbers and one == text
    ):
        return
    what = ast.unparse(left if one != text else right)
    what = what if len(what) <= 60 else what[:57] + "..."
    if isinstance(op, ast.Eq | ast.NotEq):
        script.add(
            "comparison", node, f"{what} is an int, never equal to a str: this is always {isinstance(op, ast.NotEq)}"
        )
    elif isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        script.add("operand-type", node, f"{what} is an int: comparing it with a str raises TypeError")
