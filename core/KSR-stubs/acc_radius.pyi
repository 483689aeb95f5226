# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module acc_radius."""

from typing import Any

def request(text1: str, /) -> int:
    """Write an accounting record of the request to the RADIUS server, with this comment."""
