# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ldap."""

from typing import Any

def result_next() -> int:
    """Go on to the next entry that the last LDAP search found."""

def search(text1: str, /) -> int:
    """Search an LDAP directory by an LDAP URL."""
