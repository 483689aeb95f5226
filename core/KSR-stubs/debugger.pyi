# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module debugger."""

from typing import Any

def dbg_pv_dump() -> int:
    """Log the pseudo-variables that have been used, as JSON at level DEBUG."""

def dbg_pv_dump_ex(code1: int, code2: int, /) -> int:
    """Log the pseudo-variables that have been used, as JSON: which (a mask), and the log level."""
