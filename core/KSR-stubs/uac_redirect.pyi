# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uac_redirect."""

from typing import Any

def get_redirects(code1: int, code2: int, /) -> int:
    """Make branches of the contacts of 3xx replies: how many in all, how many of each branch."""

def get_redirects_acc(code1: int, code2: int, text3: str, /) -> int:
    """Like get_redirects, and write an accounting record with this reason."""

def get_redirects_all() -> int:
    """Make branches of all contacts of 3xx replies."""
