"""KSR.ipops: as Kamailio 5.6.3 answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ksrcore.kemi.declare import KsrError
from ksrcore.kemi.ipops import Ipops
from ksrcore.net.dnsblocking import BlockingDns
from lab.dnsserver import DnsServer
from lab.sequence import Bench

ZONE = {
    "a.test. A": ["10.0.0.1", "10.0.0.2"],
    "a.test. AAAA": ["2001:db8::1"],
    "v6.test. AAAA": ["2001:db8::6"],
    "_sip._udp.test. SRV": ["20 5 5062 b.test.", "10 0 5060 a.test.", "10 60 5061 one.test."],
    "_none._udp.test. SRV": ["0 0 0 ."],
    "_many._udp.test. SRV": [f"{n} 1 {5000 + n} h{n}.test." for n in range(40)],
    "test. NAPTR": ['20 50 "s" "SIP+D2T" "" _sip._tcp.test.', '10 60 "u" "E2U+sip" "!^.*$!sip:x@y!" .'],
    "1.0.0.10.in-addr.arpa. PTR": ["a.test."],
}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with DnsServer(ZONE) as server:
        bench = Bench()
        module = bench.proxy.modules["ipops"]
        assert isinstance(module, Ipops)
        module.asks = BlockingDns(("127.0.0.1",), server.port, retr_time=1.0)
        module.getaddrinfo = system
        yield bench


def system(name: str, port: Any, **_: Any) -> Any:
    """The system's resolver, on ZONE."""
    name += "."
    found = ZONE.get(f"{name} AAAA", []) + ZONE.get(f"{name} A", [])
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in found]


def calls(bench: Bench, *expressions: str) -> list[Any]:
    return bench.request({}, list(expressions))[0]


@pytest.mark.parametrize(
    ("ip", "kinds", "detail"),
    [
        # is_ip, is_pure_ip, is_ip4, is_ip6, is_ip6_reference, ip_type, is_ip_rfc1918
        ("1.2.3.4", [1, 1, 1, -1, -1, 1, -1], "PUBLIC"),
        ("172.16.0.1", [1, 1, 1, -1, -1, 1, 1], "PRIVATE"),
        ("172.32.0.1", [1, 1, 1, -1, -1, 1, -1], "PUBLIC"),
        ("255.255.255.255", [1, 1, 1, -1, -1, 1, -1], "BROADCAST"),
        ("240.0.0.1", [1, 1, 1, -1, -1, 1, -1], "RESERVED"),
        ("::1", [1, 1, -1, 1, -1, 2, -1], "LOOPBACK"),
        ("[::1]", [1, -1, -1, -1, 1, 3, -1], "LOOPBACK"),
        ("2001:20::1", [1, 1, -1, 1, -1, 2, -1], "GLOBAL-UNICAST"),
        ("fec0::1", [1, 1, -1, 1, -1, 2, -1], "RESERVED"),
        *((text, [-1] * 7, None) for text in ("", "01.2.3.4", "1.2.3", "[1.2.3.4]", "fe80::1%eth0", "1.2.3.4 ", "[::")),
    ],
)
def test_kinds(bench: Bench, ip: str, kinds: list[int], detail: str | None) -> None:
    names = ("is_ip", "is_pure_ip", "is_ip4", "is_ip6", "is_ip6_reference", "ip_type", "is_ip_rfc1918")
    assert calls(bench, *(f"KSR.ipops.{name}({ip!r})" for name in names)) == kinds
    result = calls(bench, f"KSR.ipops.detailed_ip_type({ip!r}, '$avp(x)')", "KSR.pv.get('$avp(x)')")
    assert result == [1 if detail else -1, detail]


def test_detailed_by_family(bench: Bench) -> None:
    got = calls(
        bench,
        "KSR.ipops.detailed_ipv4_type(' 10.0.0.1 ', '$var(x)')",
        "KSR.ipops.detailed_ipv4_type('::1', '$var(x)')",
        "KSR.ipops.detailed_ipv6_type('[fe80::1]', '$var(y)')",
        "KSR.ipops.detailed_ipv6_type('1.2.3.4', '$var(y)')",
        "KSR.ipops.detailed_ip_type('1.2.3.4', '$si')",
        "KSR.ipops.detailed_ip_type('1.2.3.4', 'x')",
        "KSR.pv.get('$var(x) $var(y)'.split()[0])",
        "KSR.pv.get('$var(y)')",
    )
    assert got == [1, -1, 1, -1, -1, -1, "PRIVATE", "LINK-LOCAL-UNICAST"]


@pytest.mark.parametrize(
    ("one", "two", "any_form", "pure"),
    [
        ("1.2.3.4", "1.2.3.4", 1, 1),
        ("1.2.3.4", "1.2.3.5", -1, -1),
        ("::1", "[::1]", 1, -1),
        ("::1", "0:0:0:0:0:0:0:1", 1, 1),
        ("::ffff:1.2.3.4", "1.2.3.4", -1, -1),
        ("", "", -1, -1),
    ],
)
def test_comparing(bench: Bench, one: str, two: str, any_form: int, pure: int) -> None:
    got = calls(bench, f"KSR.ipops.compare_ips({one!r}, {two!r})", f"KSR.ipops.compare_pure_ips({one!r}, {two!r})")
    assert got == [any_form, pure]


@pytest.mark.parametrize(
    ("ip", "subnets", "result"),
    [
        ("192.168.0.7", "10.0.0.0/16, 192.168.0.0/24", 1),
        ("10.0.1.1", "10.0.1.1", 1),
        ("10.0.1.2", "10.0.1.1", -1),
        ("::1", "::/64", 1),
        ("[::1]", "::/64", -1),
        ("::1", "10.0.0.0/8", -1),
        ("10.0.1.1", "10.0.0.0/33", -1),
        ("10.0.1.1", "11.0.0.0/x", 1),
        ("10.0.1.1", "bad,10.0.0.0/8", 1),
        ("10.0.1.1", "", -1),
        ("bad", "10.0.0.0/8", -1),
    ],
)
def test_subnets(bench: Bench, ip: str, subnets: str, result: int) -> None:
    names = ("is_in_subnet", "ip_is_in_subnet")
    assert calls(bench, *(f"KSR.ipops.{name}({ip!r}, {subnets!r})" for name in names)) == [result] * 2


def test_addresses_of_a_name(bench: Bench) -> None:
    keys = ("count", "ipv4", "ipv6", "addr", "type[0]", "addr[-1]", "addr[$var(none)]", "type[2]", "addr[3]")
    got = calls(bench, "KSR.ipops.dns_query('a.test', 'q')", *(f"KSR.pv.get('$dns(q=>{key})')" for key in keys))
    assert got == [1, 3, 1, 1, "2001:db8::1", 6, "10.0.0.2", "2001:db8::1", 4, None]
    got = calls(bench, "KSR.ipops.dns_query('no.test', 'q')", "KSR.pv.get('$dns(q=>count)')")
    assert got == [-4, None]
    assert calls(bench, "KSR.ipops.dns_query('', 'q')", "KSR.ipops.dns_query('a.test', '')") == [-4, 1]
    assert calls(bench, "KSR.ipops.dns_query('1.2.3.4', 'q')", "KSR.pv.get('$dns(q=>addr)')") == [1, "1.2.3.4"]
    with pytest.raises(KsrError, match=r"keys count, ipv4"):
        calls(bench, "KSR.pv.get('$dns(q=>zz)')")


def test_srv(bench: Bench) -> None:
    bench.proxy.random.seed(1)
    keys = ("count", "target[0]", "port[0]", "priority[2]", "weight[2]", "target[3]")
    query = "KSR.ipops.srv_query('_sip._udp.test', 'q')"
    got = calls(bench, query, *(f"KSR.pv.get('$srvquery(q=>{key})')" for key in keys))
    assert got == [1, 3, "one.test", 5061, 20, 5, None]
    firsts = {calls(bench, query, "KSR.pv.get('$srvquery(q=>target[0])')")[1] for _ in range(400)}
    assert firsts == {"a.test", "one.test"}
    got = calls(bench, "KSR.ipops.srv_query('_none._udp.test', 'q')", "KSR.pv.get('$srvquery(q=>target[0])')")
    assert got == [1, ""]
    got = calls(bench, "KSR.ipops.srv_query('_many._udp.test', 'q')", "KSR.pv.get('$srvquery(q=>count)')")
    assert got == [1, 32]
    got = calls(bench, "KSR.ipops.srv_query('_no._udp.test', 'q')", "KSR.pv.get('$srvquery(q=>count)')")
    assert got == [1, 0]
    assert calls(bench, "KSR.ipops.srv_query('', 'q')", "KSR.ipops.srv_query('x.test', '')") == [-2, -3]
    with pytest.raises(KsrError, match="an index from 0"):
        calls(bench, "KSR.pv.get('$srvquery(q=>port)')")


def test_naptr_and_ptr(bench: Bench) -> None:
    keys = ("count", "order[0]", "pref[0]", "flags[0]", "services[0]", "regex[0]", "replace[0]", "replace[1]")
    got = calls(bench, "KSR.ipops.naptr_query('test', 'n')", *(f"KSR.pv.get('$naptrquery(n=>{key})')" for key in keys))
    assert got == [1, 2, 10, 60, "u", "E2U+sip", "!^.*$!sip:x@y!", "", "_sip._tcp.test"]
    got = calls(bench, "KSR.ipops.ptr_query('10.0.0.1', 'p')", "KSR.pv.get('$ptrquery(p=>ptr)')")
    assert got == [1, "a.test"]
    got = calls(bench, "KSR.ipops.ptr_query('10.0.0.2', 'p')", "KSR.pv.get('$ptrquery(p=>ptr)')")
    assert got == [-1, None]
    assert calls(bench, "KSR.ipops.ptr_query('bad', 'p')") == [-1]


@pytest.mark.parametrize(
    ("name", "ip", "by_system", "by_dns"),
    [
        ("a.test", "10.0.0.2", 1, 1),
        ("a.test", "[2001:db8::1]", 1, -1),
        ("a.test", "1.1.1.1", -1, -1),
        ("v6.test", "2001:db8::6", 1, -4),
        ("no.test", "10.0.0.1", -4, -4),
        ("127.0.0.1", "127.0.0.1", 1, 1),
        ("a.test", "x", -3, -3),
        ("", "10.0.0.1", -4, -4),
    ],
)
def test_matching(bench: Bench, name: str, ip: str, by_system: int, by_dns: int) -> None:
    got = calls(bench, f"KSR.ipops.dns_sys_match_ip({name!r}, {ip!r})", f"KSR.ipops.dns_int_match_ip({name!r}, {ip!r})")
    assert got == [by_system, by_dns]


def test_a_sandbox_asks_nothing(bench: Bench) -> None:
    calls(bench, "KSR.ipops.dns_query('a.test', 'q')")
    module: Any = bench.proxy.modules["ipops"].fork(bench.proxy)
    bench.proxy.sandbox = True
    assert module.dns_query(bench.run, "a.test", "q") == -4
    assert module.srv_query(bench.run, "_sip._udp.test", "q") == 1 and module.srv["q"] == []
    assert module.dns_set_local_ttl(bench.run, 5) == 1
    bench.proxy.sandbox = False
    assert calls(bench, "KSR.pv.get('$dns(q=>count)')") == [3]
