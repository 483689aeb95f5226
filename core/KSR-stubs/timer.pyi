# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module timer."""

from typing import Any

def timer_enable(text1: str, code2: int, /) -> int:
    """Switch the timer route of this id on or off."""
