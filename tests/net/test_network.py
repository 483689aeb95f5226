import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable

import pytest

from ksrcore.net import loop as netloop
from ksrcore.net.address import SND_FORCE_SOCKET, Dest, Listen, Rcv
from ksrcore.net.network import Network
from ksrcore.net.transport import ListenError, NetOptions


def have_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = [
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not have_ipv6(), reason="this host has no ::1 (IPv6 loopback)")),
]


class Box:
    """A network, and what it received."""

    def __init__(self, options: NetOptions | None = None) -> None:
        self.net = Network(options)
        self.net.on_message = self.take
        self.net.on_send_error = lambda dest, data, error: self.errors.append((dest, data, error))
        self.got: list[tuple[bytes, Rcv]] = []
        self.errors: list[tuple[Dest, bytes, OSError]] = []
        self.answer: Callable[[bytes, Rcv], None] = lambda data, rcv: None

    def take(self, data: bytes, rcv: Rcv) -> None:
        self.got.append((data, rcv))
        self.answer(data, rcv)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(3):
        while not true():
            await asyncio.sleep(0.002)


def play(scene: Callable[[Box], Awaitable[None]], options: NetOptions | None = None) -> None:
    async def main() -> None:
        box = Box(options)
        try:
            await scene(box)
        finally:
            await box.net.close()

    netloop.run(main())


@pytest.mark.parametrize("host", HOSTS)
def test_port_0_becomes_the_port_the_system_chose(host: str) -> None:
    async def scene(box: Box) -> None:
        udp, tcp = Listen("udp", host, 0), Listen("tcp", host, 0)
        await box.net.open([udp, tcp])
        assert box.net.listens == [udp, tcp]
        assert udp.port and tcp.port
        assert udp.text.endswith(f":{udp.port}")

    play(scene)


@pytest.mark.parametrize("proto", ["udp", "tcp"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_taken_port_is_one_clear_line_and_nothing_stays_open(host: str, proto: str) -> None:
    async def scene(box: Box) -> None:
        other = Box()
        taken = Listen(proto, host, 0)
        await other.net.open([taken])
        free = Listen("udp", host, 0)
        with pytest.raises(ListenError) as caught:
            await box.net.open([free, Listen(proto, host, taken.port)])
        text = str(caught.value)
        assert f"cannot listen on {taken.text}: the port is taken by " in text
        assert f"(pid {os.getpid()})" in text
        assert caught.value.errno == errno.EADDRINUSE
        assert box.net.listens == []
        with socket.socket(free.family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, free.port))
        await other.net.close()

    play(scene)


@pytest.mark.parametrize(
    ("listens", "said"),
    [
        ([Listen("tls", "127.0.0.1", 0)], "no transport 'tls'; there are tcp, udp"),
        ([Listen("udp", "192.0.2.77", 0)], "this machine has no address 192.0.2.77"),
        ([Listen("tcp", "192.0.2.77", 0)], "this machine has no address 192.0.2.77"),
    ],
)
def test_what_cannot_be_opened(listens: list[Listen], said: str) -> None:
    async def scene(box: Box) -> None:
        with pytest.raises(ListenError, match=said):
            await box.net.open(listens)

    play(scene)


def test_listed_twice() -> None:
    async def scene(box: Box) -> None:
        one = Listen("udp", "127.0.0.1", 0)
        await box.net.open([one])
        with pytest.raises(ListenError, match="listed twice"):
            await box.net.open([Listen("udp", "127.0.0.1", one.port)])

    play(scene)


def test_pick_listen_prefers_the_own_address_then_the_route_then_the_first() -> None:
    async def scene(box: Box) -> None:
        first, second, other = (Listen("udp", f"127.0.0.{n}", 0) for n in (2, 1, 3))
        again = Listen("udp", "127.0.0.2", 0)
        tcp = Listen("tcp", "127.0.0.1", 0)
        await box.net.open([first, second, other, again, tcp])
        pick = box.net.pick_listen
        assert pick("udp", "127.0.0.3") is other
        assert pick("udp", "127.0.0.2") is first
        assert pick("udp", "127.0.0.9") is second  # the system's source for loopback
        assert pick("tcp", "127.0.0.9") is tcp
        assert pick("udp", "::1") is None
        assert pick("tls", "127.0.0.1") is None

    play(scene)


def test_sending_where_there_is_no_socket_says_why() -> None:
    async def scene(box: Box) -> None:
        await box.net.open([Listen("udp", "127.0.0.1", 0)])
        for dest, said in (
            (Dest("tls", "127.0.0.1", 5061), "no tls socket is open"),
            (Dest("udp", "::1", 5060), "no UDP socket to send from to udp:[::1]:5060"),
            (Dest("udp", "example.com", 5060), "no UDP socket|is a name; resolve it"),
        ):
            assert not box.net.send(b"x", dest)
            assert box.net.last_error is not None
            assert any(part in str(box.net.last_error) for part in said.split("|"))
        assert box.errors == []

    play(scene)


def test_a_chosen_socket_of_another_proto_stands_for_its_address() -> None:
    # seen of Kamailio: $fs = udp:127.0.0.1:P with a TCP destination leaves from tcp:127.0.0.1:P
    async def scene(box: Box) -> None:
        tcp2, tcp1 = Listen("tcp", "127.0.0.2", 0), Listen("tcp", "127.0.0.1", 0)
        await box.net.open([tcp2, tcp1])
        wanted = Listen("udp", "127.0.0.2", tcp2.port)
        assert box.net.choose_listen("tcp", "127.0.0.1", wanted) is tcp2
        assert box.net.choose_listen("tcp", "127.0.0.1", tcp2) is tcp2
        assert box.net.choose_listen("tcp", "127.0.0.1", Listen("udp", "127.0.0.2", 1)) is tcp1
        assert box.net.choose_listen("tcp", "127.0.0.1", None) is tcp1
        assert box.net.choose_listen("tcp", "::1", tcp1) is None
        peer = Box()
        there = Listen("tcp", "127.0.0.1", 0)
        await peer.net.open([there])
        # unless forced, the system chooses the address; forced, a connection from another one will not do
        for flags, source in ((0, "127.0.0.1"), (SND_FORCE_SOCKET, "127.0.0.2")):
            assert box.net.send(b"A b c\r\nl: 0\r\n\r\n", Dest("tcp", "127.0.0.1", there.port, wanted, 0, flags))
            await until(lambda: peer.got)
            assert peer.got.pop()[1].src_ip == source
        await peer.net.close()

    play(scene)


@pytest.mark.skipif(not have_ipv6(), reason="this host has no ::1 (IPv6 loopback)")
@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_a_chosen_socket_of_another_proto_or_family_is_passed_over(proto: str) -> None:
    async def scene(box: Box) -> None:
        peer = Box()
        there = Listen(proto, "::1", 0)
        await peer.net.open([there])
        udp4, udp6, tcp4, tcp6 = (Listen(p, h, 0) for p in ("udp", "tcp") for h in ("127.0.0.1", "::1"))
        await box.net.open([udp4, udp6, tcp4, tcp6])
        message = b"A b c\r\nl: 0\r\n\r\n"
        for chosen in box.net.listens:
            assert box.net.send(message, Dest(proto, "::1", there.port, chosen))
        await until(lambda: len(peer.got) == 4)
        assert {rcv.src_ip for _, rcv in peer.got} == {"::1"}
        await peer.net.close()

    play(scene)


def test_it_can_be_opened_again_after_close() -> None:
    async def scene(box: Box) -> None:
        listen = Listen("tcp", "127.0.0.1", 0)
        await box.net.open([listen])
        await box.net.close()
        await box.net.open([listen])
        assert box.net.listens == [listen]

    play(scene)


def test_unknown_connections_are_answered_false() -> None:
    async def scene(box: Box) -> None:
        await box.net.open([Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0)])
        net = box.net
        assert not (net.set_lifetime(7, 1.0) or net.close_connection(7) or net.add_alias(7, 5060))
        assert net.connections() == []

    play(scene)
