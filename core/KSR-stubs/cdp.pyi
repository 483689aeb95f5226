# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module cdp."""

from typing import Any

def cdp_check_peer(text1: str, /) -> int: ...

def cdp_has_app(text1: str, /) -> int: ...

def cdp_has_app2(text1: str, text2: str, /) -> int: ...
