# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module cdp."""

from typing import Any

def cdp_check_peer(text1: str, /) -> int:
    """Whether the Diameter peer of this host name is connected and ready."""

def cdp_has_app(text1: str, /) -> int:
    """Whether a connected Diameter peer supports this application id."""

def cdp_has_app2(text1: str, text2: str, /) -> int:
    """Whether a connected Diameter peer supports this application id of this vendor id."""
