# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pdb."""

from typing import Any

def pdb_query(text1: str, text2: str, /) -> int:
    """Ask the number portability servers for a number, and put the carrier id into a variable."""
