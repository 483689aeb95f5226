# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module call_obj."""

from typing import Any

def free(code1: int, /) -> int:
    """Give a call object's number back, so that get can hand it out again."""

def get() -> int:
    """Put the next free number of a call object into a variable, named by text."""
