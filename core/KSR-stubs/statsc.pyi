# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module statsc."""

from typing import Any

def statsc_reset() -> int:
    """Set the collected statistics back."""
