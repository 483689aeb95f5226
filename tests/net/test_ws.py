"""Frames without sockets: RFC 6455's examples, lengths, what is too long, fragments; and links of a network."""

import asyncio

import pytest

from ksrcore.net import loop as netloop
from ksrcore.net.address import Dest, Listen, Rcv, parse_listen
from ksrcore.net.network import Network
from ksrcore.net.transport import ListenError
from ksrcore.net.ws import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_MESSAGE,
    PING,
    PONG,
    TEXT,
    Fragments,
    Frame,
    FrameError,
    FrameReader,
    accept_key,
    close_payload,
    encode,
)
from lab.websocket import ACCEPT, KEY, MASK, Reader, frame, handshake


def test_the_key_of_the_rfc() -> None:
    assert accept_key(KEY) == ACCEPT
    assert accept_key("") == "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="  # Kamailio takes it


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"\x81\x05Hello", Frame(True, 0, TEXT, False, b"Hello")),
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Frame(True, 0, TEXT, True, b"Hello")),
        (b"\x01\x03Hel", Frame(False, 0, TEXT, False, b"Hel")),
        (b"\x80\x02lo", Frame(True, 0, CONTINUATION, False, b"lo")),
        (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Frame(True, 0, PONG, True, b"Hello")),
        (b"\xf3\x00", Frame(True, 7, 3, False, b"")),
    ],
)
def test_examples_of_the_rfc(wire: bytes, expected: Frame) -> None:
    assert FrameReader(1000).feed(wire) == [expected]
    reader = FrameReader(1000)
    found = [one for byte in wire for one in reader.feed(bytes([byte]))]
    assert found == [expected] and reader.pending == 0


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65535, 65536, 70001])
@pytest.mark.parametrize("mask", [b"", MASK])
def test_lengths(size: int, mask: bytes) -> None:
    payload = bytes(n * 7 & 0xFF for n in range(size))
    wire = encode(BINARY, payload, mask=mask)
    assert len(wire) - size - len(mask) == (2 if size < 126 else 4 if size < 65536 else 10)
    assert FrameReader(1 << 20).feed(wire) == [Frame(True, 0, BINARY, bool(mask), payload)]


def test_a_length_may_be_longer_than_it_has_to_be() -> None:
    assert FrameReader(99).feed(b"\x81\x7e\x00\x02hi\x81\x7f" + bytes(7) + b"\x02yo") == [
        Frame(True, 0, TEXT, False, b"hi"),
        Frame(True, 0, TEXT, False, b"yo"),
    ]


@pytest.mark.parametrize("head", [b"\x81\x7e\x27\x10", b"\x81\x7f" + b"\xff" * 8, b"\x81\x7f\0\0\0\0\0\0\x10\0"])
def test_too_long(head: bytes) -> None:
    reader = FrameReader(1000)
    assert [one.payload for one in reader.feed(b"\x81\x02hi" + head + b"x")] == [b"hi"]
    assert "the limit is 1000" in str(reader.error)
    assert reader.feed(b"\x81\x02hi") == [] and reader.pending == 0


def test_fragments() -> None:
    parts = Fragments()

    def take(opcode: int, payload: bytes, fin: bool = True) -> bytes | None:
        return parts.take(Frame(fin, 0, opcode, True, payload))

    assert take(TEXT, b"whole") == b"whole"
    assert take(TEXT, b"a", False) is None
    assert take(BINARY, b"between") == b"between"
    assert take(CONTINUATION, b"b", False) is None
    assert take(CONTINUATION, b"c") == b"abc"
    assert take(TEXT, b"dropped", False) is None
    assert take(TEXT, b"x", False) is None
    assert take(CONTINUATION, b"y") == b"xy"
    assert take(CONTINUATION, b"of nothing") == b"of nothing"
    take(TEXT, b"x" * MAX_MESSAGE, False)
    with pytest.raises(FrameError, match="65536 bytes or more"):
        take(CONTINUATION, b"x")


def test_close_payload() -> None:
    assert close_payload(1000, b"bye") == b"\x03\xe8bye"
    assert close_payload(70000, b"") == b"\x11\x70"


def test_a_place_over_websocket() -> None:
    tcp = parse_listen("tcp:127.0.0.1:5060 advertise 1.2.3.4:5070 name web")
    ws = tcp.over("ws")
    assert ws is not None and ws is tcp.over("ws") and ws.over("tcp") is tcp and ws.over("ws") is ws
    assert (ws.proto, ws.text, ws.name) == ("ws", "tcp:127.0.0.1:5060", "web") and ws != tcp
    assert ws.via_prefix == "Via: SIP/2.0/WS  1.2.3.4:5070;branch="  # both spaces are Kamailio's
    assert tcp.over("wss") is None and tcp.over("udp") is None and parse_listen("udp:127.0.0.1:5060").over("ws") is None


class Echo:
    """A link that keeps what comes and wraps messages in brackets."""

    proto = "ws"

    def __init__(self) -> None:
        self.came = b""
        self.gone = 0
        self.closing = False

    def feed(self, data: bytes, now: float) -> int:
        self.came += data
        return 1

    def wrap(self, data: bytes) -> bytes | None:
        return None if self.closing else b"[" + data + b"]"

    def lost(self) -> None:
        self.gone += 1


def test_a_link_takes_over() -> None:
    async def scene(net: Network, listen: Listen) -> None:
        link = Echo()
        rcvs: list[Rcv] = []

        def take(data: bytes, rcv: Rcv) -> None:
            rcvs.append(rcv)
            assert net.upgrade(rcv.conid, link) and not net.upgrade(rcv.conid, link)

        net.on_message = take
        reader, writer = await asyncio.open_connection("127.0.0.1", listen.port)
        writer.write(handshake(Content_Length="0"))
        while not rcvs:
            await asyncio.sleep(0.002)
        rcv = rcvs[0]
        ws = Dest("ws", rcv.src_ip, rcv.src_port)
        assert net.linked(ws) and net.linked(Dest("ws", "127.0.0.9", 1, conid=rcv.conid))
        assert not net.linked(Dest("ws", "127.0.0.9", 1))
        assert net.send(b"hello", ws)
        assert await reader.readexactly(7) == b"[hello]"
        assert net.write(rcv.conid, b"raw") and await reader.readexactly(3) == b"raw"
        # What is plain TCP's finds another connection, or none.
        assert not net.send(b"x", Dest("tcp", rcv.src_ip, rcv.src_port, flags=2))
        assert not net.send(b"x", Dest("ws", "127.0.0.9", 1))
        assert net.last_error is not None and "only the other side can open one" in str(net.last_error)
        assert not net.send(b"x", Dest("wss", rcv.src_ip, rcv.src_port))
        writer.write(b"more")
        while link.came != b"more":
            await asyncio.sleep(0.002)
        assert net.counters["tcp"].received == 2
        assert [info.proto for info in net.connections()] == ["ws"]
        link.closing = True
        assert not net.send(b"x", ws)
        assert net.write(rcv.conid, b"bye", close=True) and await reader.read() == b"bye"
        writer.close()
        while not link.gone:
            await asyncio.sleep(0.002)
        assert not net.write(rcv.conid, b"x") and not net.upgrade(rcv.conid, link) and not net.linked(ws)

    async def main() -> None:
        net, listen = Network(), Listen("tcp", "127.0.0.1", 0)
        await net.open([listen])
        try:
            async with asyncio.timeout(5):
                await scene(net, listen)
        finally:
            await net.close()

    netloop.run(main())


def test_the_socket_to_send_from() -> None:
    async def main() -> None:
        net, listen = Network(), Listen("tcp", "127.0.0.1", 0)
        await net.open([listen])
        try:
            assert net.pick_listen("ws", "127.0.0.1") is listen.over("ws")
            assert net.choose_listen("ws", "127.0.0.1", listen) is listen.over("ws")
            assert net.pick_listen("wss", "127.0.0.1") is None
        finally:
            await net.close()

    netloop.run(main())


def test_the_clients_own_frames() -> None:
    """The helper of tests is right about what it sends and reads."""
    reader = Reader()
    assert reader.feed(b"HTTP/1.1 101 x\r\n\r\n\x89") == [] and reader.answer.startswith(b"HTTP/1.1 101")
    assert reader.feed(b"\x01x\x88\x00") == [(PING, b"x"), (CLOSE, b"")]
    assert FrameReader(99).feed(frame(3, b"x", fin=False, reserved=5)) == [Frame(False, 5, 3, True, b"x")]


def test_websocket_has_no_sockets_of_its_own() -> None:
    async def main() -> None:
        net = Network()
        with pytest.raises(ListenError, match=r"no transport 'ws'; there are tcp, udp \(WebSocket comes by tcp: the"):
            await net.open([Listen("ws", "127.0.0.1", 0)])
        with pytest.raises(ListenError, match="no transport 'wss'; there are tcp, udp$"):
            await net.open([Listen("wss", "127.0.0.1", 0)])

    netloop.run(main())
