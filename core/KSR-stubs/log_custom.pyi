# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module log_custom."""

from typing import Any

def log_udp(text1: str, /) -> int:
    """Send a text to the address of the core parameter log_engine_data, over UDP."""
