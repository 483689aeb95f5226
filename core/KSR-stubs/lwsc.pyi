# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module lwsc."""

from typing import Any

def lwsc_notify(text1: str, text2: str, /) -> int:
    """Send data to a WebSocket URL and wait for no answer."""

def lwsc_notify_proto(text1: str, text2: str, text3: str, /) -> int:
    """Send data to a WebSocket URL under a subprotocol and wait for no answer."""

def lwsc_request(text1: str, text2: str, /) -> int:
    """Send data to a WebSocket URL and put the answer into $lwsc(rdata)."""

def lwsc_request_proto(text1: str, text2: str, text3: str, /) -> int:
    """Send data to a WebSocket URL under a subprotocol, the answer into $lwsc(rdata)."""
