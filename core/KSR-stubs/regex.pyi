# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module regex."""

from typing import Any

def pcre_match(string: str, regex: str, /) -> int:
    """1 when the text matches anywhere, -1 when not, -4 for what is no expression. Only pcre_caseless counts."""

def pcre_match_group(string: str, num_pcre: int, /) -> int:
    """1 when the text matches an expression of that group, -1 when not, -2 no file, -4 no such group."""
