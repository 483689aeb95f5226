# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module statistics."""

from typing import Any

def reset_stat(text1: str, /) -> int: ...

def update_stat(text1: str, code2: int, /) -> int: ...
