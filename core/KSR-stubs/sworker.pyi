# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sworker."""

from typing import Any

def active() -> int:
    """Whether the message is being processed in a worker of a group."""

def task(text1: str, /) -> int:
    """Hand the message to a worker of a group."""
