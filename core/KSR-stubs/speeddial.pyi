# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module speeddial."""

from typing import Any

def lookup(text1: str, /) -> int:
    """Replace a short number in the Request-URI by the address the From URI's owner has in a table."""

def lookup_owner(text1: str, text2: str, /) -> int:
    """Replace a short number in the Request-URI by the address this owner has in a table."""
