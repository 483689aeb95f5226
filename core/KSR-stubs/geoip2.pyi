# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module geoip2."""

from typing import Any

def distance(text1: str, text2: str, text3: str, /) -> int: ...

def match(text1: str, text2: str, /) -> int: ...
