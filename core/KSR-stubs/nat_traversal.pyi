# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nat_traversal."""

from typing import Any

def client_nat_test(code1: int, /) -> int:
    """Whether the client is behind a NAT, by the tests of a mask."""

def fix_contact() -> int:
    """Put the address and port the message came from into its Contact."""

def nat_keepalive() -> int:
    """Keep the NAT of the request's sender open from now on."""
