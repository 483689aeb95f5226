# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module diversion."""

from typing import Any

def add_diversion(reason: str, /) -> int:
    """Add a Diversion field with the Request-URI as it came and a reason, before those there are: 1."""

def add_diversion_uri(reason: str, uri: str, /) -> int:
    """Add a Diversion field with a URI and a reason (no-answer ...), before those there are: 1."""
