# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pike."""

from typing import Any

def pike_check_ip(ip: str, /) -> int:
    """Count an address: as ``pike_check_req``; -1 also for what is no address."""

def pike_check_req() -> int:
    """Count the request's source: 1 it may pass, -2 it begins to flood, -1 it goes on flooding."""
