import socket

import pytest

from ksrcore.net.address import (
    AddressError,
    Dest,
    Listen,
    Rcv,
    bracketed,
    canonical_ip,
    parse_host_port,
    parse_listen,
)


@pytest.mark.parametrize(
    ("text", "described", "via"),
    [
        ("udp:127.0.0.1:5060", "udp:127.0.0.1:5060", "127.0.0.1"),
        ("UDP:127.0.0.1:5060", "udp:127.0.0.1:5060", "127.0.0.1"),
        ("tcp:[0:0::1]:0", "tcp:[::1]:0", "[::1]:0"),
        ("udp:localhost", "udp:127.0.0.1:5060", "127.0.0.1"),
        ("tls:[FD00::2]/sip.example.com:70", "tls:[fd00::2]:5061", "sip.example.com:70"),
        ("udp:10.0.0.1:5/192.0.2.1", "udp:10.0.0.1:5", "192.0.2.1:5"),
        ('udp:10.0.0.1:5 advertise [2001:db8::1]:6 name "s1"', "udp:10.0.0.1:5", "[2001:db8::1]:6"),
    ],
)
def test_listen_is_read_as_kamailio_writes_it(text: str, described: str, via: str) -> None:
    listen = parse_listen(text)
    assert (listen.text, listen.via_host_port) == (described, via)


def test_listen_fields() -> None:
    listen = parse_listen("udp:[::1]:5070 name s1")
    assert (listen.proto, listen.host, listen.port, listen.family) == ("udp", "::1", 5070, socket.AF_INET6)
    assert (listen.uri_host, listen.name, listen.advertise_host, listen.advertise_port) == ("[::1]", "s1", "", 0)
    listen.set_port(6000)
    assert (listen.text, listen.via_host_port) == ("udp:[::1]:6000", "[::1]:6000")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty listen address"),
        ("127.0.0.1:5060", "no transport; expected PROTO:HOST:PORT"),
        ("sctp:127.0.0.1:5060", "no transport"),
        ("udp", "no transport"),
        ("udp:", "no host"),
        ("udp:example.com:5060", "'example.com' is not an IP address or localhost"),
        ("udp:::1:5060", "needs brackets"),
        ("udp:[::1", "bad IPv6 address"),
        ("udp:[127.0.0.1]:5060", "bad IPv6 address"),
        ("udp:[::1]5060", "unexpected '5060'"),
        ("udp:127.0.0.1:65536", "expected a number from 0 to 65535"),
        ("udp:127.0.0.1:", "bad port ''"),
        ("udp:127.0.0.1:\u0665", "bad port"),
        ("udp:127.0.0.1:5060/", "no host"),
        ("udp:127.0.0.1:5060 nonsense", "unexpected 'nonsense'"),
        ("udp:127.0.0.1:5060 name", "unexpected 'name'"),
    ],
)
def test_bad_listen_says_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_listen(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_listens_are_equal_by_proto_host_and_port() -> None:
    assert Listen("udp", "::1", 1, name="a") == Listen("udp", "::1", 1, name="b")
    assert len({Listen("udp", "::1", 1), Listen("tcp", "::1", 1), Listen("udp", "::1", 1)}) == 2
    assert Listen("udp", "::1", 1) != "udp:[::1]:1"


def test_ip_text() -> None:
    assert canonical_ip("[::0001]") == "::1"
    assert canonical_ip("127.0.0.1") == "127.0.0.1"
    assert [canonical_ip(text) for text in ("[127.0.0.1]", "a", "", "[", "1.2.3", "127.0.0.1:1")] == [""] * 6
    assert [bracketed(text) for text in ("::1", "[::1]", "a.b", "1.2.3.4")] == ["[::1]", "[::1]", "a.b", "1.2.3.4"]
    assert parse_host_port("[::1]") == ("::1", 0)
    assert parse_host_port("a.b:7") == ("a.b", 7)


def test_reprs_name_both_ends() -> None:
    listen = Listen("tcp", "::1", 5060)
    assert repr(Rcv("tcp", "::2", 7, "::1", 5060, listen, 3)) == "<Rcv tcp [::2]:7 -> [::1]:5060 conid=3>"
    assert repr(Dest("tcp", "::2", 7)) == "<Dest tcp:[::2]:7 conid=0 flags=0>"
    assert repr(listen) == "<Listen tcp:[::1]:5060>"
