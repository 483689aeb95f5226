"""Kamailio's ipops: kinds of IP addresses, subnets, and DNS questions whose answers are read from variables.

A DNS question waits for its answer (``Proxy.wait``), for at most dns_retr_time times dns_retr_no. A sandbox asks
nothing: there no name has any record.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Self

from ..net.dnsbackend import DnsError, Naptr, Srv
from ..net.dnsblocking import BlockingDns
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from . import ipops_pv  # noqa: F401
from .declare import Module, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Ipops"]

log = logging.getLogger("ksrcore.ipops")

#: The most records a variable holds.
MAX_RECORDS = 32

IPV4, IPV6, IPV6_REFERENCE = 1, 2, 3

#: RFC 5735 and RFC 6598, as Kamailio names them.
_V4 = [
    (IPv4Network(net), kind)
    for net, kind in (
        ("0.0.0.0/8", "PRIVATE"),
        ("10.0.0.0/8", "PRIVATE"),
        ("100.64.0.0/10", "SHARED"),
        ("127.0.0.0/8", "LOOPBACK"),
        ("169.254.0.0/16", "LINK-LOCAL"),
        ("172.16.0.0/12", "PRIVATE"),
        ("192.0.0.0/24", "RESERVED"),
        ("192.0.2.0/24", "TEST-NET"),
        ("192.88.99.0/24", "6TO4-RELAY"),
        ("192.168.0.0/16", "PRIVATE"),
        ("198.18.0.0/15", "RESERVED"),
        ("198.51.100.0/24", "TEST-NET"),
        ("203.0.113.0/24", "TEST-NET"),
        ("224.0.0.0/4", "MULTICAST"),
        ("255.255.255.255/32", "BROADCAST"),
        ("240.0.0.0/4", "RESERVED"),
    )
]

#: IANA's registries of IPv6 addresses, as Kamailio names them.
_V6 = [
    (IPv6Network(net), kind)
    for net, kind in (
        ("::/128", "UNSPECIFIED"),
        ("::1/128", "LOOPBACK"),
        ("::ffff:0:0/96", "IPV4MAP"),
        ("100::/64", "DISCARD"),
        ("2001::/32", "TEREDO"),
        ("2001:2::/48", "BMWG"),
        ("2001:db8::/32", "DOCUMENTATION"),
        ("2001:10::/28", "ORCHID"),
        ("2002::/16", "6TO4"),
        ("2000::/3", "GLOBAL-UNICAST"),
        ("fc00::/7", "UNIQUE-LOCAL-UNICAST"),
        ("fe80::/10", "LINK-LOCAL-UNICAST"),
        ("ff00::/8", "MULTICAST"),
    )
]


def packed(text: str) -> bytes | None:
    """The 4 or 16 bytes of an address without brackets, None for what is none."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def kind_of(text: str) -> int:
    """IPV4, IPV6, IPV6_REFERENCE (in brackets), or -1."""
    if text[:1] == "[" and text[-1:] == "]":
        inner = text[1:-1]
        return IPV6_REFERENCE if ":" in inner and packed(inner) is not None else -1
    if packed(text) is None:
        return -1
    return IPV6 if ":" in text else IPV4


def bare(text: str) -> str:
    """Without the brackets of an IPv6 reference."""
    return text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text


def detailed(text: str) -> str:
    """What a valid address is for."""
    address = ip_address(bare(text))
    if address.version == 4:
        return next((kind for net, kind in _V4 if address in net), "PUBLIC")
    return next((kind for net, kind in _V6 if address in net), "RESERVED")


def _number(text: str) -> int:
    """The number a text begins with, 0 without one (C's atoi)."""
    text = text.strip()
    sign = -1 if text[:1] == "-" else 1
    digits = text[1:] if text[:1] in ("+", "-") else text
    end = next((at for at, char in enumerate(digits) if char not in "0123456789"), len(digits))
    return sign * int(digits[: min(end, 9)] or "0")


def in_subnet(ip: bytes, subnet: str) -> bool:
    """Whether a subnet, or an address that stands for itself, has the address; False for what is neither."""
    base, slash, bits = subnet.partition("/")
    network = packed(base)
    if network is None or len(network) != len(ip):
        return False
    size = 8 * len(ip)
    length = _number(bits) if slash else size
    if not 0 <= length <= size:
        return False
    return not (int.from_bytes(ip, "big") ^ int.from_bytes(network, "big")) >> (size - length)


class Ipops(Module):
    """``dns``, ``srv``, ``naptr``, ``ptr``: the answers by the names scripts gave them."""

    name = "ipops"

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.dns: dict[str, list[str]] = {}
        self.srv: dict[str, list[Srv]] = {}
        self.naptr: dict[str, list[Naptr]] = {}
        self.ptr: dict[str, str] = {}
        self.asks = BlockingDns()
        #: The system's resolver, which also reads its hosts file: a test may put another here.
        self.getaddrinfo: Callable[..., Any] = socket.getaddrinfo
        #: What dns_set_local_ttl() set; nothing is kept here, so it has nothing to shorten.
        self.local_ttl = 0

    def waits(self) -> Collection[str]:
        return ("dns_query", "srv_query", "naptr_query", "ptr_query", "dns_sys_match_ip", "dns_int_match_ip")

    def start(self) -> None:
        options = self.proxy.modules[""].dns_options()  # type: ignore[attr-defined]
        self.asks = BlockingDns(retr_time=options.dns_retr_time, retr_no=options.dns_retr_no)

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.dns, new.srv = dict(self.dns), dict(self.srv)
        new.naptr, new.ptr = dict(self.naptr), dict(self.ptr)
        return new

    # -- addresses ----------------------------------------------------------------------------------------------------

    @export
    def is_ip(self, run: Run, sval: str) -> int:
        """1 when the text is an IPv4 or IPv6 address, the latter with or without brackets; else -1."""
        return 1 if kind_of(sval) > 0 else -1

    @export
    def is_pure_ip(self, run: Run, sval: str) -> int:
        """1 when the text is an IPv4 or IPv6 address without brackets, else -1."""
        return 1 if kind_of(sval) in (IPV4, IPV6) else -1

    @export
    def is_ip4(self, run: Run, sval: str) -> int:
        """1 when the text is an IPv4 address, else -1."""
        return 1 if kind_of(sval) == IPV4 else -1

    @export
    def is_ip6(self, run: Run, sval: str) -> int:
        """1 when the text is an IPv6 address without brackets, else -1."""
        return 1 if kind_of(sval) == IPV6 else -1

    @export
    def is_ip6_reference(self, run: Run, sval: str) -> int:
        """1 when the text is an IPv6 address in brackets, else -1."""
        return 1 if kind_of(sval) == IPV6_REFERENCE else -1

    @export
    def ip_type(self, run: Run, sval: str) -> int:
        """1 IPv4, 2 IPv6, 3 IPv6 in brackets, -1 no address."""
        return kind_of(sval)

    @export
    def is_ip_rfc1918(self, run: Run, sval: str) -> int:
        """1 when the text is a private IPv4 address of RFC 1918, else -1."""
        ip = packed(sval)
        if ip is None or len(ip) != 4:
            return -1
        return 1 if any(in_subnet(ip, net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")) else -1

    @export
    def detailed_ip_type(self, run: Run, ipval: str, rpv: str) -> int:
        """Put what an address is for (PRIVATE, LOOPBACK, GLOBAL-UNICAST ...) in the variable ``rpv``: 1, else -1."""
        return self._detailed(run, ipval, rpv, (IPV4, IPV6, IPV6_REFERENCE))

    @export
    def detailed_ipv4_type(self, run: Run, ipval: str, rpv: str) -> int:
        """``detailed_ip_type`` for IPv4 addresses only."""
        return self._detailed(run, ipval.strip(" \t\r\n"), rpv, (IPV4,))

    @export
    def detailed_ipv6_type(self, run: Run, ipval: str, rpv: str) -> int:
        """``detailed_ip_type`` for IPv6 addresses only."""
        return self._detailed(run, ipval.strip(" \t\r\n"), rpv, (IPV6, IPV6_REFERENCE))

    def _detailed(self, run: Run, text: str, rpv: str, kinds: tuple[int, ...]) -> int:
        try:
            target = compile_spec(rpv)
            if kind_of(text) not in kinds:
                log.error("ipops: %r is no address of the kind asked for", text)
                return -1
            target.set(run, detailed(text))
        except PvError as error:
            log.error("ipops: the result cannot be put there: %s", error)
            return -1
        return 1

    @export
    def compare_ips(self, run: Run, _sval1: str, _sval2: str) -> int:
        """1 when both are the same address, with or without brackets; else -1."""
        return self._compare(_sval1, _sval2, (IPV4, IPV6, IPV6_REFERENCE))

    @export
    def compare_pure_ips(self, run: Run, _sval1: str, _sval2: str) -> int:
        """1 when both are the same address without brackets, else -1."""
        return self._compare(_sval1, _sval2, (IPV4, IPV6))

    def _compare(self, one: str, two: str, kinds: tuple[int, ...]) -> int:
        if kind_of(one) not in kinds or kind_of(two) not in kinds:
            return -1
        return 1 if packed(bare(one)) == packed(bare(two)) else -1

    @export
    def is_in_subnet(self, run: Run, _sval1: str, _sval2: str) -> int:
        """1 when the address (without brackets) is in one of the subnets ``10.0.0.0/8,2001:db8::/32``, else -1."""
        ip = packed(_sval1)
        if ip is None:
            return -1
        return 1 if any(in_subnet(ip, subnet.strip()) for subnet in _sval2.split(",")) else -1

    @export
    def ip_is_in_subnet(self, run: Run, _sval1: str, _sval2: str) -> int:
        """``is_in_subnet`` by its older name."""
        return self.is_in_subnet(run, _sval1, _sval2)

    # -- DNS ----------------------------------------------------------------------------------------------------------

    def _addresses(self, name: str) -> list[str]:
        """What the system's resolver knows, at most MAX_RECORDS; empty for nothing."""
        if packed(name) is not None:
            return [name]
        if self.proxy.sandbox:
            log.warning("ipops: a sandbox asks no DNS: %s has no address there", name)
            return []

        def ask() -> list[Any]:
            return list(self.getaddrinfo(name, None, type=socket.SOCK_STREAM))

        try:
            found = self.proxy.wait(ask) if name else []
        except (OSError, ValueError) as error:
            log.error("ipops: %s cannot be resolved: %s", name, error)
            return []
        return list(dict.fromkeys(str(info[4][0]) for info in found))[:MAX_RECORDS]

    def _ask(self, name: str, rtype: str) -> tuple[Any, ...]:
        """The records of a name; () for none and when no answer came, which is logged."""
        if self.proxy.sandbox:
            log.warning("ipops: a sandbox asks no DNS: %s has no %s there", name, rtype)
            return ()
        try:
            return self.proxy.wait(lambda: self.asks.ask(name, rtype)).values
        except DnsError as error:
            log.error("ipops: %s", error)
            return ()

    @export
    def dns_set_local_ttl(self, run: Run, vttl: int) -> int:
        """How long answers are to be kept, in seconds: 1. Nothing is kept here, so it changes nothing."""
        self.local_ttl = vttl
        return 1

    @export
    def dns_query(self, run: Run, naptrname: str, pvid: str) -> int:
        """Put the addresses of a host name, by the system's resolver, into ``$dns(pvid=>...)``: 1, -4 for none."""
        found = self._addresses(naptrname)
        if not found:
            self.dns.pop(pvid, None)
            return -4
        self.dns[pvid] = found
        return 1

    @export
    def srv_query(self, run: Run, naptrname: str, pvid: str) -> int:
        """Put the SRV records of a name into ``$srvquery(pvid=>...)``, in RFC 2782's order: 1, also without any.

        -2 without a name, -3 without a ``pvid``.
        """
        if not naptrname or not pvid:
            return -2 if not naptrname else -3
        records = sorted(self._ask(naptrname, "SRV"), key=lambda record: record.priority)
        self.srv[pvid] = self._drawn(records)[:MAX_RECORDS]
        return 1

    def _drawn(self, rest: list[Srv]) -> list[Srv]:
        """Those of one priority in a random order, in which a greater weight is more likely to come first."""
        out: list[Srv] = []
        while rest:
            # RFC 2782: those of weight 0 stand first, which gives them a small chance.
            group = sorted((r for r in rest if r.priority == rest[0].priority), key=lambda record: record.weight)
            rest = rest[len(group) :]
            while group:
                at = self.proxy.random.randint(0, sum(record.weight for record in group))
                for record in group:
                    at -= record.weight
                    if at <= 0:
                        break
                group.remove(record)
                out.append(record)
        return out

    @export
    def naptr_query(self, run: Run, naptrname: str, pvid: str) -> int:
        """Put the NAPTR records of a name, by order and preference, into ``$naptrquery(pvid=>...)``: as srv_query."""
        if not naptrname or not pvid:
            return -2 if not naptrname else -3
        records = sorted(self._ask(naptrname, "NAPTR"), key=lambda record: (record.order, record.preference))
        self.naptr[pvid] = records[:MAX_RECORDS]
        return 1

    @export
    def ptr_query(self, run: Run, ip: str, pvid: str) -> int:
        """Put the host name of an address into ``$ptrquery(pvid=>ptr)``: 1, -1 without one (Kamailio 5.7 on)."""
        self.ptr.pop(pvid, None)
        if not pvid or kind_of(ip) < 0:
            log.error("ptr_query expects an address and a name for the result, got %r, %r", ip, pvid)
            return -1
        records = self._ask(ip_address(bare(ip)).reverse_pointer, "PTR")
        if not records:
            return -1
        self.ptr[pvid] = records[0]
        return 1

    def _matches(self, found: list[str], ip: str) -> int:
        if not found:
            return -4
        wanted = packed(bare(ip))
        return 1 if any(packed(address) == wanted for address in found) else -1

    @export
    def dns_sys_match_ip(self, run: Run, vhn: str, vip: str) -> int:
        """1 when the system's resolver gives a host name that address, -1 others, -3 no address, -4 none."""
        if kind_of(vip) < 0:
            log.error("dns_sys_match_ip: %r is no address", vip)
            return -3
        return self._matches(self._addresses(vhn), vip)

    @export
    def dns_int_match_ip(self, run: Run, vhn: str, vip: str) -> int:
        """dns_sys_match_ip by DNS alone: A records, AAAA only without those and with an IPv6 socket here."""
        if kind_of(vip) < 0:
            log.error("dns_int_match_ip: %r is no address", vip)
            return -3
        found = [vhn] if kind_of(vhn) > 0 else [] if not vhn else list(self._ask(vhn, "A"))
        if not found and vhn and any(listen.family == socket.AF_INET6 for listen in self.proxy.listens):
            found = list(self._ask(vhn, "AAAA"))
        return self._matches([bare(address) for address in found], vip)
