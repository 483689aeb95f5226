# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pdt."""

from typing import Any

def pd_translate(sdomain: str, mode: int, /) -> int:
    """Replace the Request-URI's domain by that of the longest prefix of its user: 1, -1 for none.

    ``mode``: 0 takes the prefix off, 1 keeps the user, 2 takes only the parameter ``prefix`` off.
    """

def pprefix2domain(m: int, s: int, /) -> int:
    """``pd_translate`` for any source domain, that of From (``s`` 1), or it and then any (2)."""
