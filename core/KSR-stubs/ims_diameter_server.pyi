# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ims_diameter_server."""

from typing import Any

def diameter_request(text1: str, code2: int, code3: int, text4: str, /) -> int:
    """Send a Diameter request to a peer and wait for the answer."""

def diameter_request_async(text1: str, code2: int, code3: int, text4: str, /) -> int:
    """Send a Diameter request to a peer; the answer comes to an event route."""
