# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pdt."""

from typing import Any

def pd_translate(text1: str, code2: int, /) -> int: ...

def pprefix2domain(code1: int, code2: int, /) -> int: ...
