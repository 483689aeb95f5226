# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module app_python3s."""

from typing import Any

def exec(text1: str, /) -> int: ...

def exec_p1(text1: str, text2: str, /) -> int: ...

def execx(text1: str, /) -> int: ...
