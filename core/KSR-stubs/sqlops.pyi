# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sqlops."""

from typing import Any

def sql_is_null(res: str, i: int, j: int, /) -> int:
    """1 when the value at row ``i``, column ``j`` is null, 0 when it is not, -1 when there is no such value."""

def sql_num_columns(sres: str, /) -> int:
    """How many columns a result has, 0 without one."""

def sql_num_rows(sres: str, /) -> int:
    """How many rows a result has, 0 without one."""

def sql_pvquery(scon: str, squery: str, sres: str, /) -> int:
    """Run a statement, its columns into the variables ``$a;$b``, last row first: 1, 2 no rows, -1 error."""

def sql_query(scon: str, squery: str, sres: str, /) -> int:
    """Run a statement and keep its rows as ``sres`` ('' not at all) for ``$dbr(sres=>[0,0])``: 0, -1 error."""

def sql_query_async(scon: str, squery: str, /) -> int:
    """Run a statement later, without a result: -1, as in Kamailio with SQLite, whose driver cannot."""

def sql_result_free(sres: str, /) -> int:
    """Forget a result: 1, also when there was none."""

def sql_result_get(res: str, i: int, j: int, /) -> Any | None:
    """The value at row ``i``, column ``j`` of a result, None without one."""

def sql_result_gete(res: str, i: int, j: int, /) -> Any:
    """The value at row ``i``, column ``j`` of a result, '' without one."""

def sql_result_getz(res: str, i: int, j: int, /) -> Any | None:
    """The value at row ``i``, column ``j`` of a result, 0 without one."""

def sql_xquery(scon: str, squery: str, xavp: str, /) -> int:
    """Run a statement and put its rows on top of the XAVP ``xavp``, columns by their names: 1, -1 error."""
