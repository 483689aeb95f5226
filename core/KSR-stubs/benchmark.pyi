# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module benchmark."""

from typing import Any

def bm_log_timer(text1: str, /) -> int:
    """End the timer of this name and log what it measured."""

def bm_start_timer(text1: str, /) -> int:
    """Start the timer of this name."""
