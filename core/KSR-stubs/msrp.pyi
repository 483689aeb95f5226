# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module msrp."""

from typing import Any

def cmap_lookup() -> int:
    """Find the connection of the MSRP frame's session."""

def cmap_save() -> int:
    """Keep the connection of the MSRP session that this AUTH begins."""

def forward(text1: str, text2: str, /) -> int:
    """Forward the MSRP frame to a To-Path, from a From-Path."""

def is_reply() -> int:
    """Whether the MSRP frame is a reply."""

def is_request() -> int:
    """Whether the MSRP frame is a request."""

def relay() -> int:
    """Send the MSRP frame on by its To-Path."""

def relay_flags(code1: int, /) -> int:
    """Flags for sending the MSRP frame on: 1 no new connection, 2 close it afterwards."""

def reply(text1: str, text2: str, text3: str, /) -> int:
    """Answer the MSRP request: code, text, headers."""

def reply_flags(code1: int, /) -> int:
    """Flags for answering the MSRP request: 1 no new connection, 2 close it afterwards."""

def set_dst(text1: str, text2: str, /) -> int:
    """Set where the MSRP frame goes, and the local socket."""
