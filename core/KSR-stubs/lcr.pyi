# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module lcr."""

from typing import Any

def defunct_gw(code1: int, /) -> int:
    """Do not use the gateway chosen last for so many seconds."""

def from_any_gw() -> int:
    """Whether the request came from a gateway's address; the id of its LCR instance."""

def from_any_gw_addr(text1: str, code2: int, /) -> int:
    """Whether this address and protocol are a gateway's; the id of its LCR instance."""

def from_any_gw_addr_port(text1: str, code2: int, code3: int, /) -> int:
    """Whether this address, protocol and port are a gateway's; the id of its LCR instance."""

def from_gw(code1: int, /) -> int:
    """Whether the request came from a gateway of this LCR instance."""

def from_gw_addr(code1: int, text2: str, code3: int, /) -> int:
    """Whether this address and protocol are those of a gateway of this LCR instance."""

def from_gw_addr_port(code1: int, text2: str, code3: int, code4: int, /) -> int:
    """Whether this address, protocol and port are those of a gateway of this LCR instance."""

def inactivate_gw() -> int:
    """Do not use the gateway chosen last until it answers a probe."""

def load_gws(code1: int, /) -> int:
    """Find the gateways of an LCR instance for the Request-URI's user and the caller."""

def load_gws_furi(code1: int, text2: str, text3: str, /) -> int:
    """Find the gateways of an LCR instance for this user and this caller's URI."""

def load_gws_ruser(code1: int, text2: str, /) -> int:
    """Find the gateways of an LCR instance for this user."""

def next_gw() -> int:
    """Send the request to the next gateway that load_gws found."""

def to_any_gw() -> int:
    """Whether the request goes to a gateway's address."""

def to_any_gw_addr(text1: str, code2: int, /) -> int:
    """Whether this address and protocol are a gateway's that requests go to."""

def to_gw(code1: int, /) -> int:
    """Whether the request goes to a gateway of this LCR instance."""

def to_gw_addr(code1: int, text2: str, code3: int, /) -> int:
    """Whether this address and protocol are those of a gateway of this LCR instance, to send to."""
