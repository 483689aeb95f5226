# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module counters."""

from typing import Any

def add(text1: str, code2: int, /) -> int: ...

def inc(text1: str, /) -> int: ...

def reset(text1: str, /) -> int: ...
