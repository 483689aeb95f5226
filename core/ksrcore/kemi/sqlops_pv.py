"""The variables of sqlops: ``$dbr(result=>key)`` and ``$sqlrows(connection)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from ..pv.transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run
    from .sqlops import Sqlops


def _module(run: Run) -> Sqlops:
    module: Sqlops = run.proxy.modules["sqlops"]  # type: ignore[assignment]
    return module


@pv_class("dbr")
def _dbr(spec: Spec) -> Accessor:
    """``rows``, ``cols``, ``colname[n]`` or ``[row,column]`` of a result; an index may be a variable."""
    name, arrow, key = (spec.inner or "").partition("=>")
    name, key = name.strip(), key.strip()
    if arrow and name:
        if key == "rows":
            return Accessor(spec, lambda run: _module(run).sql_num_rows(run, name))
        if key == "cols":
            return Accessor(spec, lambda run: _module(run).sql_num_columns(run, name))
        if key.startswith("colname[") and key[-1:] == "]":
            return _column_name(spec, name, key[8:-1])
        if key[:1] == "[" and key[-1:] == "]" and "," in key:
            return _cell(spec, name, *key[1:-1].split(",", 1))
    raise PvError(
        f"expected $dbr(result=>key) with one of the keys rows, cols, colname[n], [row,column], got ({spec.inner})",
        str(spec),
    )


def _column_name(spec: Spec, name: str, text: str) -> Accessor:
    index_of = int_param(str(spec), text)

    def get(run: Run) -> Value:
        found = _module(run).results.get(name)
        index = index_of(run)
        if found is None or index is None or not 0 <= index < len(found.columns):
            return None
        return found.columns[index]

    return Accessor(spec, get)


def _cell(spec: Spec, name: str, row: str, column: str) -> Accessor:
    row_of, column_of = int_param(str(spec), row), int_param(str(spec), column)

    def get(run: Run) -> Value:
        at_row, at_column = row_of(run), column_of(run)
        return None if at_row is None or at_column is None else _module(run).cell(name, at_row, at_column)

    return Accessor(spec, get)


@pv_class("sqlrows")
def _sqlrows(spec: Spec) -> Accessor:
    """Always null: Kamailio's driver of SQLite does not tell how many rows a statement changed."""
    if not (spec.inner or "").strip():
        raise PvError("expected the name of a connection: $sqlrows(ca)", str(spec))
    return Accessor(spec, lambda run: None)
