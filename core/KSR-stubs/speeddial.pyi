# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module speeddial."""

from typing import Any

def lookup(text1: str, /) -> int: ...

def lookup_owner(text1: str, text2: str, /) -> int: ...
