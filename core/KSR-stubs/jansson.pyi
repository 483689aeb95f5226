# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module jansson."""

from typing import Any

def get(text1: str, text2: str, text3: str, /) -> int:
    """Put the value at a path of a JSON text into a variable."""
