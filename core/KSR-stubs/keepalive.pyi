# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module keepalive."""

from typing import Any

def add_destination(text1: str, text2: str, /) -> int: ...

def del_destination(text1: str, text2: str, /) -> int: ...

def is_alive(text1: str, /) -> int: ...
