# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module kex."""

from typing import Any

def resetdebug() -> int: ...

def setdebug(code1: int, /) -> int: ...
