# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module dmq."""

from typing import Any

def bcast_message(peer_str: str, body_str: str, ct_str: str, /) -> int:
    """Send on the channel ``peer_str`` to all other active nodes: 1, -1 when it cannot be."""

def handle_custom_message(peer_str: str, node_str: str, body_str: str, ct_str: str, /) -> int:
    """The same as ``process_custom_message``."""

def handle_message() -> int:
    """Answer a KDMQ request by the channel in its To, 404 for none: 0."""

def handle_message_rc(rval: int, /) -> int:
    """``handle_message`` that returns ``rval``."""

def is_from_node() -> int:
    """1 when the message comes from the address of another active node, else -1."""

def process_custom_message(peer_str: str, node_str: str, body_str: str, ct_str: str, /) -> int:
    """Give a body to a channel as if the node sip:HOST:PORT had sent it: 1, -1 no such.

    Kamailio 6.2 and later.
    """

def process_message() -> int:
    """The same as ``handle_message``."""

def process_message_rc(rval: int, /) -> int:
    """The same as ``handle_message_rc``."""

def send_message(peer_str: str, to_str: str, body_str: str, ct_str: str, /) -> int:
    """Send on the channel ``peer_str`` to the node ``to_str`` (sip:HOST:PORT): 1, -1 when it is not known."""

def t_replicate() -> int:
    """Relay a copy of the request to all other active nodes, unless it is from one: 0, or -1."""

def t_replicate_mode(mode: int, /) -> int:
    """``t_replicate``; with ``mode`` 1 wherever the request is from."""
