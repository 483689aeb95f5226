# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module regex."""

from typing import Any

def pcre_match(text1: str, text2: str, /) -> int: ...

def pcre_match_group(text1: str, code2: int, /) -> int: ...
