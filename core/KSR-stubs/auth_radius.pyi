# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_radius."""

from typing import Any

def proxy_authorize(text1: str, /) -> int:
    """Have a RADIUS server verify the Proxy-Authorization of this realm."""

def proxy_authorize_user(text1: str, text2: str, /) -> int:
    """Have a RADIUS server verify the Proxy-Authorization of this realm, for this user."""

def www_authorize(text1: str, /) -> int:
    """Have a RADIUS server verify the Authorization of this realm."""

def www_authorize_user(text1: str, text2: str, /) -> int:
    """Have a RADIUS server verify the Authorization of this realm, for this user."""
