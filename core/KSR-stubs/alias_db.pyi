# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module alias_db."""

from typing import Any

def lookup(text1: str, /) -> int: ...

def lookup_ex(text1: str, text2: str, /) -> int: ...
