# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pipelimit."""

from typing import Any

def pl_active(pipeid: str, /) -> int:
    """1 when there is such a pipe, else -1."""

def pl_check(pipeid: str, /) -> int:
    """Count a message: 1 it passes, -1 the limit is reached, -2 there is no such pipe."""

def pl_check_limit(pipeid: str, alg: str, limit: int, /) -> int:
    """``pl_check`` for a pipe that is made, with algorithm and limit, if it is not there; -2 no such algorithm."""

def pl_drop() -> int:
    """Reply with reply_code (503): 1, -1 when it could not be sent."""

def pl_drop_range(rmin: int, rmax: int, /) -> int:
    """``pl_drop`` with a Retry-After between two numbers of seconds, by chance."""

def pl_drop_retry(rafter: int, /) -> int:
    """``pl_drop`` with Retry-After, in seconds."""
