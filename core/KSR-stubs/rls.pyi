# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rls."""

from typing import Any

def handle_notify() -> int:
    """Handle a NOTIFY that belongs to a resource list's subscription."""

def handle_subscribe() -> int:
    """Handle a SUBSCRIBE to a resource list."""

def handle_subscribe_uri(text1: str, /) -> int:
    """Handle a SUBSCRIBE to a resource list as sent by this URI."""

def update_subs(text1: str, text2: str, /) -> int:
    """Look again at the subscriptions to the resource lists of a URI for an event."""
