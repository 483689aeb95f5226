# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module counters."""

from typing import Any

def add(text1: str, code2: int, /) -> int:
    """Add a number to a counter that the script has declared, by name or group.name."""

def inc(text1: str, /) -> int:
    """Add one to a counter that the script has declared, by name or group.name."""

def reset(text1: str, /) -> int:
    """Set a counter that the script has declared to 0, by name or group.name."""
