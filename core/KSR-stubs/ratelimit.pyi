# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ratelimit."""

from typing import Any

def rl_check() -> int: ...

def rl_check_pipe(code1: int, /) -> int: ...
