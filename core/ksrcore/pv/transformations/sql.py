"""``{sql.val*}``: a value as an SQL literal (Kamailio's sqlops module), in MySQL's backslash style as there."""

from __future__ import annotations

from .registry import Value, plain

_TABLE = str.maketrans({"'": "\\'", '"': '\\"', "\\": "\\\\", "\0": "\\0"})


def _literal(name: str, null: str) -> None:
    @plain(name, null=True)
    def literal(value: Value) -> Value:
        if value is None:
            return null
        return str(value) if isinstance(value, int) else "'" + value.translate(_TABLE) + "'"


_literal("sql.val", "NULL")
_literal("sql.val.int", "0")
_literal("sql.val.str", "''")
