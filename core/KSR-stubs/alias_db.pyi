# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module alias_db."""

from typing import Any

def lookup(stable: str, /) -> int:
    """Replace the Request-URI, an alias, by the user's: 1; -1 when it is none or there is no such table."""

def lookup_ex(stable: str, sflags: str, /) -> int:
    """``lookup`` with flags: d the user name alone is the key, u the domain too, r from user to alias."""
