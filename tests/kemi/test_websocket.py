"""The websocket module on real connections of loopback, the client's frames made by hand.

What is expected of Kamailio's answers was seen on Kamailio 5.6.3; tests/parity/cases/websocket compares both.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.control.rpc_stats import StatsRpc
from ksrcore.debug.sandbox import Sandbox
from ksrcore.kemi.declare import ParamError, RpcError
from ksrcore.kemi.websocket import STATISTICS, Websocket
from ksrcore.net import loop as netloop
from ksrcore.net.address import Listen, Rcv
from ksrcore.net.network import Network
from ksrcore.net.transport import NetOptions
from ksrcore.run import EVENT_ROUTE
from ksrcore.sip.http import parse_http
from lab.websocket import ACCEPT, Came, Reader, frame, handshake

SCRIPT = """
import KSR
seen = []
def ksr_xhttp_event(msg, evname):
    seen.append(KSR.websocket.handle_handshake())
    if KSR.pv.get("$hu") == "/twice":
        seen.append((KSR.pv.get("$proto"), KSR.websocket.handle_handshake()))
    return 1
def ksr_websocket_event(msg, evname):
    seen.append((evname, KSR.pv.get("$si"), KSR.pv.get("$proto"), KSR.pv.get("$ws_conid")))
    return 1
def ksr_request_route(msg):
    user = KSR.pv.get("$rU")
    seen.append((KSR.pv.get("$proto"), KSR.pv.get("$ws_conid") == KSR.pv.get("$conid")))
    if user == "close":
        seen.append((KSR.websocket.close_reason(4000, "Because"), KSR.sl.send_reply(200, "Fine")))
    elif user == "conid":
        seen.append(KSR.websocket.close_conid(1000, "x", 999))
    elif user == "latin":
        KSR.sl.send_reply(200, "\\udce4")
    elif user == "to":
        KSR.pv.sets("$du", "sip:127.0.0.1:%s;transport=ws" % KSR.pv.get("$hdr(X-Port)"))
        seen.append(KSR.tm.t_relay())
    elif user == "hs":
        seen.append(KSR.websocket.handle_handshake())
    else:
        KSR.sl.send_reply(200, "Fine")
    return 1
"""

OPTIONS = """OPTIONS sip:{user}@example.com SIP/2.0\r
Via: SIP/2.0/WS x.invalid;branch=z9hG4bK{n}\r
From: <sip:alice@example.com>;tag=1\r
To: <sip:bob@example.com>\r
Call-ID: {n}\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
{extra}\r
"""


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """A loaded script is a module of the process: gone with its test."""
    yield
    for name in ("routes", "KSR"):
        sys.modules.pop(name, None)


class Client:
    """A WebSocket client: its connection, and the frames that came and were not yet asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.frames = Reader()
        self.came: list[Came] = []

    @property
    def port(self) -> int:
        return int(self.writer.get_extra_info("sockname")[1])

    async def read(self) -> bool:
        """Something more; False: the server has closed."""
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            data = b""
        self.came += self.frames.feed(data) if data else []
        return bool(data)

    async def get(self) -> Came | None:
        """The next frame; None when the server has closed."""
        while not self.came:
            if not await self.read():
                return None
        return self.came.pop(0)

    async def ask(self, data: bytes) -> Came | None:
        self.writer.write(data)
        return await self.get()

    async def options(self, user: str = "bob", extra: str = "") -> Came | None:
        return await self.ask(frame(1, options(user, extra)))


def options(user: str = "bob", extra: str = "") -> bytes:
    return OPTIONS.format(user=user, n=f"{user}1", extra=extra).encode()


class Scene:
    """A proxy on a network, with the script above."""

    def __init__(self, folder: Path, net: Network, listen: Listen, modparams: tuple[str, ...]) -> None:
        (folder / "routes.py").write_text(SCRIPT)
        self.net = net
        self.listen = listen
        self.loop = asyncio.get_running_loop()
        self.proxy, ksr = make_proxy(
            transmit=net.send,
            listens=net.listens,
            modparams=(
                "xhttp:event_callback=ksr_xhttp_event",
                "websocket:event_callback=ksr_websocket_event",
                *modparams,
            ),
            now=self.loop.time(),
            wall=time.time(),
        )
        script: Any = load_script(str(folder / "routes.py"), self.proxy, ksr)
        self.seen: list[Any] = script.module.seen
        self.proxy.network = net
        self.proxy.pick_listen = net.pick_listen
        net.on_message = lambda data, rcv: self.proxy.receive(data, rcv, self.loop.time())
        self.module: Websocket = self.proxy.module("websocket")
        self.writers: list[asyncio.StreamWriter] = []

    async def tcp(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.listen.port))
        self.writers.append(client.writer)
        return client

    async def ws(self) -> Client:
        """A client whose handshake is done."""
        client = await self.tcp()
        answer = await self.answer(handshake(), client)
        assert answer.startswith("HTTP/1.1 101 Switching Protocols\r\n"), answer
        self.seen.clear()
        return client

    async def answer(self, request: bytes, client: Client | None = None) -> str:
        client = client or await self.tcp()
        client.writer.write(request)
        while not client.frames.answer:
            if not await client.read():
                break
        return client.frames.answer.decode()

    def rpc(self, name: str, *params: Any) -> Any:
        self.proxy.now = max(self.proxy.now, self.loop.time())
        return getattr(self.module, Websocket.rpcs[name])(list(params))

    def ids(self) -> list[int]:
        return [int(line.partition(":")[0]) for line in self.rpc("ws.dump")["connections"]]

    def later(self, seconds: int) -> None:
        """So much later, second by second."""
        start = max(self.proxy.now, self.loop.time())
        for second in range(1, seconds + 1):
            self.proxy.advance(start + second)

    def stat(self, name: str) -> int:
        return self.proxy.counters[f"websocket:ws_{name}"]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def run(scene: Callable[[Scene], Awaitable[None]], *modparams: str) -> None:
        async def main() -> None:
            net, listen = Network(NetOptions(tcp_accept_no_cl=True)), Listen("tcp", "127.0.0.1", 0)
            await net.open([listen, Listen("udp", "127.0.0.1", 0)])
            place = Scene(tmp_path, net, listen, modparams)
            try:
                async with asyncio.timeout(10):
                    await scene(place)
            finally:
                for writer in place.writers:
                    writer.close()
                await net.close()
                place.module.stop()

        netloop.run(main())

    return run


TCP = Listen("tcp", "127.0.0.1", 5060)
Play = Callable[..., None]


# -- the handshake ----------------------------------------------------------------------------------------------------


def test_a_handshake(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.tcp()
        answer = await s.answer(handshake("/twice"), client)
        assert answer == (
            "HTTP/1.1 101 Switching Protocols\r\n"
            f"Sia: SIP/2.0/TCP 127.0.0.1:{client.port}\r\n"
            "Sec-WebSocket-Protocol: sip\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            f"Sec-WebSocket-Accept: {ACCEPT}\r\n{s.proxy.server_header}\r\nContent-Length: 0\r\n\r\n"
        )
        assert s.seen == [1, ("ws", 0)]
        assert (s.stat("successful_handshakes"), s.stat("sip_successful_handshakes")) == (1, 1)
        assert (s.stat("current_connections"), s.stat("sip_max_concurrent_connections")) == (1, 1)

    play(scene)


REQUIRED = "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize(
    ("request_", "code", "fields"),
    [
        (handshake(drop="Upgrade"), 400, REQUIRED),
        (handshake(Upgrade="h2c"), 400, REQUIRED),
        (handshake(drop="Connection"), 400, REQUIRED),
        (handshake(Connection="close"), 400, REQUIRED),
        (handshake(drop="Sec-WebSocket-Key"), 400, REQUIRED),
        (handshake(drop="Sec-WebSocket-Protocol"), 400, REQUIRED),
        (handshake(Sec_WebSocket_Protocol="msrp"), 400, REQUIRED),
        (handshake(drop="Sec-WebSocket-Version"), 400, REQUIRED),
        (handshake(Sec_WebSocket_Version="8"), 426, "Sec-WebSocket-Version: 13\r\n"),
        (handshake(Sec_WebSocket_Version="x"), 426, "Sec-WebSocket-Version: 13\r\n"),
        (handshake(sec_websocket_key="again"), 400, ""),
        (handshake(sec_websocket_version="13"), 400, ""),
        (handshake(Origin="http://a", origin="http://b"), 400, ""),
    ],
)
def test_handshakes_that_are_refused(play: Play, request_: bytes, code: int, fields: str) -> None:
    async def scene(s: Scene) -> None:
        client = await s.tcp()
        answer = await s.answer(request_, client)
        reason = {400: "Bad Request", 426: "Upgrade Required"}[code]
        assert answer.startswith(f"HTTP/1.1 {code} {reason}\r\nSia: ")
        assert answer.partition("\r\n")[2].partition("\r\n")[2].startswith(fields + "Server:")
        assert s.seen == [0] and s.stat("failed_handshakes") == 1 and s.stat("current_connections") == 0
        assert not await client.read()

    play(scene)


def test_odd_handshakes_that_are_taken(play: Play) -> None:
    async def scene(s: Scene) -> None:
        for fields in (
            {"Upgrade": "h2c, WebSocket", "Connection": "keep-alive, Upgrade"},
            {"Sec_WebSocket_Protocol": "foo, SIP"},
            {"Sec_WebSocket_Version": "13x"},
            {"Sec_WebSocket_Key": ""},
        ):
            assert (await s.answer(handshake(**fields))).startswith("HTTP/1.1 101 ")
        assert len(s.ids()) == 4

    play(scene)


@pytest.mark.parametrize(("mode", "expected"), [(0, ""), (1, "*"), (2, "http://a.example")])
def test_cors(play: Play, mode: int, expected: str) -> None:
    async def scene(s: Scene) -> None:
        answer = await s.answer(handshake(Origin="http://a.example"))
        assert answer.count("Access-Control-Allow-Origin") == bool(expected)
        assert not expected or f"\r\nAccess-Control-Allow-Origin: {expected}\r\nSec-WebSocket-Protocol" in answer
        if mode == 2:
            assert "Access-Control" not in await s.answer(handshake())

    play(scene, f"websocket:cors_mode={mode}")


def test_disabled_and_enabled(play: Play) -> None:
    async def scene(s: Scene) -> None:
        assert s.rpc("ws.disable") == {} == s.rpc("ws.disable")
        assert (await s.answer(handshake())).startswith("HTTP/1.1 503 Service Unavailable\r\n")
        assert s.rpc("ws.enable") == {}
        await s.ws()

    play(scene)


def test_a_handshake_where_there_is_none(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        client.writer.write(frame(1, options("hs")))
        assert (await client.ask(frame(9, b"x"))) == (10, b"x") and s.seen == [("ws", True), 0]

    play(scene)


# -- messages ---------------------------------------------------------------------------------------------------------


def test_messages(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        for data in (
            frame(1, options()),
            frame(2, options()),
            frame(1, options()[:50], fin=False) + frame(0, options()[50:90], fin=False) + frame(0, options()[90:]),
        ):
            came = await client.ask(data)
            assert came is not None and came.opcode == 1
            assert came.payload.startswith(
                b"SIP/2.0 200 Fine\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKbob1;received=127.0.0.1\r\n"
            )
        assert s.seen == [("ws", True)] * 3
        assert (s.stat("received_frames"), s.stat("sip_received_frames"), s.stat("sip_transmitted_frames")) == (5, 3, 3)
        records = list(s.proxy.recorder.records)[-2:]
        assert [(record.proto, record.out) for record in records] == [("ws", False), ("ws", True)]
        assert records[1].dst == ("127.0.0.1", client.port)

    play(scene)


def test_two_messages_in_one_write_and_one_in_many(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        client.writer.write(frame(1, options("a")) + frame(1, options("b")))
        first, second = await client.get(), await client.get()
        assert first and second and b"Call-ID: a1" in first.payload and b"Call-ID: b1" in second.payload
        data = frame(1, options("c"))
        for at in range(0, len(data), 40):
            client.writer.write(data[at : at + 40])
            await client.writer.drain()
            await asyncio.sleep(0)
        came = await client.get()
        assert came and b"Call-ID: c1" in came.payload

    play(scene)


def test_what_is_not_utf_8_is_binary(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        came = await client.options("latin")
        assert came is not None and came.opcode == 2 and came.payload.startswith(b"SIP/2.0 200 \xe4\r\n")

    play(scene)


def test_relayed_to_a_connection_that_is_open(play: Play) -> None:
    async def scene(s: Scene) -> None:
        alice, bob = await s.ws(), await s.ws()
        alice.writer.write(frame(1, options("to", f"X-Port: {bob.port}\r\n")))
        came = await bob.get()
        assert came is not None and s.seen[-1] == 1
        lines = came.payload.decode().split("\r\n")
        assert lines[0] == "OPTIONS sip:to@example.com SIP/2.0"
        assert lines[1].startswith(f"Via: SIP/2.0/WS  127.0.0.1:{s.listen.port};branch=") and ";i=" not in lines[1]
        assert lines[2] == "Via: SIP/2.0/WS x.invalid;received=127.0.0.1;branch=z9hG4bKto1"
        reply = came.payload.decode().replace(lines[0], "SIP/2.0 200 OK")
        bob.writer.write(frame(1, reply.encode()))
        back = await alice.get()
        assert back is not None and back.payload.startswith(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/WS x.invalid;")
        assert s.proxy.recorder.records[-1].proto == "ws"

    play(scene)


def test_relayed_to_nobody(play: Play) -> None:
    async def scene(s: Scene) -> None:
        alice = await s.ws()
        came = await alice.options("to", "X-Port: 9\r\n")
        assert s.seen[-1] == -2 and came is not None and came.payload.startswith(b"SIP/2.0 500 No error (2/TM)\r\n")

    play(scene)


def test_what_cannot_be_read_ends_the_connection(play: Play) -> None:
    async def scene(s: Scene) -> None:
        for data in (b"", b"hello", b"\0\0\0\0", b"\r\n\r\n\r\n", options().replace(b"Via: SIP/2.0/WS", b"X: Y")):
            client = await s.ws()
            assert await client.ask(frame(1, data)) is None, data
        assert s.ids() == [] and s.stat("local_closed_connections") == 0

    play(scene)


# -- frames -----------------------------------------------------------------------------------------------------------


def test_pings_and_keepalives(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        for payload in (b"", b"hello", b"x" * 126):
            assert await client.ask(frame(9, payload)) == (10, payload)
        for text in (b"\r\n", b"\r\n\r\n"):
            assert await client.ask(frame(10, b"?") + frame(1, text)) == (1, b"\r\n")
        assert s.seen == []

    play(scene)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(1, b"x", masked=False), (1002, b"Protocol error")),
        (frame(9, b"", masked=False), (1002, b"Protocol error")),
        (frame(1, b"x", reserved=4), (1002, b"Protocol error")),
        (frame(3, b"x"), (1008, b"Unsupported opcode")),
        (frame(15, b"x"), (1008, b"Unsupported opcode")),
        (frame(8, b"\x03\xe9going"), (1000, b"Normal closure")),
        (frame(8, b""), (1000, b"Normal closure")),
        (frame(9, b"x", fin=False), None),
        (b"\x81\xff" + struct.pack("!Q", 1 << 40), None),
    ],
)
def test_frames_that_end_the_connection(play: Play, data: bytes, expected: tuple[int, bytes] | None) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        if expected is not None:
            assert await client.ask(data) == (8, struct.pack("!H", expected[0]) + expected[1])
        else:
            client.writer.write(data)
        assert await client.get() is None
        while s.net.connections():
            await asyncio.sleep(0.002)
        closed = s.stat("local_closed_connections"), s.stat("remote_closed_connections")
        assert closed == ((0, 0) if expected is None else (0, 1) if expected[0] == 1000 else (1, 0))
        assert s.stat("current_connections") == 1
        s.later(6)
        assert s.stat("current_connections") == 0 and not s.module.connections
        # The event is for those that a close frame of either side ended in order.
        conid = len(s.seen) and s.seen[0][3]
        expecting = expected is not None and expected[0] == 1000
        assert s.seen == ([("websocket:closed", "127.0.0.1", "tcp", conid)] if expecting else [])
        assert s.proxy.next_timer() is None or not s.module._timers

    play(scene)


def test_too_much_in_fragments(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        client.writer.write(frame(1, b"x" * 40000, fin=False) + frame(0, b"x" * 40000, fin=False))
        assert await client.get() is None

    play(scene)


# -- closing ----------------------------------------------------------------------------------------------------------


def test_closed_by_the_script(play: Play) -> None:
    async def closing(s: Scene) -> None:
        client = await s.ws()
        assert await client.options("close") == (8, b"\x0f\xa0Because")
        assert s.seen == [("ws", True), (1, -1)]  # nothing leaves after it
        assert "state: CLOSING," in s.rpc("ws.dump")["connections"][0]
        assert await client.ask(frame(8, b"\x0f\xa0")) is None
        s.seen.clear()
        s.later(6)
        assert [seen[0] for seen in s.seen] == ["websocket:closed"]
        assert s.stat("local_closed_connections") == 1 == s.stat("sip_local_closed_connections")

    async def unknown(s: Scene) -> None:
        client = await s.ws()
        client.writer.write(frame(1, options("conid")))
        assert await client.ask(frame(9)) == (10, b"") and s.seen[-1] == -1

    play(closing)
    play(unknown)


def test_a_peer_that_goes_away(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        client.writer.close()
        while s.net.connections():
            await asyncio.sleep(0.002)
        assert s.ids() == [] and s.stat("current_connections") == 1
        s.later(7)
        assert s.stat("current_connections") == 0 and s.seen == []

    play(scene)


# -- RPC and keepalives -----------------------------------------------------------------------------------------------


def test_commands(play: Play) -> None:
    async def scene(s: Scene) -> None:
        assert s.rpc("ws.dump") == {"connections": [], "info": {"wscounter": 0, "truncated": "no"}}
        client = await s.ws()
        other = await s.ws()
        first, second = s.ids()
        s.module.connections[first].last_used += 5
        found = s.rpc("ws.dump", "used_desc")
        assert [line.partition(":")[0] for line in found["connections"]] == [str(second), str(first)]
        assert s.rpc("ws.dump", "used_asc")["connections"][1] == (
            f"{second}: ws:127.0.0.1:{other.port} -> ws:127.0.0.1:{s.listen.port} "
            "(state: OPEN,  last used 0s ago, sub-protocol: sip)"
        )
        s.module.connections[first].last_used -= 5
        data = s.proxy.server_header.partition(": ")[2].encode()
        assert s.rpc("ws.pong", first) == {} and await client.get() == (10, data)
        assert s.rpc("ws.ping", first) == {} and await client.get() == (9, data)
        assert "state: OPEN, awaiting Pong," in s.rpc("ws.dump")["connections"][0]
        assert await client.ask(frame(10, data) + frame(9, b"x")) == (10, b"x")
        assert "awaiting" not in s.rpc("ws.dump")["connections"][0]
        assert s.rpc("ws.close", str(first)) == {} and await client.get() == (8, b"\x03\xe8Normal closure")
        with pytest.raises(RpcError, match="Error sending frame"):
            s.rpc("ws.ping", first)
        assert s.rpc("ws.close", first) == {} and await client.get() is None and s.ids() == [second]
        for name in ("ws.ping", "ws.pong", "ws.close"):
            with pytest.raises(RpcError, match="Invalid Parameters"):
                s.rpc(name)
            for wrong in (99999, "abc", first):
                with pytest.raises(RpcError, match="Unknown connection ID") as caught:
                    s.rpc(name, wrong)
                assert caught.value.code == 500
        with pytest.raises(RpcError, match="Bad display order parameter"):
            s.rpc("ws.dump", "foo")

    play(scene)


def test_only_fifty_are_shown(play: Play) -> None:
    async def scene(s: Scene) -> None:
        await asyncio.gather(*(s.ws() for _ in range(51)))
        found = s.rpc("ws.dump")
        assert len(found["connections"]) == 50 and found["info"] == {"wscounter": 50, "truncated": "yes"}

    play(scene)


def test_statistics_are_known(play: Play) -> None:
    async def scene(s: Scene) -> None:
        found = StatsRpc(s.proxy).get_statistics(["websocket:"])
        assert sorted(found) == sorted(f"websocket:{name} = 0" for name in STATISTICS) and len(found) == 25

    play(scene)


def test_a_silent_peer_is_pinged_and_then_ended(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        s.later(2)
        assert s.stat("transmitted_frames") == 0
        s.later(1)
        assert await client.get() == (9, b"ksr")
        await client.ask(frame(10, b"ksr") + frame(9))
        s.later(4)
        assert await client.get() == (9, b"ksr")
        s.later(3)
        assert await client.get() is None
        s.seen.clear()
        s.later(7)
        assert [seen[0] for seen in s.seen] == ["websocket:closed"]

    play(scene, "websocket:keepalive_timeout=2", "websocket:ping_application_data=ksr")


def test_pongs_as_keepalives(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        for _ in range(3):
            s.later(3)
            assert await client.get() == (10, b"ksr")

    play(
        scene,
        "websocket:keepalive_mechanism=2",
        "websocket:keepalive_timeout=2",
        "websocket:ping_application_data=ksr",
    )


# -- parameters, sandboxes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "param", ["sub_protocols=0", "sub_protocols=2", "cors_mode=3", "cors_mode=-1", "timer_interval=0"]
)
def test_parameters_that_are_refused(param: str) -> None:
    with pytest.raises(ParamError, match=param.partition("=")[0]):
        make_proxy(transmit=lambda data, dest: True, listens=[TCP], modparams=[f"websocket:{param}"], now=0.0, wall=0.0)


def test_both_sub_protocols_are_one() -> None:
    proxy, _ = make_proxy(
        transmit=lambda data, dest: True,
        listens=[TCP],
        modparams=["websocket:sub_protocols=3"],
        now=0.0,
        wall=0.0,
    )
    assert proxy.module("websocket").sub_protocols == 3


def test_a_sandbox_changes_nothing(play: Play) -> None:
    async def scene(s: Scene) -> None:
        client = await s.ws()
        (conid,) = s.ids()
        came = await client.options()
        assert came is not None
        box = Sandbox(s.proxy, s.proxy.recorder.records[-2])
        module = box.proxy.module("websocket")
        assert module.connections[conid] is not s.module.connections[conid]
        assert module.connections[conid].close(1000, "x") and module.connections[conid].state == "CLOSING"
        module.connections[conid].end()
        assert s.module.connections[conid].state == "OPEN"
        assert await client.ask(frame(9)) == (10, b"")

    play(scene)


def test_without_a_network() -> None:
    """A proxy without sockets answers, and has no connection."""
    sent: list[bytes] = []

    def transmit(data: bytes, dest: Any) -> bool:
        sent.append(data)
        return True

    proxy, ksr = make_proxy(transmit=transmit, listens=[TCP], now=0.0, wall=0.0)
    run = proxy.fake_run()
    run.route = EVENT_ROUTE
    run.msg = parse_http(handshake().decode(), Rcv("tcp", "127.0.0.1", 40001, "127.0.0.1", 5060, TCP, 7))
    proxy.env.run = run
    assert ksr.websocket.handle_handshake() == 0
    assert len(sent) == 1 and proxy.counters["websocket:ws_failed_handshakes"] == 1
