# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sca."""

from typing import Any

def call_info_update(code1: int, text2: str, text3: str, /) -> int:
    """Update a shared line's Call-Info state: which sides (a mask), To and From."""

def call_info_update_default() -> int:
    """Update the Call-Info state of the shared lines of the message."""

def call_info_update_mask(code1: int, /) -> int:
    """Update the Call-Info state of the message's sides that a mask names."""

def call_info_update_turi(code1: int, text2: str, /) -> int:
    """Update a shared line's Call-Info state: which sides (a mask), and To."""

def handle_subscribe() -> int:
    """Handle a SUBSCRIBE to a shared line's state or for its seizing."""
