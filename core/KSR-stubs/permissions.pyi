# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module permissions."""

from typing import Any

def allow_address(addr_group: int, ip: str, port: int, /) -> int:
    """1 when ``ip`` (an address, or a name for rows with names) and ``port`` are of that group, else -1."""

def allow_address_group(address: str, port: int, /) -> int:
    """The group of an address, -1 when it is in none."""

def allow_source_address(addr_group: int, /) -> int:
    """1 when the message came from an address of that group, else -1."""

def allow_source_address_group() -> int:
    """The group of the address the message came from, -1 when it is in none."""

def allow_trusted() -> int:
    """1 when source, transport, From URI and Request-URI fit a row of the trusted table, else -1.

    With peer_tag_mode 1 the number of rows that fit. The R-URI is the one that was received.
    """
