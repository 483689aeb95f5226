# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uac_redirect."""

from typing import Any

def get_redirects(code1: int, code2: int, /) -> int: ...

def get_redirects_acc(code1: int, code2: int, text3: str, /) -> int: ...

def get_redirects_all() -> int: ...
