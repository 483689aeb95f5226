# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nathelper."""

from typing import Any

def add_contact_alias() -> int:
    """Add ``;alias=`` with the source address unless the Contact URI has that address, port and transport.

    1 added, 2 not needed or no Contact, -1 a Contact that cannot be parsed.
    """

def add_contact_alias_addr(ip: str, port: str, proto: str, /) -> int:
    """Add ``;alias=`` with this address, port and transport to the Contact URI.

    1 added, 2 no Contact, -1 a Contact that cannot be parsed or an argument that is no address, port or transport.
    """

def add_rcv_param(in_uri: int, /) -> int:
    """Add ``received`` with the source address to each Contact: 0 to the field, else to the URI (UDP only).

    1; -1 for the URI of a message that did not come over UDP.
    """

def fix_nated_contact() -> int:
    """Put the source address and port into the Contact URI: 1; -1 without Contact, or done before."""

def fix_nated_register() -> int:
    """Put the source address as a URI into ``received_avp``, for the registrar: 1; -1 when that is not set."""

def fix_nated_sdp(flags: int, /) -> int:
    """Change the SDP for a user agent behind NAT; ``flags`` is a sum of:

    1 add a=direction:active; 2 the source address into c= and a=rtcp; 4 add the nortpproxy line; 8 the source
    address into o= and a=rtcp. Returns 1 when an address was replaced, 2 when none was, -1 without SDP.
    """

def fix_nated_sdp_ip(flags: int, ip: str, /) -> int:
    """Like ``fix_nated_sdp`` with ``ip`` instead of the source address ('' for that)."""

def handle_ruri_alias() -> int:
    """Take the first ``;alias=`` out of the Request-URI and make it the destination URI.

    1 done, 2 there is none, -1 it cannot be read or the message is a reply.
    """

def handle_ruri_alias_mode(mode: int, /) -> int:
    """Like ``handle_ruri_alias``; ``mode`` other than 0 takes the last ``;alias=``, unless no parameter follows it.

    Kamailio cuts the value of the last parameter short, so it is never whole. What cannot be read after its first
    ``~`` stays changed, as there.
    """

def is_rfc1918(address: str, /) -> int:
    """1 when ``address`` is an IPv4 address of a private network, else -1."""

def nat_uac_test(tests: int, /) -> int:
    """1 when one of the tests finds a NAT, else -1. ``tests`` is a sum of:

    1 private address in Contact; 2 Via host is not the source address; 4 private address in Via; 8 private
    address in SDP; 16 Via port is not the source port; 32 private source address; 64 came over WebSocket;
    128 Contact port is not the source port; 256 SDP address is not the source address; 512 the target differs
    (request: $du from $ru; reply: received and rport from the second Via) or is WebSocket.
    """

def set_alias_to_pv(name: str, /) -> int:
    """Write the ``alias`` of the first Contact as a SIP URI into the pseudo-variable ``name``: 1, else -1."""

def set_contact_alias() -> int:
    """Add ``;alias=ip~port~proto`` with the source address to the Contact URI: 1; -1 without Contact, or done."""

def set_contact_alias_trim() -> int:
    """Like ``set_contact_alias``; takes an alias that is there away first."""
