# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_xkeys."""

from typing import Any

def auth_xkeys_add(hdr: str, key: str, alg: str, data: str, /) -> int:
    """Add a field with the hash of ``data`` by the newest key of a group: 1, -1 no such group or algorithm."""

def auth_xkeys_check(hdr: str, key: str, alg: str, data: str, /) -> int:
    """1 when the field has the hash of ``data`` by one of the group's keys, else -1."""
