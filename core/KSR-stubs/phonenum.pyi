# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module phonenum."""

from typing import Any

def match(text1: str, text2: str, /) -> int:
    """Take a phone number apart for $phn(name=>key)."""

def match_cn(text1: str, text2: str, text3: str, /) -> int:
    """Take a phone number of a country (two letters) apart for $phn(name=>key)."""
