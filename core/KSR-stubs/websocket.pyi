# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module websocket."""

from typing import Any

def close() -> int:
    """Close the message's connection with 1000 "Normal closure": 1, -1 when it is no WebSocket connection."""

def close_conid(status: int, reason: str, con: int, /) -> int:
    """Close the connection of that id: 1, -1 when it is no WebSocket connection."""

def close_reason(status: int, reason: str, /) -> int:
    """Close the message's connection: 1, -1 when it is no WebSocket connection."""

def connect(text1: str, code2: int, text3: str, text4: str, code5: int, /) -> int:
    """Open a WebSocket connection to an address, port and path."""

def handle_handshake() -> int:
    """Answer the HTTP request and let its connection carry frames: 1; 0 when it was refused.

    Refused with 400, 426 (another version than 13), 503 (disabled by RPC) or 500, the connection is closed.
    """

def send(text1: str, code2: int, text3: str, text4: str, code5: int, /) -> int:
    """Send data over a WebSocket connection."""
