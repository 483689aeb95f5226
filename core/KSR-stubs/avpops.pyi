# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module avpops."""

from typing import Any

def avp_check(text1: str, text2: str, /) -> int:
    """Compare an AVP with an operator and a value, such as "eq/$fu/i"."""

def avp_copy(text1: str, text2: str, /) -> int:
    """Copy an AVP, or with flag d move it, to another name."""
