# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tls."""

from typing import Any

def cget(text1: str, /) -> Any | None:
    """A setting of the TLS module by group.name."""

def is_peer_verified() -> int:
    """Whether the peer of the message's TLS connection had a certificate that verified."""

def set_connect_server_id(text1: str, /) -> int:
    """Take the TLS profile of this server id for the next connection."""
