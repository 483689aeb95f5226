"""A hold on a real Kamailio: checked here, sent to the workers as plain values (ksragent/hold.py)."""

from __future__ import annotations

import ast
import os.path
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..debug.errors import DebugError
from ..debug.filters import LogText, split_terms, split_text
from ..debug.hold import Hold
from ..debug.places import EXCEPTION, FUNCTION, KSR_CALL, LINE, Place
from ..debug.source import check_line
from ..debug.states import file_lines
from ..kemi import known

if TYPE_CHECKING:
    from ..proxy import Proxy

#: What the agent calls for ``a % b``: a text on the left is no format there.
_MOD = "_mod"


class ServerPlace:
    """A place that the script on the proxy beside cannot tell: a KSR function that only the server has, or any place
    when the script does not run here. Has what :class:`~ksrcore.debug.places.Place` has."""

    def __init__(self, where: str, path: str) -> None:
        """``path``: the server's script. Raises :class:`DebugError`."""
        self.where = where
        self.file = ""
        self.line = 0
        self.lost = ""
        self.kind, self.name = KSR_CALL, where.removesuffix("()")
        if where.startswith("KSR."):
            if not any(decl.path == self.name for decl in known()):
                raise DebugError(f"{self.name} is no KSR function")
        elif where == EXCEPTION:
            self.kind = EXCEPTION
        elif where.rpartition(":")[2].isdigit():
            file, _, line = where.rpartition(":")
            if file and os.path.basename(path) != os.path.basename(file):
                raise DebugError(f"no file {file!r} in the script, which is {path}")
            self.kind, self.file, self.line = LINE, path, int(line)
            try:
                check_line(file_lines(path), path, self.line)
            except DebugError as error:
                raise DebugError(str(error).replace("step.to(line)", "a line")) from None
        elif where.isidentifier():
            self.kind, self.name = FUNCTION, where
        else:
            raise DebugError(
                f"{where!r} is no place here: name a function, a line (42), a KSR function ('KSR.tm.t_relay') or "
                "'exception'; the script does not run beside the server, so more cannot be told of it"
            )

    def refresh(self, script: Any) -> None:
        """It stays where it is."""

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}" if self.kind == LINE else self.where


class ServerHold(Hold):
    """An armed hold. ``path``: the server's script."""

    def __init__(self, proxy: Proxy, path: str, number: int, where: str, **options: Any) -> None:
        """Raises what :class:`~ksrcore.debug.hold.Hold` raises."""
        self._path = path
        #: Whether somebody said how long.
        self.timed = bool(options.get("timeout"))
        super().__init__(proxy, number, where, **options)

    def make_place(self, where: str, proxy: Proxy) -> Place:
        found: Any
        where = where.strip()
        unknown_here = where.startswith("KSR.") and where.removesuffix("()") in _known_only(proxy)
        if where and (proxy.script is None or unknown_here):
            found = ServerPlace(where, self._path)
        elif proxy.script is None:
            found = _Entry()
        else:
            found = Place(where, proxy)
        return found  # type: ignore[no-any-return]

    def spec(self) -> dict[str, Any]:
        """What the workers get."""
        place = self.place
        early, late = split_terms(self.condition.text) if self.condition.text else ([], [])
        return {
            "id": self.id,
            "kind": "watch" if self.watch is not None else place.kind,
            "name": place.name,
            "file": place.file,
            "line": place.line,
            "at": str(place) if self.watch is None else f"a change of {self.watch.name}",
            "early": _text(early),
            "late": _text(late),
            "watch": self.watch.name if self.watch is not None else "",
            "log": _parts(self.log) if self.log is not None else None,
        }


class _Entry(ServerPlace):
    """Where the first callback begins."""

    def __init__(self) -> None:
        self.where = self.name = self.file = self.lost = ""
        self.kind = "entry"
        self.line = 0

    def __str__(self) -> str:
        return "the first callback"


def _known_only(proxy: Proxy) -> set[str]:
    """KSR functions of Kamailio that the proxy beside does not implement."""
    have = {decl.path for module in proxy.modules.values() for decl in module.exports.values()}
    return {decl.path for decl in known()} - have


class _Remainders(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mod):
            return node
        return ast.Call(ast.Name(_MOD, ast.Load()), [node.left, node.right], [])


def _text(terms: Iterable[ast.expr]) -> str:
    """Terms that all have to be true, as the agent compiles them."""
    found = [ast.unparse(_Remainders().visit(term)) for term in terms]
    return found[0] if len(found) == 1 else " and ".join(f"({term})" for term in found)


def _parts(log: LogText) -> list[list[str]]:
    found = []
    for code, part in split_text(log.text):
        kind = "text" if not code else "pv" if part.startswith("$") else "name" if part.isidentifier() else "expr"
        if kind == "expr":
            part = _text([ast.parse(part, mode="eval").body])
        found.append([kind, part])
    return found
