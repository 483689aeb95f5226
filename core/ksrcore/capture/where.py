"""The filter language over captured messages: ``method == "INVITE" and fU == "alice"``.

A Python expression without attributes, calls of its own or assignments. Names:

- fields of the record: ``id time out proto src src_ip src_port dst dst_ip dst_port size error cause origin``, and of
  the message ``is_request method status reason ruri callid cseq body``, and of its routing ``callbacks exception``;
- any other name is a pseudo-variable without its ``$``: ``fU``, ``rU``, ``ua``, ``si`` (evaluated on the message as
  it came);
- ``hdr("User-Agent")``, ``pv("$(ru{uri.host})")``, ``called("KSR.sl.send_reply")`` (also ``called("sl_send_reply")``),
  ``re("^sip:1", ruri)`` (a search, true or false, in bounded time: see linear.py), ``len(...)``, ``lower(...)``.

Comparisons with a null pseudo-variable are false, except ``== None``.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..pv.errors import PvError
from ..run import Run, route_for
from ..sip.errors import SipError
from . import linear

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..sip.message import SipMessage
    from .recorder import Record


class WhereError(ValueError):
    """A filter expression that cannot be used: one line that says where and why."""


_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Is,
    ast.IsNot,
    ast.Constant,
    ast.Name,
    ast.Load,
    ast.Tuple,
    ast.List,
    ast.Call,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mod,
)

_FUNCTIONS = ("hdr", "pv", "called", "re", "len", "lower")


def _cseq(msg: SipMessage) -> str:
    cseq = msg.cseq
    return f"{cseq.number} {cseq.method}" if cseq is not None else ""


def _exception(record: Record) -> str:
    return next((f"{type(e).__name__}: {e}" for ran in record.runs if (e := ran.exception) is not None), "")


RECORD_FIELDS: dict[str, Callable[[Record], Any]] = {
    "id": lambda r: r.id,
    "time": lambda r: r.time,
    "out": lambda r: r.out,
    "proto": lambda r: r.proto,
    "src": lambda r: "{}:{}".format(*r.src),
    "src_ip": lambda r: r.src[0],
    "src_port": lambda r: r.src[1],
    "dst": lambda r: "{}:{}".format(*r.dst),
    "dst_ip": lambda r: r.dst[0],
    "dst_port": lambda r: r.dst[1],
    "size": lambda r: len(r.data),
    "error": lambda r: r.error,
    "cause": lambda r: r.cause,
    "origin": lambda r: r.origin,
    "callbacks": lambda r: [ran.callback for ran in r.runs],
    "exception": _exception,
}

MESSAGE_FIELDS: dict[str, Callable[[SipMessage], Any]] = {
    "is_request": lambda m: m.is_request,
    "method": lambda m: m.method,
    "status": lambda m: m.status,
    "reason": lambda m: m.reason,
    "ruri": lambda m: m.ruri,
    "callid": lambda m: m.callid,
    "cseq": _cseq,
    "body": lambda m: m.body,
}

FIELDS = (*RECORD_FIELDS, *MESSAGE_FIELDS)


class Names:
    """The names of one record, looked up as the expression asks for them."""

    __slots__ = ("record", "proxy", "_run")

    def __init__(self, record: Record, proxy: Proxy) -> None:
        self.record = record
        self.proxy = proxy
        self._run: Run | None = None

    def run(self) -> Run:
        if self._run is None:
            msg = self.record.fresh(self.proxy.listens)
            self._run = Run(self.proxy, msg, route_for(msg), self.record)
        return self._run

    def __getitem__(self, name: str) -> Any:
        field = MESSAGE_FIELDS.get(name)
        if field is not None:
            return field(self.run().msg)
        record_field = RECORD_FIELDS.get(name)
        if record_field is not None:
            return record_field(self.record)
        if name in _FUNCTIONS:
            return getattr(self, f"fn_{name}")
        if name == _MOD:
            return _mod
        return self.fn_pv("$" + name)

    def fn_pv(self, spec: str) -> Any:
        from ..pv.accessor import compile_spec

        return compile_spec(_text("pv", spec)).get(self.run())

    def fn_hdr(self, name: str) -> str | None:
        name = _text("hdr", name)
        lower = name.lower()
        return next((h.body for h in self.run().msg.headers if h.key == lower or h.name.lower() == lower), None)

    def fn_called(self, name: str) -> bool:
        name = _text("called", name)
        full = name if name.startswith("KSR.") else f"KSR.{name}"
        for run in self.record.runs:
            for decl, _, _ in run.iter_calls():
                if decl.path == full or decl.name == name:
                    return True
        return False

    @staticmethod
    def fn_re(pattern: str, text: Any) -> bool:
        return text is not None and linear.occurs(_text("re", pattern), str(text))

    @staticmethod
    def fn_len(value: Any) -> int:
        return len(value) if value is not None else 0

    @staticmethod
    def fn_lower(value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


def _text(function: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{function}({value!r}): expected a text")
    return value


#: ``a % b`` becomes a call of this name, which no filter can spell: a text on its left is no format, whoever sent it.
_MOD = "%"


def _mod(left: Any, right: Any) -> Any:
    if not isinstance(left, int | float) or right == 0:
        raise TypeError("% is the remainder of numbers")
    return left % right


class _Remainders(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mod):
            return node
        call = ast.Call(ast.Name(_MOD, ast.Load()), [node.left, node.right], [])
        return ast.fix_missing_locations(ast.copy_location(call, node))


def compile_where(text: str) -> Callable[[Record, Proxy], bool]:
    """The filter as a function of a record, which raises WhereError for a search that takes too long. Raises
    :class:`WhereError`."""
    code = compile_tree(parse_where(text))

    def matches(record: Record, proxy: Proxy) -> bool:
        try:
            return bool(_value(code, Names(record, proxy)))
        except linear.TooCostly as error:
            raise WhereError(str(error)) from None

    return matches


def parse_where(text: str) -> ast.Expression:
    """The checked tree of a filter. Raises :class:`WhereError`."""
    if len(text) > 4096:
        raise WhereError(f"the filter has {len(text)} characters, at most 4096 are read")
    try:
        with warnings.catch_warnings():
            # Python warns of "\d" and of ``status is 200``: nobody would see it here.
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), "<where>", "eval")
            _check(tree)
            compile_tree(ast.parse(text.strip(), "<where>", "eval"))
            return tree
    except WhereError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise WhereError(
            f'cannot read the filter {text!r}: {reason}; example: method == "INVITE" and fU == "alice"'
        ) from None


#: No names but those of the record; an expression cannot put any there.
_GLOBALS: dict[str, Any] = {"__builtins__": {}}


def compile_tree(tree: ast.Expression) -> CodeType:
    """What :func:`value` and :func:`holds` evaluate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(_Remainders().visit(tree), "<where>", "eval")


def value(code: CodeType, names: Names) -> Any:
    """The value of a compiled expression; None where it is about what the message has not, or takes too long."""
    try:
        return _value(code, names)
    except linear.TooCostly:
        return None  # the log has it, once for each pattern


def _value(code: CodeType, names: Names) -> Any:
    try:
        return eval(code, _GLOBALS, names)  # type: ignore[arg-type]
    except linear.TooCostly:
        raise
    except (TypeError, ArithmeticError, SipError, PvError, linear.PatternError):
        return None  # a null, a message that cannot be read, a pattern made of one, a number without end


def holds(code: CodeType, names: Names) -> bool:
    """Whether a compiled filter matches."""
    return bool(value(code, names))


def _check(tree: ast.Expression) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise WhereError(f"{type(node).__name__} is not allowed in a filter: {ast.unparse(node)}")
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords:
                raise WhereError(f"a filter can call {', '.join(_FUNCTIONS)} only, not {ast.unparse(node.func)}")
            _check_call(node.func.id, node.args)
        elif isinstance(node, ast.Name) and node.id not in FIELDS and node.id not in _FUNCTIONS:
            _check_pv(node.id)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            if not isinstance(node.left.value, int):
                raise WhereError("formatting with % is not allowed in a filter")


def _check_call(name: str, args: list[ast.expr]) -> None:
    """What a written-out first argument can be told about at once."""
    value = args[0].value if args and isinstance(args[0], ast.Constant) else None
    if value is None:
        return
    if name == "re":
        try:
            linear.check(str(value))
        except linear.PatternError as error:
            raise WhereError(f"re({value!r}): {error}") from None
    elif name == "pv":
        from ..pv.accessor import compile_spec

        try:
            compile_spec(str(value))
        except PvError as error:
            raise WhereError(f"pv({value!r}): {error}") from None


def _check_pv(name: str) -> None:
    from ..pv.accessor import compile_spec

    try:
        compile_spec("$" + name)
    except ValueError:
        near = difflib.get_close_matches(name, FIELDS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise WhereError(
            f"{name!r} is neither a field ({', '.join(sorted(FIELDS))}) nor, as ${name}, a pseudo-variable{hint}"
        ) from None
