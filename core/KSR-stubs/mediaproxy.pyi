# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mediaproxy."""

from typing import Any

def end_media_session() -> int:
    """Have the media relay end the call's session."""

def engage_media_proxy() -> int:
    """Send the media of the whole call through the media relay, from this INVITE on."""

def use_media_proxy() -> int:
    """Put the media relay's addresses and ports into the message's SDP."""
