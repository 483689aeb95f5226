# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module call_obj."""

from typing import Any

def free(code1: int, /) -> int: ...

def get() -> int: ...
