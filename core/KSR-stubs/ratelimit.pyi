# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ratelimit."""

from typing import Any

def rl_check() -> int:
    """Count the request in the pipe of its method's queue: 1 it passes, -1 not, also without such a queue."""

def rl_check_pipe(pipe: int, /) -> int:
    """Count the message in a pipe, below 0 that of its method: 1 it passes, -1 not, or no such pipe."""
