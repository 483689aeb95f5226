# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_xkeys."""

from typing import Any

def auth_xkeys_add(text1: str, text2: str, text3: str, text4: str, /) -> int: ...

def auth_xkeys_check(text1: str, text2: str, text3: str, text4: str, /) -> int: ...
