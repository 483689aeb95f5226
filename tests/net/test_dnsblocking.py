"""ksrcore.net.dnsblocking: questions that wait for their answer."""

from __future__ import annotations

import socket

import pytest

from ksrcore.net.dnsbackend import DnsError, Srv
from ksrcore.net.dnsblocking import BlockingDns
from lab.dnsserver import DnsServer


def test_records() -> None:
    zone = {"a.test. A": ["10.0.0.1", "10.0.0.2"], "s.test. SRV": ["10 5 5060 a.test."], "p.test. PTR": ["a.test."]}
    with DnsServer(zone) as server:
        asks = BlockingDns(("127.0.0.1",), server.port, retr_time=1.0)
        assert set(asks.ask("a.test", "A").values) == {"10.0.0.1", "10.0.0.2"}
        assert asks.ask("s.test", "SRV").values == (Srv(10, 5, 5060, "a.test"),)
        assert asks.ask("p.test", "PTR").values == ("a.test",)
        assert asks.ask("a.test", "AAAA").values == ()
        assert asks.ask("gone.test", "A").values == ()


def test_no_answer_in_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        asks = BlockingDns(("127.0.0.1",), silent.getsockname()[1], retr_time=0.05, retr_no=2)
        with pytest.raises(DnsError, match=r"^a\.test A: "):
            asks.ask("a.test", "A")


def test_what_is_no_name() -> None:
    with pytest.raises(DnsError, match="label is empty"):
        BlockingDns(("127.0.0.1",), 9).ask("a..test", "A")
