# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module imc."""

from typing import Any

def imc_manager() -> int: ...

def imc_room_active(text1: str, /) -> int: ...

def imc_room_member(text1: str, text2: str, /) -> int: ...
