# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sst."""

from typing import Any

def sst_check_min(code1: int, /) -> int:
    """Whether Session-Expires or Min-SE is below the minimum; 1 sends a 422 as well."""
