# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module group."""

from typing import Any

def is_user_in(text1: str, text2: str, /) -> int: ...
