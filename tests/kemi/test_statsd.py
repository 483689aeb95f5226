"""KSR.statsd: the datagrams that Kamailio 5.6.3 sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        yield server


@pytest.fixture
def bench(server: socket.socket) -> Iterator[Bench]:
    bench = Bench([f"statsd:port={server.getsockname()[1]}"])
    yield bench
    bench.proxy.modules["statsd"].stop()


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        ("statsd_incr('a')", "a:1|c\n"),
        ("statsd_decr('a')", "a:-1|c\n"),
        ("statsd_gauge('g', '+5')", "g:+5|g\n"),
        ("statsd_set('s', '7')", "s:7|s\n"),
        ("statsd_histogram('h', '12')", "h:12|h\n"),
        ("statsd_labels_incr('a', 'x:1,y:2')", "a:1|c|#x:1,y:2\n"),
        ("statsd_labels_decr('a', 'x:1')", "a:-1|c|#x:1\n"),
        ("statsd_labels_gauge('g', '5', 'x:1')", "g:5|g|#x:1\n"),
        ("statsd_labels_set('s', '5', 'x:1')", "s:5|s|#x:1\n"),
        ("statsd_labels_histogram('h', '5', 'x:1')", "h:5|h|#x:1\n"),
    ],
)
def test_datagrams(bench: Bench, server: socket.socket, call: str, sent: str) -> None:
    assert bench.request({}, [f"KSR.statsd.{call}"])[0] == [1]
    assert server.recv(100).decode() == sent


def test_times(bench: Bench, server: socket.socket) -> None:
    assert bench.request({}, ["KSR.statsd.statsd_start('t')"])[0] == [1]
    bench.proxy.now += 1.5
    for name, sent in (("statsd_stop('t')", "t:1500|ms\n"), ("statsd_labels_stop('t', 'a:b')", "t:1500|ms|#a:b\n")):
        assert eval(f"KSR.statsd.{name}", {"KSR": bench.ksr}) == 1
        assert server.recv(100).decode() == sent
    assert bench.request({}, ["KSR.statsd.statsd_stop('none')", "KSR.statsd.statsd_set('s', 'x')"])[0] == [0, 0]


def test_a_sandbox_sends_nothing(bench: Bench, server: socket.socket) -> None:
    bench.proxy.sandbox = True
    fork: Any = bench.proxy.modules["statsd"].fork(bench.proxy)
    assert fork.statsd_incr(bench.run, "a") == 1
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(100)


@pytest.mark.parametrize("text", ["port=x", "port=0", "ip=localhost"])
def test_parameters_that_cannot_be(text: str) -> None:
    with pytest.raises(ParamError, match="statsd:"):
        Bench([f"statsd:{text}"])
