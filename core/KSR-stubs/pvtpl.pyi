# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pvtpl."""

from typing import Any

def pvtpl_render(text1: str, text2: str, /) -> int:
    """Fill the template of this name from pseudo-variables, into a variable."""
