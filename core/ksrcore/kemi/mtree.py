"""Kamailio's mtree: values by the longest prefix, in trees loaded from tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..store.errors import StoreError
from .dbparam import DbModule, table_name
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Mtree"]

log = logging.getLogger("ksrcore.mtree")

TEXT, NUMBER = 0, 2


class Tree:
    """``items``: prefix -> values, the last loaded first. ``multi``: the table has several trees, by their names."""

    def __init__(self, text: str, kind: int) -> None:
        fields = {"name": "", "dbtable": "", "type": str(kind), "multi": "0"}
        for item in filter(None, map(str.strip, text.split(";"))):
            key, _, value = item.partition("=")
            if key.strip() not in fields:
                raise ParamError(f"modparam mtree:mtree expects name=NAME;dbtable=TABLE;type=0;multi=0, got {text!r}")
            fields[key.strip()] = value.strip()
        self.name, self.table = fields["name"], fields["dbtable"]
        if not self.name or not self.table:
            raise ParamError(f"modparam mtree:mtree expects a name and a dbtable, got {text!r}")
        if fields["type"] not in ("0", "2"):
            raise ParamError(f"modparam mtree:mtree: type expects 0 text or 2 number here, got {fields['type']!r}")
        self.kind = int(fields["type"])
        self.multi = fields["multi"] == "1"
        self.items: dict[str, list[str | int]] = {}
        self.longest = 0
        self.reloads = 0
        self.reloaded = 0

    def find(self, text: str) -> str:
        """The longest prefix of ``text`` that has values, '' for none."""
        for size in range(min(len(text), self.longest), 0, -1):
            if text[:size] in self.items:
                return text[:size]
        return ""


class Mtree(DbModule):
    name = "mtree"

    db_table = Param("", "only its default: each tree names its table: str")
    mtree = Param(
        "", "a tree: name=NAME;dbtable=TABLE;type=0 text, 2 number;multi=1 for a table of several", multi=True
    )
    tname_column = Param("tname", "column with the tree's name, in tables of several: str")
    tprefix_column = Param("tprefix", "column with the prefix: str")
    tvalue_column = Param("tvalue", "column with the value: str")
    fetch_rows = Param(1000, "no effect: int")
    char_list = Param("0123456789", "the characters prefixes are made of: str")
    pv_value = Param("$avp(s:tvalue)", "variable that gets the value: str")
    pv_values = Param("$avp(s:tvalues)", "variable that gets all values of the prefix, mode 2: str")
    pv_dstid = Param("$avp(s:tdstid)", "no effect: for trees of type 1: str")
    pv_weight = Param("$avp(s:tweight)", "no effect: for trees of type 1: str")
    pv_count = Param("$avp(s:tcount)", "no effect: for trees of type 1: str")
    mt_tree_type = Param(0, "the type of trees that say none: int")
    mt_ignore_duplicates = Param(0, "1: of two equal prefixes the first counts: int")
    mt_allow_duplicates = Param(0, "1: a prefix may have several values: int")
    named = ("tname_column", "tprefix_column", "tvalue_column")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.trees: dict[str, Tree] = {}

    def start(self) -> None:
        super().start()
        if self.db_table:
            raise ParamError("modparam mtree:db_table can only be '' here: name the table in mtree:mtree")
        try:
            self._value: Accessor = compile_spec(self.pv_value)
            self._values: Accessor = compile_spec(self.pv_values)
        except PvError as error:
            raise ParamError(f"modparam mtree: pv_value and pv_values expect a variable: {error}") from None
        self.trees = {tree.name: tree for tree in (Tree(text, self.mt_tree_type) for text in self.mtree)}
        for tree in self.trees.values():
            try:
                self._load(tree)
            except StoreError as error:
                raise ParamError(f"modparam mtree:mtree {tree.name}: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.trees = dict(self.trees)
        return new

    def _load(self, tree: Tree) -> None:
        """Read a tree's table. Raises StoreError."""
        sql = f'SELECT "{self.tprefix_column}", "{self.tvalue_column}" FROM {table_name(tree.table)}'
        params = [tree.name] if tree.multi else []
        rows = self.rows(sql + (f' WHERE "{self.tname_column}" = ?' if tree.multi else "") + " ORDER BY id", params)
        items: dict[str, list[str | int]] = {}
        for prefix, value in rows:
            prefix = str(prefix)
            if not prefix or not set(prefix) <= set(self.char_list):
                raise StoreError(f"the prefix {prefix!r} has characters that are not in char_list {self.char_list!r}")
            if tree.kind == NUMBER:
                try:
                    value = int(value)
                except ValueError:
                    raise StoreError(f"the value {value!r} of prefix {prefix} is no number") from None
            if prefix in items and not self.mt_allow_duplicates:
                if self.mt_ignore_duplicates:
                    continue
                raise StoreError(f"two values for prefix {prefix}; set mt_ignore_duplicates or mt_allow_duplicates")
            items.setdefault(prefix, []).insert(0, value if isinstance(value, int) else str(value))
        tree.items = items
        tree.longest = max(map(len, items), default=0)
        tree.reloads += 1
        tree.reloaded = int(self.proxy.wall())

    def _prefix(self, tree: str, text: str) -> tuple[Tree, str] | None:
        found = self.trees.get(tree)
        if found is None:
            log.error("mtree: there is no tree %r; define it with modparam mtree:mtree", tree)
            return None
        if not text or not set(text) <= set(self.char_list):
            return None
        prefix = found.find(text)
        return (found, prefix) if prefix else None

    @export
    def mt_match(self, run: Run, tname: str, tomatch: str, mval: int) -> int:
        """Put the value of the longest prefix of ``tomatch`` into pv_value: 1, -1 for none.

        ``mval`` 2: all values of that prefix into pv_values instead.
        """
        found = self._prefix(tname, tomatch)
        if found is None:
            return -1
        tree, prefix = found
        values = tree.items[prefix]
        try:
            if mval == 2:
                for value in reversed(values):
                    self._values.set(run, value)
            else:
                self._value.set(run, values[0])
        except PvError as error:
            log.error("mt_match: %s", error)
            return -1
        return 1

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("mtree.summary")
    def rpc_summary(self, params: list[Any]) -> Any:
        """The trees and how large they are."""
        return [
            {
                "table": tree.name,
                "item": {
                    "ttype": tree.kind,
                    "memsize": sum(len(prefix) + 8 for prefix in tree.items),
                    "nrnodes": len({prefix[:size] for prefix in tree.items for size in range(len(prefix))}),
                    "nritems": sum(map(len, tree.items.values())),
                    "reload_count": tree.reloads,
                    "reload_time": tree.reloaded,
                },
            }
            for tree in self.trees.values()
        ]

    @rpc("mtree.list")
    def rpc_list(self, params: list[Any]) -> Any:
        """The prefixes of a tree by its name, or of all."""
        return [
            {"tname": tree.name, "tprefix": prefix, "tvalue": values}
            for tree in self.trees.values()
            if not params or tree.name == str(params[0])
            for prefix, values in sorted(tree.items.items())
        ]

    @rpc("mtree.match")
    def rpc_match(self, params: list[Any]) -> Any:
        """The longest prefix of a text: the tree's name, the text, the mode."""
        if len(params) < 3:
            raise RpcError(500, "Invalid parameters")
        found = self._prefix(str(params[0]), str(params[1]))
        if found is None:
            raise RpcError(404, "Prefix not found")
        tree, prefix = found
        return {"PREFIX": prefix, "TVALUE": tree.items[prefix][0]}

    @rpc("mtree.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the tables again: of one tree by its name, or of all."""
        wanted = [tree for tree in self.trees.values() if not params or tree.name == str(params[0])]
        if not wanted:
            raise RpcError(500, "Can not find specified Mtree")
        for tree in wanted:
            try:
                self._load(tree)
            except StoreError as error:
                log.error("mtree.reload: %s: %s", tree.name, error)
                raise RpcError(500, "Mtree Reload Failed") from None
        return "Ok. Mtree reloaded."
