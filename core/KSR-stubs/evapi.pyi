# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module evapi."""

from typing import Any

def async_multicast(evdata: str, etag: str, /) -> int:
    """Suspend the request and send to the clients with that tag: 1, or -1."""

def async_relay(evdata: str, /) -> int:
    """Suspend the request, in a transaction made if it has none, and send to all clients: 1, or -1."""

def async_unicast(evdata: str, etag: str, /) -> int:
    """Suspend the request and send to the first client with that tag: 1, or -1."""

def close() -> int:
    """In an event: close the client's connection: 0, -1 when there is none."""

def relay(evdata: str, /) -> int:
    """Send to all clients: 1; -1 for nothing without netstrings."""

def relay_multicast(evdata: str, etag: str, /) -> int:
    """Send to the clients with that tag, '' for all: 1 even if there is none."""

def relay_unicast(evdata: str, etag: str, /) -> int:
    """Send to the first client with that tag: 1 even if there is none."""

def set_tag(stag: str, /) -> int:
    """In an event: give the client a tag of up to 64 characters: 1, -1 when there is none."""
