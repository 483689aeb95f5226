# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mtree."""

from typing import Any

def mt_match(tname: str, tomatch: str, mval: int, /) -> int:
    """Put the value of the longest prefix of ``tomatch`` into pv_value: 1, -1 for none.

    ``mval`` 2: all values of that prefix into pv_values instead.
    """
