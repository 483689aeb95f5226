# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sipjson."""

from typing import Any

def sj_serialize(text1: str, text2: str, /) -> int: ...
