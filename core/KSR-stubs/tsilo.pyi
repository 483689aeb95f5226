# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tsilo."""

from typing import Any

def ts_append(text1: str, text2: str, /) -> int:
    """Add the contacts of a URI in a table to all transactions that wait for it."""

def ts_append_by_contact(text1: str, text2: str, /) -> int:
    """Like ts_append, for the contact that the REGISTER has only."""

def ts_append_by_contact_uri(text1: str, text2: str, text3: str, /) -> int:
    """Like ts_append, for this contact only."""

def ts_append_to(code1: int, code2: int, text3: str, /) -> int:
    """Add the contacts of the Request-URI in a table to this transaction (index, label)."""

def ts_append_to_uri(code1: int, code2: int, text3: str, text4: str, /) -> int:
    """Add the contacts of a URI in a table to this transaction (index, label)."""

def ts_store() -> int:
    """Let the transaction wait for new contacts of its Request-URI."""

def ts_store_uri(text1: str, /) -> int:
    """Let the transaction wait for new contacts of a URI."""
