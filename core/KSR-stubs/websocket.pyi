# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module websocket."""

from typing import Any

def close() -> int:
    """Close the message's WebSocket connection."""

def close_conid(code1: int, text2: str, code3: int, /) -> int:
    """Close a WebSocket connection: status, reason, connection id."""

def close_reason(code1: int, text2: str, /) -> int:
    """Close the message's WebSocket connection: status, reason."""

def connect(text1: str, code2: int, text3: str, text4: str, code5: int, /) -> int:
    """Open a WebSocket connection to an address, port and path."""

def handle_handshake() -> int:
    """Answer the HTTP request that opens a WebSocket connection."""

def send(text1: str, code2: int, text3: str, text4: str, code5: int, /) -> int:
    """Send data over a WebSocket connection."""
