# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tcpops."""

from typing import Any

def tcp_close_connection() -> int:
    """Close the connection the message came by."""

def tcp_close_connection_id(code1: int, /) -> int:
    """Close the connection of this id."""

def tcp_con_alive(text1: str, /) -> int:
    """Whether there is a connection to this address."""

def tcp_conid_alive(code1: int, /) -> int:
    """Whether the connection of this id is up."""

def tcp_conid_state(code1: int, /) -> int:
    """The state of the connection of this id; negative when it cannot be used."""

def tcp_enable_closed_event() -> int:
    """Report the closing of the message's connection to the event route tcp:closed."""

def tcp_enable_closed_event_cid(code1: int, /) -> int:
    """Report the closing of the connection of this id to the event route tcp:closed."""

def tcp_get_conid(text1: str, text2: str, /) -> int:
    """Put the id of the connection to an address into a variable."""

def tcp_keepalive_disable() -> int:
    """End TCP keepalive on the message's connection."""

def tcp_keepalive_disable_cid(code1: int, /) -> int:
    """End TCP keepalive on the connection of this id."""

def tcp_keepalive_enable(code1: int, code2: int, code3: int, /) -> int:
    """Begin TCP keepalive on the message's connection: idle seconds, probes, interval."""

def tcp_keepalive_enable_cid(code1: int, code2: int, code3: int, code4: int, /) -> int:
    """Begin TCP keepalive on a connection: its id, idle seconds, probes, interval."""

def tcp_set_connection_lifetime(code1: int, /) -> int:
    """Set after how many idle seconds the message's connection is closed."""

def tcp_set_connection_lifetime_cid(code1: int, code2: int, /) -> int:
    """Set after how many idle seconds the connection of this id is closed."""

def tcp_set_otcpid(code1: int, /) -> int:
    """Set the connection the message leaves by."""

def tcp_set_otcpid_flag(code1: int, /) -> int:
    """Whether the message leaves by the connection that tcp_set_otcpid has set."""
