# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ipops."""

from typing import Any

def compare_ips(_sval1: str, _sval2: str, /) -> int:
    """1 when both are the same address, with or without brackets; else -1."""

def compare_pure_ips(_sval1: str, _sval2: str, /) -> int:
    """1 when both are the same address without brackets, else -1."""

def detailed_ip_type(ipval: str, rpv: str, /) -> int:
    """Put what an address is for (PRIVATE, LOOPBACK, GLOBAL-UNICAST ...) in the variable ``rpv``: 1, else -1."""

def detailed_ipv4_type(ipval: str, rpv: str, /) -> int:
    """``detailed_ip_type`` for IPv4 addresses only."""

def detailed_ipv6_type(ipval: str, rpv: str, /) -> int:
    """``detailed_ip_type`` for IPv6 addresses only."""

def dns_int_match_ip(vhn: str, vip: str, /) -> int:
    """dns_sys_match_ip by DNS alone: A records, AAAA only without those and with an IPv6 socket here."""

def dns_query(naptrname: str, pvid: str, /) -> int:
    """Put the addresses of a host name, by the system's resolver, into ``$dns(pvid=>...)``: 1, -4 for none."""

def dns_set_local_ttl(vttl: int, /) -> int:
    """How long answers are to be kept, in seconds: 1. Nothing is kept here, so it changes nothing."""

def dns_sys_match_ip(vhn: str, vip: str, /) -> int:
    """1 when the system's resolver gives a host name that address, -1 others, -3 no address, -4 none."""

def ip_is_in_subnet(_sval1: str, _sval2: str, /) -> int:
    """``is_in_subnet`` by its older name."""

def ip_type(sval: str, /) -> int:
    """1 IPv4, 2 IPv6, 3 IPv6 in brackets, -1 no address."""

def is_in_subnet(_sval1: str, _sval2: str, /) -> int:
    """1 when the address (without brackets) is in one of the subnets ``10.0.0.0/8,2001:db8::/32``, else -1."""

def is_ip(sval: str, /) -> int:
    """1 when the text is an IPv4 or IPv6 address, the latter with or without brackets; else -1."""

def is_ip4(sval: str, /) -> int:
    """1 when the text is an IPv4 address, else -1."""

def is_ip6(sval: str, /) -> int:
    """1 when the text is an IPv6 address without brackets, else -1."""

def is_ip6_reference(sval: str, /) -> int:
    """1 when the text is an IPv6 address in brackets, else -1."""

def is_ip_rfc1918(sval: str, /) -> int:
    """1 when the text is a private IPv4 address of RFC 1918, else -1."""

def is_pure_ip(sval: str, /) -> int:
    """1 when the text is an IPv4 or IPv6 address without brackets, else -1."""

def naptr_query(naptrname: str, pvid: str, /) -> int:
    """Put the NAPTR records of a name, by order and preference, into ``$naptrquery(pvid=>...)``: as srv_query."""

def ptr_query(ip: str, pvid: str, /) -> int:
    """Put the host name of an address into ``$ptrquery(pvid=>ptr)``: 1, -1 without one (Kamailio 5.7 on)."""

def srv_query(naptrname: str, pvid: str, /) -> int:
    """Put the SRV records of a name into ``$srvquery(pvid=>...)``, in RFC 2782's order: 1, also without any.

    -2 without a name, -3 without a ``pvid``.
    """
