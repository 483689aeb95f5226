# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module drouting."""

from typing import Any

def do_routing(grpid: int, /) -> int:
    """Send the request through the first gateway of the rule for its user, of a group: 1, -1 for none."""

def do_routing_furi() -> int:
    """``do_routing`` with the group of the user in From, by the table dr_groups: 1, -1 for none."""

def goes_to_gw() -> int:
    """1 when the Request-URI's host is the address of a gateway, else -1."""

def goes_to_gw_type(gwtype: int, /) -> int:
    """1 when the Request-URI's host is the address of a gateway of that type, else -1."""

def is_from_gw() -> int:
    """1 when the message came from a gateway's address, else -1."""

def is_from_gw_type(gwtype: int, /) -> int:
    """1 when the message came from a gateway of that type, else -1."""

def is_from_gw_type_flags(gwtype: int, flags: int, /) -> int:
    """``is_from_gw_type``; ``flags`` other than 0: the gateway's ``strip`` is taken off the Request-URI's user."""

def next_routing() -> int:
    """``use_next_gw`` by its older name."""

def use_next_gw() -> int:
    """Send the request through the next gateway of the rule: 1, -1 when there is none."""
