# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module dlgs."""

from typing import Any

def dlgs_count(text1: str, text2: str, text3: str, /) -> int:
    """The number of ongoing calls whose src, dst or data matches by an operator; -1 for none."""

def dlgs_init(text1: str, text2: str, text3: str, /) -> int:
    """Begin to watch the call of this INVITE under a source, a destination and data."""

def dlgs_tags_add(text1: str, /) -> int:
    """Put a tag on the message's call."""

def dlgs_tags_count(text1: str, /) -> int:
    """The number of ongoing calls with this tag; -1 for none."""

def dlgs_tags_rm(text1: str, /) -> int:
    """Take a tag off the message's call."""

def dlgs_update() -> int:
    """Bring the watched call up to date with the request."""
