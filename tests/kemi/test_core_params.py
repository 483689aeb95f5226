"""Kamailio's global parameters: what is taken, what it changes, what is refused."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator

import pytest

from ksrcore.assemble import prepare_proxy, start_modules
from ksrcore.kemi.core import Core
from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Listen
from ksrcore.net.dns import DnsOptions
from ksrcore.net.transport import NetOptions
from ksrcore.proxy import Proxy
from ksrcore.store.database import Database


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.open(":memory:") as db:
        yield db


def make(db: Database, *params: str) -> tuple[Proxy, Core]:
    proxy, _ = prepare_proxy(
        transmit=lambda data, dest: True,
        listens=[Listen("udp", "127.0.0.1", 5060)],
        modparams=[f"core:{param}" for param in params],
        db=db,
    )
    start_modules(proxy)
    return proxy, proxy.module("")


def test_without_any_the_defaults_are_those_of_the_parts(db: Database) -> None:
    proxy, core = make(db)
    options = NetOptions()
    core.apply_network(options)
    assert options == NetOptions()
    # Kamailio's largest number stands for no limit.
    assert dataclasses.replace(core.dns_options(), dns_cache_max_ttl=math.inf) == DnsOptions()
    assert proxy.server_header.startswith("Server: ksrshell (")
    assert proxy.recorder.max_count == 10_000


def test_sockets_and_dns(db: Database) -> None:
    _, core = make(
        db, "tcp_accept_no_cl=yes", "tcp_crlf_ping=off", "tcp_connection_lifetime=3605", "maxbuffer=65536",
        "dns_try_naptr=1", "dns_retr_time=2",
    )  # fmt: skip
    options = NetOptions()
    core.apply_network(options)
    assert (options.tcp_accept_no_cl, options.tcp_crlf_ping) == (True, False)
    assert (options.tcp_connection_lifetime, options.udp_rcvbuf) == (3605.0, 65536)
    dns = core.dns_options()
    assert (dns.dns_try_naptr, dns.dns_retr_time) == (True, 2)


def test_who_we_are_and_what_is_kept(db: Database) -> None:
    proxy, core = make(db, "server_header=Server: mine", "capture_messages=5", "capture_bytes=9999", "server_id=7")
    assert proxy.server_header == "Server: mine"
    assert (proxy.recorder.max_count, proxy.recorder.max_bytes, core.server_id) == (5, 9999, 7)
    proxy, _ = make(db, "server_signature=no")
    assert (proxy.server_header, proxy.user_agent_header) == ("", "")


def test_the_log_level(db: Database) -> None:
    before = logging.getLogger().level
    try:
        make(db, "debug=-1")
        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(before)


@pytest.mark.parametrize(
    ("param", "text"),
    [
        ("tcp_crlf_ping=perhaps", "expects yes or no"),
        ("capture_messages=0", "expects a number from 1 to"),
        ("tcp_connect_timeout=soon", "expects an integer, got 'soon'"),
        ("server_header=mine", "expects a header field in one line such as 'Server: name'"),
        ("server_header=Server: a\r\nX: b", "expects a header field in one line"),
        ("children=4", "module core has no parameter 'children'; it has: capture_bytes"),
    ],
)
def test_what_is_refused(db: Database, param: str, text: str) -> None:
    with pytest.raises(ParamError) as caught:
        make(db, param)
    assert text in str(caught.value)
