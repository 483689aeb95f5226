# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mtree."""

from typing import Any

def mt_match(text1: str, text2: str, code3: int, /) -> int: ...
