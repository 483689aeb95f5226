# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sst."""

from typing import Any

def sst_check_min(code1: int, /) -> int: ...
