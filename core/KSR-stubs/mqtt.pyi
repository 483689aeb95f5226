# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mqtt."""

from typing import Any

def publish(text1: str, text2: str, code3: int, /) -> int: ...

def subscribe(text1: str, code2: int, /) -> int: ...

def unsubscribe(text1: str, /) -> int: ...
