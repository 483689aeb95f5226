"""Real connections on loopback; the peer is a plain socket in the same loop, or a second network."""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable

import pytest

from ksrcore.net import loop as netloop
from ksrcore.net.address import SND_CLOSE, SND_NO_CONNECT, Dest, Listen, Rcv
from ksrcore.net.network import Network
from ksrcore.net.transport import NetOptions

MSG = b"OPTIONS sip:a@b SIP/2.0\r\nl: 3\r\n\r\nabc"
OK = b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n"


def have_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


class Scene:
    """A network listening on TCP, what it received and could not send."""

    def __init__(self, host: str, options: NetOptions | None = None) -> None:
        self.net = Network(options)
        self.listen = Listen("tcp", host, 0)
        self.host = host
        self.got: list[tuple[bytes, Rcv]] = []
        self.errors: list[tuple[bytes, int | None]] = []
        self.answer: bytes = b""
        self.net.on_message = self.take
        self.net.on_send_error = lambda dest, data, error: self.errors.append((data, error.errno))

    def take(self, data: bytes, rcv: Rcv) -> None:
        self.got.append((data, rcv))
        if self.answer:
            assert self.net.send(self.answer, Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid))

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.listen.port)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(3):
            while not true():
                await asyncio.sleep(0.002)


def play(act: Callable[[Scene], Awaitable[None]], host: str = "127.0.0.1", options: NetOptions | None = None) -> None:
    async def main() -> None:
        scene = Scene(host, options)
        await scene.net.open([scene.listen])
        try:
            await act(scene)
        finally:
            await scene.net.close()
            assert scene.net.connections() == []

    netloop.run(main())


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass  # reset by the network: what the test was about


hosts = pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        pytest.param("::1", marks=pytest.mark.skipif(not have_ipv6(), reason="this host has no ::1 (IPv6 loopback)")),
    ],
)


@hosts
def test_requests_come_in_and_answers_go_back_on_the_connection(host: str) -> None:
    async def act(scene: Scene) -> None:
        scene.answer = OK
        reader, writer = await scene.client()
        writer.write(MSG + b"\r\n" + MSG[:7])
        assert await reader.readexactly(len(OK)) == OK
        for byte in MSG[7:]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await reader.readexactly(len(OK)) == OK
        assert [data for data, _ in scene.got] == [MSG, MSG]
        rcv = scene.got[0][1]
        own = writer.get_extra_info("sockname")
        assert (rcv.proto, rcv.src_ip, rcv.src_port) == ("tcp", host, own[1])
        assert (rcv.dst_ip, rcv.dst_port, rcv.listen) == (host, scene.listen.port, scene.listen)
        (info,) = scene.net.connections()
        assert (info.id, info.state, info.outgoing, info.aliases) == (rcv.conid, "open", False, (own[1],))
        assert info.dst == scene.listen.text.removeprefix("tcp:")
        counters = scene.net.counters["tcp"]
        assert (counters.received, counters.sent, counters.errors) == (2, 2, 0)
        await end(writer)
        await scene.until(lambda: not scene.net.connections())

    play(act, host)


@pytest.mark.parametrize(("on", "answer"), [(True, b"\r\n" * 2), (False, b"")])
def test_pings_are_answered(on: bool, answer: bytes) -> None:
    async def act(scene: Scene) -> None:
        scene.answer = OK
        reader, writer = await scene.client()
        writer.write(b"\r\n\r\n\r\n\r\n" + MSG)
        assert await reader.readexactly(len(answer + OK)) == answer + OK
        await end(writer)

    play(act, options=NetOptions(tcp_crlf_ping=on))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", "no Content-Length"),
        (b"\x16\x03\x01", "a TLS handshake"),
        (b"A" * 600, "no end of the header section within 500 bytes"),
        (b"A b c\r\nl: x\r\n\r\n", "expected a number, got 'x'"),
        (b"A b c\r\nl: 600\r\n\r\n", "the limit is 500"),
    ],
)
def test_garbage_closes_the_connection_and_only_that(data: bytes, said: str, caplog: pytest.LogCaptureFixture) -> None:
    async def act(scene: Scene) -> None:
        _, other = await scene.client()
        other.write(MSG)
        reader, writer = await scene.client()
        writer.write(MSG + data)
        assert await reader.read() == b""
        await scene.until(lambda: len(scene.got) == 2)
        assert len(scene.net.connections()) == 1
        assert scene.net.counters["tcp"].errors == 1
        await end(writer)
        await end(other)

    with caplog.at_level(logging.WARNING, "ksrcore.net"):
        play(act, options=NetOptions(tcp_rd_buf_size=500))
    assert said in caplog.text


@hosts
def test_a_connection_is_opened_once_and_reused_both_ways(host: str) -> None:
    async def act(scene: Scene) -> None:
        peer = Scene(host)
        peer.answer = OK
        await peer.net.open([peer.listen])
        dest = Dest("tcp", host, peer.listen.port)
        assert scene.net.send(MSG, dest)
        assert [info.state for info in scene.net.connections()] == ["connecting"]
        assert scene.net.send(MSG, dest)
        assert scene.net.send(MSG, Dest("tcp", host, peer.listen.port, scene.listen))
        await scene.until(lambda: len(scene.got) == 3)
        assert len(peer.got) == 3
        (info,) = scene.net.connections()
        assert (info.outgoing, info.state, info.src) == (True, "open", peer.listen.text.removeprefix("tcp:"))
        rcv = scene.got[0][1]
        assert (rcv.conid, rcv.src_port) == (info.id, peer.listen.port)
        # as Kamailio: our end is named by the listen socket, not by the port of the moment
        assert (rcv.dst_port, rcv.listen) == (scene.listen.port, scene.listen)
        await peer.net.close()
        await scene.until(lambda: not scene.net.connections())

    play(act, host)


def test_by_alias() -> None:
    async def act(scene: Scene) -> None:
        reader, writer = await scene.client()
        writer.write(MSG)
        await scene.until(lambda: scene.got)
        conid = scene.got[0][1].conid
        assert scene.net.add_alias(conid, 5099)
        assert scene.net.send(OK, Dest("tcp", scene.host, 5099))
        assert await reader.readexactly(len(OK)) == OK
        assert scene.net.connections()[0].aliases[1:] == (5099,)
        await end(writer)

    play(act)


def test_a_connection_named_and_gone_is_replaced_by_one_to_the_address() -> None:
    async def act(scene: Scene) -> None:
        reader, writer = await scene.client()
        writer.write(MSG)
        await scene.until(lambda: scene.got)
        rcv = scene.got[0][1]
        assert scene.net.send(OK, Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, 999))
        assert await reader.readexactly(len(OK)) == OK
        await end(writer)

    play(act)


def test_no_connect_and_refused_connections() -> None:
    async def act(scene: Scene) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        assert not scene.net.send(MSG, Dest("tcp", "127.0.0.1", port, flags=SND_NO_CONNECT))
        assert scene.net.last_error is not None and scene.net.last_error.errno == errno.ENOTCONN
        assert scene.net.send(MSG, Dest("tcp", "127.0.0.1", port))
        assert scene.net.send(OK, Dest("tcp", "127.0.0.1", port))
        await scene.until(lambda: len(scene.errors) == 2)
        assert scene.errors == [(MSG, errno.ECONNREFUSED), (OK, errno.ECONNREFUSED)]
        assert scene.net.connections() == []
        assert scene.net.counters["tcp"].errors == 3
        for bad in (Dest("tcp", "localhost", 5060), Dest("tcp", "127.0.0.1", 0), Dest("tcp", "127.0.0.1", 70000)):
            assert not scene.net.send(MSG, bad)
            assert "expected an IP address and a port" in str(scene.net.last_error)

    play(act)


def test_a_connect_that_hangs_times_out() -> None:
    async def act(scene: Scene) -> None:
        # A full backlog answers nothing: Linux drops the SYN.
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen(0)
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
            await asyncio.sleep(0.02)
            assert scene.net.send(MSG, Dest("tcp", *sock.getsockname()))
            await scene.until(lambda: scene.errors)
            for filler in fillers:
                filler.close()
        assert scene.errors == [(MSG, errno.ETIMEDOUT)]

    play(act, options=NetOptions(tcp_connect_timeout=0.1))


def test_closing_while_connecting_leaves_nothing() -> None:
    async def act(scene: Scene) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            assert scene.net.send(MSG, Dest("tcp", *sock.getsockname()))
            await scene.net.close()

    play(act)


def test_close_after_send() -> None:
    async def act(scene: Scene) -> None:
        reader, writer = await scene.client()
        writer.write(MSG + MSG)
        await scene.until(lambda: scene.got)
        rcv = scene.got[0][1]
        assert scene.net.send(OK, Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid, SND_CLOSE))
        closing = Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid, SND_NO_CONNECT)
        assert not scene.net.send(OK, closing)
        assert await reader.read() == OK
        await end(writer)

    play(act)


def test_messages_behind_one_that_closed_the_connection_are_not_delivered() -> None:
    async def act(scene: Scene) -> None:
        def close(data: bytes, rcv: Rcv) -> None:
            scene.got.append((data, rcv))
            scene.net.close_connection(rcv.conid)

        scene.net.on_message = close
        reader, writer = await scene.client()
        writer.write(MSG + MSG)
        assert await reader.read() == b""
        assert len(scene.got) == 1
        await end(writer)

    play(act)


def test_idle_connections_are_closed() -> None:
    async def act(scene: Scene) -> None:
        reader, writer = await scene.client()
        kept_reader, kept = await scene.client()
        kept.write(MSG)
        await scene.until(lambda: scene.got)
        assert scene.net.set_lifetime(scene.got[0][1].conid, 60.0)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        (info,) = scene.net.connections()
        assert (info.id, info.lifetime) == (scene.got[0][1].conid, 60.0)
        assert scene.net.set_lifetime(info.id, 0.01)
        assert await asyncio.wait_for(kept_reader.read(), 2) == b""
        await end(writer)
        await end(kept)

    play(act, options=NetOptions(tcp_connection_lifetime=0.05))


def test_too_many_connections_are_refused() -> None:
    async def act(scene: Scene) -> None:
        _, first = await scene.client()
        await scene.until(scene.net.connections)
        reader, second = await scene.client()
        with pytest.raises(ConnectionResetError):
            if await reader.read() == b"":
                raise ConnectionResetError
        assert len(scene.net.connections()) == 1
        assert not scene.net.send(MSG, Dest("tcp", "127.0.0.1", 9))
        assert "tcp_max_connections" in str(scene.net.last_error)
        await end(first)
        await end(second)

    play(act, options=NetOptions(tcp_max_connections=1))


def test_a_peer_that_does_not_read_is_limited_and_cut_off() -> None:
    async def act(scene: Scene) -> None:
        with socket.create_connection((scene.host, scene.listen.port)) as deaf:
            deaf.sendall(MSG)
            await scene.until(lambda: scene.got)
            rcv = scene.got[0][1]
            dest = Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid)
            big = b"x" * 30000
            sent = 0
            while scene.net.send(big, dest):
                sent += 1
                assert sent < 2000
            assert "tcp_conn_wq_max" in str(scene.net.last_error)
            assert 0 < scene.net.connections()[0].queued <= 60000
            await scene.until(lambda: not scene.net.connections())

    play(act, options=NetOptions(tcp_conn_wq_max=60000, tcp_send_timeout=0.1))


def test_all_slow_peers_together_are_limited() -> None:
    async def act(scene: Scene) -> None:
        with socket.create_connection((scene.host, scene.listen.port)) as deaf:
            deaf.sendall(MSG)
            await scene.until(lambda: scene.got)
            rcv = scene.got[0][1]
            dest = Dest("tcp", rcv.src_ip, rcv.src_port, rcv.listen, rcv.conid)
            while scene.net.send(b"x" * 30000, dest):
                pass
            assert "tcp_wq_max" in str(scene.net.last_error)

    play(act, options=NetOptions(tcp_conn_wq_max=1 << 30, tcp_wq_max=100000))


def test_an_exception_of_the_owner_spares_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def act(scene: Scene) -> None:
        take = scene.net.on_message

        def bad(data: bytes, rcv: Rcv) -> None:
            scene.net.on_message = take
            raise ValueError("a mistake in the owner")

        scene.net.on_message = bad
        _, writer = await scene.client()
        writer.write(MSG + MSG)
        await scene.until(lambda: scene.got)
        assert len(scene.net.connections()) == 1
        await end(writer)

    play(act)
    assert "a mistake in the owner" in caplog.text
