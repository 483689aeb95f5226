# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module statistics."""

from typing import Any

def reset_stat(sname: str, /) -> int:
    """Set a counter to 0, unless it is not to be reset: 1, -1 without such a counter."""

def update_stat(sname: str, sval: int, /) -> int:
    """Add to a counter: 1, -1 without such a counter."""
