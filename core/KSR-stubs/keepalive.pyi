# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module keepalive."""

from typing import Any

def add_destination(text1: str, text2: str, /) -> int:
    """Probe a SIP URI with OPTIONS from now on, for an owner."""

def del_destination(text1: str, text2: str, /) -> int:
    """Probe a SIP URI of an owner no more."""

def is_alive(text1: str, /) -> int:
    """Whether a probed SIP URI is up: 1 up, 2 down, -1 not known."""
