# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module kex."""

from typing import Any

def resetdebug() -> int:
    """Set the process's log level back to the core's debug parameter."""

def setdebug(code1: int, /) -> int:
    """Set the process's log level."""
