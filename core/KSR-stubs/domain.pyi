# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module domain."""

from typing import Any

def is_domain_local(sdomain: str, /) -> int:
    """1 when the domain is in the table, else -1."""

def is_from_local() -> int:
    """1 when the domain of the From URI is in the table, else -1."""

def is_uri_host_local() -> int:
    """1 when the host of the Request-URI is in the table, else -1."""

def lookup_domain(_sdomain: str, /) -> int:
    """Make AVPs of a domain's attributes, and of its identifier ``$avp(did)``: 1, -1 when it is not there."""

def lookup_domain_prefix(_sdomain: str, _sprefix: str, /) -> int:
    """``lookup_domain`` with a text before the AVPs' names."""
