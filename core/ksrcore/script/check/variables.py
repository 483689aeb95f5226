"""Pseudo-variables in literal strings: names, transformations, whether they can be written."""

from __future__ import annotations

import ast
import difflib
import re
from typing import TYPE_CHECKING

from ...pv import registry
from ...pv.accessor import compile_spec
from ...pv.errors import PvError
from ...pv.known import module_of
from ...pv.spec import Spec, parse_at, parse_spec
from ...pv.transformations import known as known_transformations

if TYPE_CHECKING:
    from .checker import Script

__all__ = ["INTEGERS", "NULLABLE", "check_variables", "literal_text"]

#: Arguments that name a variable to read, and one to write, by the function's path.
_READ = {
    f"pv.{name}": 0 for name in ("get", "gete", "geti", "getl", "getvn", "getvs", "getw", "is_null")
} | {"textops.subst_v": 1}  # fmt: skip
_WRITTEN = {f"pv.{name}": 0 for name in ("seti", "setl", "sets", "unset")} | {
    "pvx.evalx": 0,
    "pvx.xavp_params_implode": 1,
    "pvx.xavu_params_implode": 1,
}
#: Arguments that are formats: text with variables in it.
_FORMATS = {f"xlog.{n}": 0 for n in ("xdbg", "xinfo", "xnotice", "xwarn", "xerr", "xcrit", "xalert")} | {
    "xlog.xlog": 1,
    "xlog.xlog_facility": 2,
    "pvx.evalx": 1,
}
#: Functions that print their text as it is.
_PLAIN = frozenset({"info", "notice", "dbg", "warn", "err", "crit", "log"})

#: Variables whose value is always a number, or null.
INTEGERS = frozenset(
    ["sp", "Rp", "mf", "bf", "sf", "bs", "ml", "cl", "Ts", "TS", "mi", "pp", "rs", "T_branch_idx", "T_reply_code"]
)
#: Variables with text that a valid message may leave null.
NULLABLE = frozenset(
    "du ua fU rU tU tt fn tn ct hdr au ad aU ar avp xavp xavu xavi sht dlg_var".split()
)  # fmt: skip

#: What is meant by names that tell more than Kamailio's do.
MEANT = {
    "body": "rb",
    "callid": "ci",
    "contact": "ct",
    "cseq": "cs",
    "from": "fu",
    "furi": "fu",
    "method": "rm",
    "reason": "rr",
    "ruri": "ru",
    "status": "rs",
    "turi": "tu",
    "uri": "ru",
    "useragent": "ua",
}

_CONVERSION = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?[sdri]")
_IN_TEXT = re.compile(r"\$\(?([a-zA-Z_]+)")


def literal_text(script: Script, node: ast.expr) -> tuple[str, bool] | None:
    """The text of an expression and whether all of it is known; what is not is written ``1``. None: nothing is."""
    if isinstance(node, ast.Name):
        value = script.value_of(node)
        return literal_text(script, value) if value is not None and not isinstance(value, ast.Name) else None
    if isinstance(node, ast.Constant):
        return (node.value, True) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else None for p in node.values]
        return "".join(p if isinstance(p, str) else "1" for p in parts), None not in parts
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literal_text(script, node.left), literal_text(script, node.right)
        if left is None and right is None:
            return None
        one, other = left or ("1", False), right or ("1", False)
        return one[0] + other[0], one[1] and other[1]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        left = literal_text(script, node.left)
        return (_CONVERSION.sub("1", left[0]), False) if left is not None else None
    return None


def check_variables(script: Script) -> None:
    for path, _, call in script.ksr:
        if call is None or call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
            continue
        for table, use in ((_READ, _name), (_WRITTEN, _written), (_FORMATS, _format)):
            at = table.get(path)
            if at is not None and at < len(call.args):
                found = literal_text(script, call.args[at])
                if found is not None:
                    use(script, path, call.args[at], *found)
        if path in _PLAIN and call.args:
            _plain(script, path, call.args[-1])


def _written(script: Script, path: str, node: ast.expr, text: str, whole: bool) -> None:
    if not _name(script, path, node, text, whole):
        return
    try:
        accessor = compile_spec(text)
    except PvError:
        return
    if accessor.spec.transformations:
        script.add("read-only", node, f"KSR.{path}: {text} has a transformation: it cannot be assigned")
    elif not accessor.writable:
        script.add("read-only", node, f"KSR.{path}: {text} cannot be assigned: Kamailio leaves it as it is")


def _name(script: Script, path: str, node: ast.expr, text: str, whole: bool) -> bool:
    """Whether ``text`` is the name of a variable; what is wrong with it is added."""
    try:
        spec = parse_spec(text)
    except PvError as error:
        if whole:
            hint = f'; did you mean "${text}"?' if registry.builder(text.partition("(")[0]) is not None else ""
            script.add("pseudo-variable", node, f"KSR.{path}: {error}{hint}")
        return False
    if not whole and text.find("1") >= 0 and "1" in spec.name:
        return False
    if not _known(script, f"KSR.{path}", node, spec):
        return False
    if whole:
        try:
            compile_spec(text)
        except PvError as error:
            if "does not implement" in str(error):
                script.add("not-implemented", node, f"KSR.{path}: {error}")
            else:
                script.add("pseudo-variable", node, f"KSR.{path}: {error}")
            return False
    return True


def _known(script: Script, where: str, node: ast.expr, spec: Spec) -> bool:
    if registry.builder(spec.name) is None and spec.name != "$":
        module = module_of(spec.name)
        if module:
            script.add("not-implemented", node, f"{where}: ${spec.name} (module {module}) is not in ksrshell yet")
        else:
            script.add("pseudo-variable", node, f"{where}: no Kamailio has ${spec.name}{_nearest(spec.name, '$')}")
        return False
    for item in spec.transformations:
        if item.name in known_transformations():
            continue
        module = module_of("{" + item.name + "}")
        if module:
            script.add("not-implemented", node, f"{where}: {{{item.name}}} (module {module}) is not in ksrshell yet")
        else:
            script.add("pseudo-variable", node, f"{where}: no Kamailio has {{{item.name}}}{_nearest(item.name, '')}")
        return False
    return True


def _nearest(name: str, mark: str) -> str:
    names = list(registry.known()) if mark else known_transformations()
    near = [MEANT[name.lower()]] if mark and name.lower() in MEANT else []
    near += [n for n in names if n.lower() == name.lower()]
    near += [n for n in difflib.get_close_matches(name, names, 3, 0.67) if n not in near and not near]
    return f"; nearest: {', '.join(mark + n if mark else '{' + n + '}' for n in near)}" if near else ""


def _format(script: Script, path: str, node: ast.expr, text: str, whole: bool) -> None:
    pos = 0
    while (at := text.find("$", pos)) >= 0:
        if text[at : at + 2] == "$$":
            pos = at + 2
            continue
        try:
            spec, pos = parse_at(text, at)
        except PvError as error:
            if whole:
                script.add("pseudo-variable", node, f"KSR.{path}: {error}; a dollar sign is written $$")
            return
        if not whole and "1" in spec.name:
            continue
        if not _known(script, f"KSR.{path}", node, spec) or not whole:
            continue
        try:
            compile_spec(text[at:pos])
        except PvError as error:
            code = "not-implemented" if "does not implement" in str(error) else "pseudo-variable"
            script.add(code, node, f"KSR.{path}: {error}")


def _plain(script: Script, path: str, node: ast.expr) -> None:
    found = literal_text(script, node)
    if found is None:
        return
    for match in _IN_TEXT.finditer(found[0]):
        if registry.builder(match[1]) is not None:
            instead = "KSR.xlog.xlog" if path == "log" else f"KSR.xlog.x{path}"
            script.add("not-evaluated", node, f"KSR.{path} prints {match[0]} as it is: use {instead} or KSR.pv.getw")
            return
