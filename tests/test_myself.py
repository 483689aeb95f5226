"""What is our own: sockets, aliases, and how the table follows them."""

from __future__ import annotations

import pytest

from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy


@pytest.fixture
def proxy() -> Proxy:
    listens = [Listen("udp", "127.0.0.1", 5060)]
    return Proxy(transmit=lambda data, dest: True, listens=listens, aliases=["ex.com"], now=1.0, wall=1e9)


def test_the_table_follows_a_change_that_keeps_the_numbers(proxy: Proxy) -> None:
    mine = proxy.myself
    assert mine.check("ex.com") and mine.uri("sip:ex.com") and mine.next_hop("sip:ex.com")
    del proxy.aliases["ex.com"]
    proxy.aliases["other.com"] = None
    assert not mine.check("ex.com") and mine.check("other.com")
    assert not mine.uri("sip:ex.com") and not mine.next_hop("sip:ex.com")
    proxy.listens[0] = Listen("tcp", "127.0.0.1", 5070)
    assert mine.check("127.0.0.1", 5070, "tcp") and not mine.check("127.0.0.1", 5060, "udp")


@pytest.mark.parametrize(
    ("uri", "own"),
    [
        ("sip:bob@ex.com", True),
        ("sip:127.0.0.1:5060;transport=udp", True),
        ("sip:127.0.0.1:5061", False),
        ("sip:far.away;maddr=127.0.0.1", True),
        ("sip:ex.com;maddr=10.0.0.1", False),
        ("tel:127", False),
        ("no uri", False),
    ],
)
def test_where_a_request_would_go(proxy: Proxy, uri: str, own: bool) -> None:
    assert proxy.myself.next_hop(uri) is own
    assert proxy.myself.next_hop(uri) is own
