"""Kamailio's dialplan: texts matched and rewritten by rules in a table, a number of rules for each ``dpid``.

Of a dpid's rules those for the length of the text come first, then those for any length; within each the priority
decides. Expressions are PCRE's (see :mod:`ksrcore.pcre`).
"""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from ..pcre import PcreError, compile_pcre
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Dialplan"]

log = logging.getLogger("ksrcore.dialplan")

EQUAL, REGEX, FNMATCH = 0, 1, 2

_REFERENCE = re.compile(r"\\(\d)")


class Rule:
    """A row. Raises PcreError for expressions that cannot be understood."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.dpid, self.priority, self.op = int(row[0]), int(row[1]), int(row[2])
        self.length = int(row[4])
        self.match, self.subst, self.replacement, self.attrs = (str(row[at] or "") for at in (3, 5, 6, 7))
        if self.op not in (EQUAL, REGEX, FNMATCH):
            raise PcreError(f"match_op {self.op} is none of 0, 1, 2")
        self.expression = compile_pcre(self.match) if self.op == REGEX else None
        self.subst_expression = compile_pcre(self.subst) if self.subst else None
        groups = self.subst_expression.groups if self.subst_expression is not None else 0
        if self.subst and any(int(number) > groups for number in _REFERENCE.findall(self.replacement)):
            raise PcreError(f"repl_exp {self.replacement!r} names more groups than subst_exp has")

    def matches(self, text: str) -> bool:
        if self.expression is not None:
            return self.expression.search(text) is not None
        if self.op == FNMATCH:
            return fnmatchcase(text, self.match)
        return text == self.match

    def translate(self, text: str) -> str | None:
        """The text rewritten, '' for a rule that rewrites nothing; None when ``subst_exp`` does not match."""
        if self.subst_expression is None:
            return self.replacement
        found = self.subst_expression.search(text)
        if found is None:
            return None
        return _REFERENCE.sub(lambda number: found[int(number[1])] or "", self.replacement)

    def dumped(self) -> dict[str, Any]:
        return {
            "PRIO": self.priority,
            "MATCHOP": self.op,
            "MATCHEXP": self.match,
            "MATCHLEN": self.length,
            "SUBSTEXP": self.subst or None,
            "REPLEXP": self.replacement or None,
            "ATTRS": self.attrs,
        }


class Dialplan(DbModule):
    """``rules``: of each dpid, in the order they are tried in."""

    name = "dialplan"

    table_name = Param("dialplan", "the table: str")
    dpid_col = Param("dpid", "column with the number of the rules a rule belongs to: str")
    pr_col = Param("pr", "column with the priority, the smallest first: str")
    match_op_col = Param("match_op", "column with 0 equal, 1 expression, 2 shell pattern: str")
    match_exp_col = Param("match_exp", "column with what is matched: str")
    match_len_col = Param("match_len", "column with the length a text must have, 0 any: str")
    subst_exp_col = Param("subst_exp", "column with the expression whose groups the result uses: str")
    repl_exp_col = Param("repl_exp", "column with the result, with \\1: str")
    attrs_col = Param("attrs", "column with the attributes: str")
    attrs_pvar = Param("", "variable that gets the attributes of the rule that matched: str")
    fetch_rows = Param(1000, "no effect: int")
    match_dynamic = Param(0, "only its default: int")
    append_branch = Param(1, "no effect: int")
    reload_delta = Param(5, "no effect: int")
    named = (
        "table_name",
        "dpid_col",
        "pr_col",
        "match_op_col",
        "match_exp_col",
        "match_len_col",
        "subst_exp_col",
        "repl_exp_col",
        "attrs_col",
    )

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.rules: dict[int, list[Rule]] = {}
        self._attrs: Accessor | None = None

    def start(self) -> None:
        super().start()
        if self.match_dynamic:
            raise ParamError("modparam dialplan:match_dynamic can only be 0 here; leave it out")
        if self.attrs_pvar:
            try:
                self._attrs = compile_spec(self.attrs_pvar)
            except PvError as error:
                raise ParamError(f"modparam dialplan:attrs_pvar: {error}") from None
        if self.db is not None and self.table_name in self.db.tables():
            try:
                self._load()
            except StoreError as error:
                raise ParamError(f"modparam dialplan: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.rules = dict(self.rules)
        return new

    def _load(self) -> None:
        """Read the table; a rule that cannot be understood is an error. Raises StoreError."""
        columns = ", ".join(f'"{getattr(self, name)}"' for name in self.named[1:])
        rules: dict[int, list[Rule]] = {}
        for row in self.rows(f'SELECT {columns} FROM "{self.table_name}" ORDER BY "{self.pr_col}"'):
            try:
                rule = Rule(row)
            except (PcreError, ValueError) as error:
                raise StoreError(f"the rule of dpid {row[0]} with match_exp {row[3]!r}: {error}") from None
            rules.setdefault(rule.dpid, []).append(rule)
        self.rules = rules

    def _apply(self, dpid: int, text: str) -> tuple[int, Rule | None, str]:
        """(1, rule, result), or (-1 no rule matches, -2 no such dpid)."""
        rules = self.rules.get(dpid)
        if rules is None:
            log.error("dialplan: there are no rules with dpid %d", dpid)
            return -2, None, ""
        size = len(text)
        for length in (size, 0) if size else (0,):
            for rule in rules:
                if rule.length == length and rule.matches(text):
                    result = rule.translate(text)
                    if result is None:
                        log.error("dialplan: dpid %d: subst_exp %r does not match %r", dpid, rule.subst, text)
                        return -1, None, ""
                    return 1, rule, result
        return -1, None, ""

    def _put(self, run: Run, dpid: int, text: str, target: Accessor | None) -> int:
        if not text:
            return -1
        code, rule, result = self._apply(dpid, text)
        if rule is None:
            return code
        try:
            if target is not None and result:
                if target.writable:
                    target.set(run, result)
                else:
                    log.error("dialplan: %s is read-only and stays as it is", target.spec)
            if self._attrs is not None:
                self._attrs.set(run, rule.attrs)
        except PvError as error:
            log.error("dialplan: %s", error)
            return -1
        return 1

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def dp_match(self, run: Run, dpid: int, s: str) -> int:
        """1 when a rule matches (its attributes go into attrs_pvar), -1 when none does, -2 without such rules."""
        return self._put(run, dpid, s, None)

    @export
    def dp_replace(self, run: Run, dpid: int, src: str, dst: str) -> int:
        """Put ``src`` rewritten by the first rule that matches into the variable ``dst``; results as of dp_match."""
        try:
            target = compile_spec(dst)
        except PvError as error:
            log.error("dp_replace: %s", error)
            return -1
        return self._put(run, dpid, src, target)

    @export
    def dp_translate(self, run: Run, dpid: int) -> int:
        """Rewrite the user of the Request-URI; results as of dp_match."""
        try:
            user = parse_uri(run.msg.new_uri or run.msg.ruri).user
        except SipError:
            return -1
        return self._put(run, dpid, user, compile_spec("$rU"))

    @export
    def dp_translate_vars(self, run: Run, dpid: int, input: str, output: str) -> int:
        """``dp_replace`` from the variable ``input`` to the variable ``output``."""
        try:
            source, target = compile_spec(input), compile_spec(output)
            value = source.get(run)
        except PvError as error:
            log.error("dp_translate_vars: %s", error)
            return -1
        return -1 if value is None else self._put(run, dpid, str(value), target)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("dialplan.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the table again."""
        try:
            self._load()
        except StoreError as error:
            log.error("dialplan.reload: %s", error)
            raise RpcError(500, "Dialplan Reload Failed") from None
        return {}

    @rpc("dialplan.translate")
    def rpc_translate(self, params: list[Any]) -> Any:
        """What a text becomes: a dpid and the text."""
        if len(params) < 2 or not isinstance(params[0], int):
            raise RpcError(500, "Invalid parameters")
        code, rule, result = self._apply(params[0], str(params[1]))
        if code == -2:
            raise RpcError(500, "Dialplan ID not matched")
        if rule is None:
            raise RpcError(500, "No translation")
        return {"Output": result, "Attributes": rule.attrs}

    @rpc("dialplan.dump")
    def rpc_dump(self, params: list[Any]) -> Any:
        """The rules of a dpid."""
        if not params or not isinstance(params[0], int):
            raise RpcError(500, "Missing parameter")
        rules = self.rules.get(params[0])
        if rules is None:
            raise RpcError(500, "Dialplan ID not matched")
        ordered = sorted(rules, key=lambda rule: rule.length == 0)
        return {"DPID": params[0], "ENTRIES": [{"ENTRY": rule.dumped()} for rule in ordered]}
