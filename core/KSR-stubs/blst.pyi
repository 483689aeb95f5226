# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module blst."""

from typing import Any

def blst_add(code1: int, /) -> int:
    """Put the sender on the list of blocked destinations for so many seconds (0: the default time)."""

def blst_add_default() -> int:
    """Put the sender on the list of blocked destinations for the default time."""

def blst_add_retry_after(code1: int, code2: int, /) -> int:
    """Block the sender for the seconds of its Retry-After, kept between a minimum and a maximum."""

def blst_clear_ignore(code1: int, /) -> int:
    """Let these errors (a mask) block the message's destination again."""

def blst_clear_ignore_all() -> int:
    """Let all errors block the message's destination again."""

def blst_del() -> int:
    """Take the sender off the list of blocked destinations."""

def blst_is_blocklisted() -> int:
    """Whether the sender is on the list of blocked destinations."""

def blst_rpl_clear_ignore(code1: int, /) -> int:
    """Let these errors (a mask) block the destination of the message's replies again."""

def blst_rpl_clear_ignore_all() -> int:
    """Let all errors block the destination of the message's replies again."""

def blst_rpl_set_ignore(code1: int, /) -> int:
    """Do not block the destination of the message's replies for these errors (a mask)."""

def blst_rpl_set_ignore_all() -> int:
    """Do not block the destination of the message's replies for any error."""

def blst_set_ignore(code1: int, /) -> int:
    """Do not block the message's destination for these errors (a mask)."""

def blst_set_ignore_all() -> int:
    """Do not block the message's destination for any error."""
