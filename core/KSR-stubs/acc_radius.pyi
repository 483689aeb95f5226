# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module acc_radius."""

from typing import Any

def request(text1: str, /) -> int: ...
