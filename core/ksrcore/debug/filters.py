"""The condition of a hold, and the text of a logpoint: the filter language of ``capture/where.py`` on live messages.

A condition has two parts. What a message brings along (``method``, ``fU``, ``hdr("X")``, ``ruri``) is looked at when
it comes in, so that a message which does not match costs one evaluation and nothing else. What only the script makes
(``$var``, ``$avp``, ``$du``, branches, the transaction, calls made) is looked at where the hold is. The condition is
split at its outermost ``and``; a term that has both kinds of names is looked at where the hold is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..capture.where import FIELDS, MESSAGE_FIELDS, Names, WhereError, compile_tree, holds, parse_where, value
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..run import Run, route_for
from .errors import DebugError
from .states import short_repr

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..proxy import Proxy
    from ..sip.message import SipMessage

#: Pseudo-variables that a script sets or that come to be while a message is routed, without their ``$``.
_MADE = frozenset(
    "var avp xavp xavu xavi du duri ds dd dp dP nh br branch sbranch bf bF bs mf mF sf sF fs fsn fsp snd sndto sndfrom "
    "T T_branch T_branch_idx T_inv T_reply_code T_reply_last T_reply_reason T_reply_ruid T_req T_rpl rc retcode ? rdir "
    "rr route_uri ulc ruid location_ua aa expires cnt".split()
)
#: Fields of a record that are not there before the script has run.
_MADE_FIELDS = frozenset(("callbacks", "exception"))


class LiveNames(Names):
    """The names of a message that is being routed. ``values`` come first: the local variables of a function."""

    __slots__ = ("msg", "values")

    def __init__(
        self,
        record: Record,
        proxy: Proxy,
        msg: SipMessage | None = None,
        run: Run | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(record, proxy)
        self.msg = msg
        self.values = values
        if run is not None:
            self.msg = run.msg
            # A copy: reading a variable may look up the transaction, and the script's run must not notice.
            self._run = copy(run)

    def run(self) -> Run:
        run = self._run
        if run is None:
            msg = self.msg
            if msg is None:
                return super().run()
            run = self._run = Run(self.proxy, msg, route_for(msg), self.record)
        return run

    def __getitem__(self, name: str) -> Any:
        values = self.values
        if values is not None and name in values:
            return values[name]
        msg = self.msg
        if msg is not None:
            field = MESSAGE_FIELDS.get(name)
            if field is not None:
                return field(msg)  # without a run, which only pseudo-variables need
        return super().__getitem__(name)

    def fn_called(self, name: str) -> bool:
        """Also the calls of the callback that is still running."""
        if super().fn_called(name):
            return True
        full = name if name.startswith("KSR.") else f"KSR.{name}"
        # Calls are kept flat: a declaration is the only thing there that has a path.
        return any(
            getattr(item, "path", None) == full or getattr(item, "name", None) == name for item in self.run().calls
        )


class Condition:
    """``if_`` of a hold: ``early(msg, record)`` as the message comes in, ``late(run)`` where the hold is.

    Raises :class:`WhereError` for a text that is none. An empty text always matches.
    """

    def __init__(self, text: str) -> None:
        self.text = text = text.strip()
        self._early: CodeType | None = None
        self._late: CodeType | None = None
        if not text:
            return
        early, late = split_terms(text)
        self._early = _all(early)
        self._late = _all(late)

    @property
    def decides_early(self) -> bool:
        """Whether some message can be told to be none of its business as it comes in."""
        return self._early is not None

    def early(self, names: Names) -> bool:
        return self._early is None or holds(self._early, names)

    def late(self, run: Run) -> bool:
        return self._late is None or holds(self._late, LiveNames(run.record, run.proxy, run=run))


def split_terms(text: str) -> tuple[list[ast.expr], list[ast.expr]]:
    """The terms of a condition: those about what a message brings along, those about what only the script makes.
    Raises :class:`WhereError`."""
    early: list[ast.expr] = []
    late: list[ast.expr] = []
    for term in _terms(parse_where(text).body):
        (late if _is_made(term) else early).append(term)
    return early, late


def _terms(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for each in tree.values:
            yield from _terms(each)
    else:
        yield tree


def _all(terms: list[ast.expr]) -> CodeType | None:
    if not terms:
        return None
    body = terms[0] if len(terms) == 1 else ast.BoolOp(ast.And(), terms)
    return compile_tree(ast.fix_missing_locations(ast.Expression(body)))


def _is_made(term: ast.expr) -> bool:
    """Whether it has a name that only the script gives a value."""
    for node in ast.walk(term):
        if isinstance(node, ast.Name) and (node.id in _MADE or node.id in _MADE_FIELDS or node.id == "called"):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pv":
            spec = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if not isinstance(spec, str) or _pv_name(spec) in _MADE:
                return True
    return False


def _pv_name(spec: str) -> str:
    """``$(avp(x){s.len})`` -> ``avp``."""
    name = spec.lstrip("$").lstrip("(")
    for end in "({[)":
        name = name.partition(end)[0]
    return name


class LogText:
    """The text of a logpoint: ``{method}``, ``{$ru}``, ``{$(ru{uri.host})}``, ``{user}`` (a local variable),
    ``{hdr("User-Agent")}``; ``{{`` and ``}}`` are braces.

    Raises :class:`DebugError` when it cannot be read.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[str | Callable[[LiveNames], Any]] = [
            _reader(part) if code else part for code, part in split_text(text)
        ]

    def format(self, run: Run, values: Mapping[str, Any]) -> str:
        names = LiveNames(run.record, run.proxy, run=run, values=values)
        return "".join(part if isinstance(part, str) else _shown(part(names)) for part in self._parts)


def split_text(text: str) -> Iterator[tuple[bool, str]]:
    """(whether it is an expression, text) of each part of a logpoint's text. Raises :class:`DebugError`."""
    plain = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char in "{}" and text[at : at + 2] == char * 2:
            plain += char
            at += 2
        elif char == "{":
            depth, end = 1, at + 1
            while end < len(text) and depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            inner = text[at + 1 : end - 1].strip()
            if depth or not inner:
                raise DebugError(
                    f"the log text {text!r} has a '{{' without its end or its name: "
                    "write {method}, {$ru} or {name}, and {{ for a brace"
                )
            if plain:
                yield False, plain
                plain = ""
            yield True, inner
            at = end
        elif char == "}":
            raise DebugError(f"the log text {text!r} has a '}}' without its '{{': write }}}} for a brace")
        else:
            plain += char
            at += 1
    if plain:
        yield False, plain


def _reader(expression: str) -> Callable[[LiveNames], Any]:
    if expression.startswith("$"):
        try:
            spec = compile_spec(expression)
        except PvError as error:
            raise DebugError(f"the log text has {{{expression}}}: {error}") from None
        return lambda names: spec.get(names.run())
    if expression.isidentifier():
        return lambda names: _name(expression, names)
    try:
        code = compile_tree(parse_where(expression))
    except WhereError as error:
        raise DebugError(f"the log text has {{{expression}}}: {error}") from None
    return lambda names: value(code, names)


def _name(name: str, names: LiveNames) -> Any:
    """A local variable, a field, or a pseudo-variable without its ``$``; said so when it is none of them here."""
    if names.values is not None and name in names.values:
        return names.values[name]
    if name in FIELDS:
        return names[name]
    try:
        return names.fn_pv(f"${name}")
    except PvError:
        return f"<no {name}>"


def _shown(found: Any) -> str:
    if isinstance(found, str):
        return found
    return "<null>" if found is None else short_repr(found)


__all__ = ["Condition", "LiveNames", "LogText", "split_terms", "split_text"]
