# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ruxc."""

from typing import Any

def http_delete(text1: str, text2: str, text3: str, text4: str, /) -> int: ...

def http_get(text1: str, text2: str, text3: str, /) -> int: ...

def http_post(text1: str, text2: str, text3: str, text4: str, /) -> int: ...
