# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rr."""

from typing import Any

def add_rr_param(param: str, /) -> int:
    """Add ``param`` (``;name=value``) to the Record-Route of this message, before or after it was made.

    1; after a preset -1, and yet added, as in Kamailio.
    """

def check_route_param(regex: str, /) -> int:
    """1 when the parameters of our own Route (``;name=value...``) match the POSIX regex, in any case, else -1.

    After ``loose_route()`` only.
    """

def is_direction(direction: str, /) -> int:
    """1 when the request goes that way, else -1: "downstream" from the caller, "upstream" to the caller.

    By our Route's ``ftag``; without one it is downstream. -6 for another word, and when ``append_fromtag`` is off.
    """

def loose_route() -> int:
    """Route a request by its Route fields: take out our own, set destination (or, strict, Request-URI).

    1 routed; -1 no Route or one that cannot be parsed; -3 an initial request whose only Route was ours.
    """

def loose_route_mode(mode: int, /) -> int:
    """Like ``loose_route``; ``mode`` 1 does not take a Request-URI of our own as a sign of strict routing."""

def loose_route_preloaded() -> int:
    """1 for an initial request whose only Route was ours (it is taken out), else -1 (and routed as usual)."""

def next_hop_route() -> int:
    """After ``loose_route()``: 1 when the next hop came from a Route after our own, else -1."""

def record_route() -> int:
    """Add Record-Route, two of them when the request leaves by another socket than it came in by.

    1 added; -1 there is one already (of this or a preset), or the message has no usable From.
    """

def record_route_advertised_address(address: str, /) -> int:
    """Add Record-Route with ``address`` (host, port) as ours, two when the transport changes on the way."""

def record_route_params(params: str, /) -> int:
    """Like ``record_route``, with ``params`` (``;name=value``) added to the URI."""

def record_route_preset(text: str, text2: str, /) -> int:
    """Add Record-Routes of ``sip:`` and the texts: the outgoing side's, then, unless '', the incoming side's.

    -1 when there is one already, and for two texts with ``enable_double_rr`` off.
    """

def record_route_preset_one(text: str, /) -> int:
    """Add a Record-Route of ``sip:`` and ``text`` (host, port and parameters)."""

def remove_record_route() -> int:
    """Take back the Record-Route that this message got; a second one cannot be added after that."""
