# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module msilo."""

from typing import Any

def mdump() -> int:
    """Send the messages kept for the user that registers."""

def mdump_uri(text1: str, /) -> int:
    """Send the messages kept for this URI."""

def mstore() -> int:
    """Keep the MESSAGE for the user of its Request-URI, to be sent later."""

def mstore_addrs(text1: str, text2: str, text3: str, /) -> int:
    """Keep the MESSAGE for an owner's URI, with this source and this destination."""

def mstore_uri(text1: str, /) -> int:
    """Keep the MESSAGE for this URI, to be sent later."""
