# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module htable."""

from typing import Any

def sht_cn(text1: str, text2: str, text3: str, /) -> int:
    """Keep the items of a table as they are now under a name, for $shtcn and $shtcv."""

def sht_dec(table: str, key: str, /) -> int:
    """Take 1 from a number: the result, -255 when it is none."""

def sht_get(table: str, key: str, /) -> Any | None:
    """The value of an item, the table's initial value or None without one."""

def sht_gete(table: str, key: str, /) -> Any:
    """The value of an item, '' in place of None."""

def sht_getw(table: str, key: str, /) -> Any:
    """The value of an item, '<null>' in place of None."""

def sht_inc(table: str, key: str, /) -> int:
    """Add 1 to a number: the result, -255 when it is none."""

def sht_is_null(table: str, key: str, /) -> int:
    """1 when there is no such item, 2 no such table; -1 when there is one, -2 when the initial value is."""

def sht_iterator_end(iname: str, /) -> int:
    """End a walk: 1, -1 without one of that name."""

def sht_iterator_next(iname: str, /) -> int:
    """Go to the next item (first to the first): 1, -1 at the end."""

def sht_iterator_rm(iname: str, /) -> int:
    """Remove the item the walk is at: 1, -1 without one."""

def sht_iterator_setex(iname: str, expire: int, /) -> int:
    """Let the item the walk is at expire in ``expire`` seconds: 1, -1 without one."""

def sht_iterator_seti(iname: str, value: int, /) -> int:
    """Set the item the walk is at to a number: 1, -1 without one."""

def sht_iterator_sets(iname: str, value: str, /) -> int:
    """Set the item the walk is at to text: 1, -1 without one."""

def sht_iterator_start(iname: str, table: str, /) -> int:
    """Begin a walk over a table; one of that name begins anew. 1, -1 no such table or four walks already."""

def sht_lock(table: str, key: str, /) -> int:
    """1, -1 without such a table. Routes run one at a time here, so there is nothing to wait for."""

def sht_match_name(table: str, op: str, value: str, /) -> int:
    """1 when a key fits, else -1; ``op``: eq, ne, re regular expression, sw starts with."""

def sht_match_str_value(table: str, op: str, value: str, /) -> int:
    """1 when a text fits, else -1; ``op``: eq, ne, re regular expression, sw starts with."""

def sht_reset(table: str, /) -> int:
    """Remove all items: 0, -1 without such a table."""

def sht_rm(table: str, key: str, /) -> int:
    """Remove an item: 1, also when it was not there; -1 without such a table."""

def sht_rm_name(table: str, op: str, value: str, /) -> int:
    """Remove the items whose key fits; ``op``: re regular expression, sw starts with. 1, or -1."""

def sht_rm_name_re(table: str, pattern: str, /) -> int:
    """Remove the items whose key matches a regular expression: 1, also without such a table; -1 a bad one."""

def sht_rm_value(table: str, op: str, value: str, /) -> int:
    """Remove the items whose text fits; ``op``: re regular expression, sw starts with. 1, or -1."""

def sht_rm_value_re(table: str, pattern: str, /) -> int:
    """Remove the items whose text matches a regular expression: 1, also without such a table; -1 a bad one."""

def sht_setex(table: str, key: str, expire: int, /) -> int:
    """Let an item expire in ``expire`` seconds, in tables with autoexpire: 1, -1 without such a table."""

def sht_seti(table: str, key: str, value: int, /) -> int:
    """Set an item to a number: 1, -1 without such a table."""

def sht_sets(table: str, key: str, value: str, /) -> int:
    """Set an item to text: 1, -1 without such a table."""

def sht_setxi(table: str, key: str, value: int, expire: int, /) -> int:
    """Set an item to a number that expires in ``expire`` seconds (tables with autoexpire): 0, -1 no table."""

def sht_setxs(table: str, key: str, value: str, expire: int, /) -> int:
    """Set an item to text that expires in ``expire`` seconds (tables with autoexpire): 1, -1 without a table."""

def sht_unlock(table: str, key: str, /) -> int:
    """1, -1 without such a table."""
