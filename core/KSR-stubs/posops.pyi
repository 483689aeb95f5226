# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module posops."""

from typing import Any

def pos_append(code1: int, text2: str, /) -> int:
    """Add text after a position of the message."""

def pos_body_end() -> int:
    """The position where the body ends."""

def pos_body_start() -> int:
    """The position where the body begins."""

def pos_find_str(code1: int, text2: str, /) -> int:
    """The position of a text, from a position on; negative when it is not there."""

def pos_findi_str(code1: int, text2: str, /) -> int:
    """Like pos_find_str, upper and lower case alike."""

def pos_headers_end() -> int:
    """The position where the headers end."""

def pos_headers_start() -> int:
    """The position where the headers begin."""

def pos_insert(code1: int, text2: str, /) -> int:
    """Insert text at a position of the message."""

def pos_rfind_str(code1: int, text2: str, /) -> int:
    """The last position of a text, searched backwards from a position."""

def pos_rfindi_str(code1: int, text2: str, /) -> int:
    """Like pos_rfind_str, upper and lower case alike."""

def pos_rm(code1: int, code2: int, /) -> int:
    """Remove so many characters from a position on."""

def pos_rsearch(code1: int, text2: str, /) -> int:
    """The last position where a regular expression matches."""

def pos_search(code1: int, text2: str, /) -> int:
    """The position where a regular expression matches, from a position on."""

def pos_set_char(code1: int, text2: str, /) -> int:
    """Set the character at a position, at once."""
