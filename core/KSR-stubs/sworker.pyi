# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sworker."""

from typing import Any

def active() -> int: ...

def task(text1: str, /) -> int: ...
