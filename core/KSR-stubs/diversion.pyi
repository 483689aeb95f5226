# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module diversion."""

from typing import Any

def add_diversion(text1: str, /) -> int: ...

def add_diversion_uri(text1: str, text2: str, /) -> int: ...
