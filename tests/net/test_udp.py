import asyncio
import errno
import logging
import socket
from collections.abc import Iterator

import pytest

from ksrcore.net import loop as netloop
from ksrcore.net.address import Dest, Listen, Rcv, ip_family
from ksrcore.net.network import Network


def have_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(
    params=[
        "127.0.0.1",
        pytest.param("::1", marks=pytest.mark.skipif(not have_ipv6(), reason="this host has no ::1 (IPv6 loopback)")),
    ]
)
def peer(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    host: str = request.param
    with socket.socket(ip_family(host), socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(2)
        yield sock


async def until(condition: asyncio.Event) -> None:
    await asyncio.wait_for(condition.wait(), 2)


@pytest.mark.parametrize("size", [0, 1, 1500, 65507])
def test_datagrams_of_all_sizes_go_both_ways(peer: socket.socket, size: int) -> None:
    host, port = peer.getsockname()[:2]

    async def main() -> None:
        net = Network()
        listen = Listen("udp", host, 0)
        await net.open([listen])
        done = asyncio.Event()
        seen: list[Rcv] = []

        def echo(data: bytes, rcv: Rcv) -> None:
            seen.append(rcv)
            assert net.send(data, Dest("udp", rcv.src_ip, rcv.src_port, rcv.listen))
            assert net.send(data, Dest("udp", rcv.src_ip, rcv.src_port))
            done.set()

        net.on_message = echo
        peer.sendto(b"x" * size, (host, listen.port))
        await until(done)
        assert [peer.recv(65535) for _ in range(2)] == [b"x" * size] * 2
        rcv = seen[0]
        assert (rcv.proto, rcv.src_ip, rcv.src_port, rcv.conid) == ("udp", host, port, 0)
        assert (rcv.dst_ip, rcv.dst_port, rcv.listen) == (host, listen.port, listen)
        assert (net.counters["udp"].received, net.counters["udp"].sent, net.counters["udp"].errors) == (1, 2, 0)
        await net.close()

    netloop.run(main())


def test_failed_sends_are_false_and_counted(peer: socket.socket) -> None:
    host = peer.getsockname()[0]

    async def main() -> None:
        net = Network()
        await net.open([Listen("udp", host, 0)])
        assert not net.send(b"x" * 65600, Dest("udp", host, 5060))
        assert net.last_error is not None and net.last_error.errno == errno.EMSGSIZE
        for dest in (Dest("udp", host, 70000), Dest("udp", host, -1)):
            assert not net.send(b"x", dest)
            assert net.last_error.errno == errno.EINVAL
        assert net.counters["udp"].errors == 3
        await net.close()

    netloop.run(main())


def test_names_are_never_looked_up_by_a_send() -> None:
    async def main() -> None:
        net = Network()
        await net.open([Listen("udp", "127.0.0.1", 0)])
        assert not net.send(b"x", Dest("udp", "localhost", 5060))
        assert "is a name; resolve it before sending" in str(net.last_error)
        await net.close()

    netloop.run(main())


def test_a_refused_datagram_does_not_disturb_the_socket(peer: socket.socket) -> None:
    host = peer.getsockname()[0]

    async def main() -> None:
        net = Network()
        listen = Listen("udp", host, 0)
        await net.open([listen])
        done = asyncio.Event()
        net.on_message = lambda data, rcv: done.set()
        with socket.socket(ip_family(host), socket.SOCK_DGRAM) as gone:
            gone.bind((host, 0))
            port = gone.getsockname()[1]
        for _ in range(3):
            net.send(b"x", Dest("udp", host, port))
        peer.sendto(b"x", (host, listen.port))
        await until(done)
        await net.close()

    netloop.run(main())


def test_an_exception_of_the_owner_is_logged_and_the_next_message_comes(
    peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    host = peer.getsockname()[0]

    async def main() -> None:
        net = Network()
        listen = Listen("udp", host, 0)
        await net.open([listen])
        done = asyncio.Event()

        def handler(data: bytes, rcv: Rcv) -> None:
            if data == b"bad":
                raise ValueError("a mistake in the owner")
            done.set()

        net.on_message = handler
        peer.sendto(b"bad", (host, listen.port))
        peer.sendto(b"good", (host, listen.port))
        await until(done)
        await net.close()

    with caplog.at_level(logging.ERROR, "ksrcore.net"):
        netloop.run(main())
    assert "a mistake in the owner" in caplog.text


def test_many_at_once_arrive_in_order(peer: socket.socket) -> None:
    host = peer.getsockname()[0]

    async def main() -> list[bytes]:
        net = Network()
        listen = Listen("udp", host, 0)
        await net.open([listen])
        done = asyncio.Event()
        got: list[bytes] = []

        def handler(data: bytes, rcv: Rcv) -> None:
            got.append(data)
            if len(got) == 200:
                done.set()

        net.on_message = handler
        for number in range(200):
            peer.sendto(b"%d" % number, (host, listen.port))
        await until(done)
        await net.close()
        return got

    assert netloop.run(main()) == [b"%d" % number for number in range(200)]
