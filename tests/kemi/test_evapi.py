"""KSR.evapi with clients on real sockets: results, bytes and events as of Kamailio 5.6.3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.evapi import netstring, split_netstrings
from lab.ports import free_port
from tm.playbook import Playbook

SCRIPT = """
seen = []

def ksr_request_route(self, msg):
    return 1

def ksr_evapi(self, msg, evname):
    P = lambda name: KSR.pv.get("$evapi(%s)" % name)
    text = P("msg")
    self.seen.append((evname.partition(":")[2], P("srcaddr"), P("conidx"), text))
    if text == "close":
        self.seen.append(KSR.evapi.close())
    if text and text.startswith("tag "):
        self.seen.append(KSR.evapi.set_tag(text[4:]))
    if text == "relay":
        self.seen.append(KSR.evapi.relay("r:" + text))
    return 1
"""


class Talk:
    """A proxy with evapi, and clients; ``seen`` are the events since last asked."""

    def __init__(self, tmp_path: Path, *params: str) -> None:
        self.port = free_port()
        wanted = [f"evapi:bind_addr=127.0.0.1:{self.port}", "evapi:event_callback=ksr_evapi"]
        self.book = Playbook(tmp_path, SCRIPT, modparams=[*wanted, *(f"evapi:{param}" for param in params)])
        self.module: Any = self.book.proxy.modules["evapi"]
        script: Any = self.book.proxy.script
        self.ksr = script.ksr
        self._seen: list[Any] = script.handler.seen
        self._seen.clear()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def seen(self) -> list[Any]:
        await asyncio.sleep(0.03)
        found = self._seen[:]
        self._seen.clear()
        return found


def run(tmp_path: Path, fn: Callable[[Talk], Any], *params: str) -> None:
    async def main() -> None:
        talk = Talk(tmp_path, *params)
        try:
            await fn(talk)
        finally:
            talk.module.stop()
            await asyncio.sleep(0)

    asyncio.run(main())


async def got(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(1000), 0.05)
    except TimeoutError:
        return b""


def test_netstrings_from_clients_and_to_them(tmp_path: Path) -> None:
    async def talk(t: Talk) -> None:
        evapi = t.ksr.evapi
        assert [evapi.relay("nobody"), evapi.relay(""), evapi.close(), evapi.set_tag("x")] == [1, 1, -1, -1]
        a, to_a = await t.connect()
        b, to_b = await t.connect()
        assert await t.seen() == [("connection-new", "127.0.0.1", 0, None), ("connection-new", "127.0.0.1", 1, None)]
        assert evapi.relay("hello") == 1
        assert (await got(a), await got(b)) == (b"5:hello,", b"5:hello,")
        to_a.write(b"5:tag a,")
        to_b.write(b"5:ta")
        assert await t.seen() == [("message-received", "127.0.0.1", 0, "tag a"), 1]
        to_b.write(b"g b,3:one,")
        assert await t.seen() == [
            ("message-received", "127.0.0.1", 1, "tag b"), 1, ("message-received", "127.0.0.1", 1, "one")
        ]  # fmt: skip
        for function, args, first, second in (
            (evapi.relay_multicast, ("m", "a"), b"1:m,", b""),
            (evapi.relay_multicast, ("m", "zz"), b"", b""),
            (evapi.relay_multicast, ("m", ""), b"1:m,", b"1:m,"),
            (evapi.relay_unicast, ("u", "b"), b"", b"1:u,"),
            (evapi.relay_unicast, ("", "b"), b"", b"0:,"),
        ):
            assert function(*args) == 1
            assert (await got(a), await got(b)) == (first, second)
        to_a.write(b"5:relay,")
        assert await t.seen() == [("message-received", "127.0.0.1", 0, "relay"), 1]
        assert await got(b) == b"7:r:relay,"
        to_b.close()
        assert await t.seen() == [("connection-closed", "127.0.0.1", 1, None)]
        to_a.write(b"5:close,")
        assert await t.seen() == [("message-received", "127.0.0.1", 0, "close"), 0]
        assert await a.read() == b"7:r:relay,"
        to_a.close()

    run(tmp_path, talk)


def test_without_netstrings_and_too_many(tmp_path: Path) -> None:
    async def talk(t: Talk) -> None:
        a, to_a = await t.connect()
        await t.seen()
        b, to_b = await t.connect()
        assert await b.read() == b"" and await t.seen() == []
        to_a.write(b"3:abc")
        assert await t.seen() == [("message-received", "127.0.0.1", 0, "3:abc")]
        assert [t.ksr.evapi.relay(""), t.ksr.evapi.relay("x")] == [-1, 1]
        assert await got(a) == b"x"
        for writer in (to_a, to_b):
            writer.close()
        await asyncio.sleep(0.02)

    run(tmp_path, talk, "netstring_format=0", "max_clients=1")


REQUEST = """OPTIONS sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKe
From: <sip:alice@10.0.0.2>;tag=a
To: <sip:bob@10.0.0.3>
Call-ID: e
CSeq: 1 OPTIONS
Content-Length: 0

"""


def test_a_request_that_waits(tmp_path: Path) -> None:
    book = Playbook(
        tmp_path,
        'def ksr_request_route(self, msg):\n    self.got = KSR.evapi.async_relay("x")\n    return 1\n'
        'def ksr_on(self, msg):\n    KSR.tm.t_reply(200, "OK")\n    return 1\n',
    )
    assert book.feed(REQUEST) == []
    script: Any = book.proxy.script
    assert script.handler.got == 1
    ((index, label),) = book.tm.engine.labels
    assert script.ksr.tmx.t_continue(index, label, "ksr_on") == 1
    assert [sent.first for sent in book.take()] == ["SIP/2.0 200 OK"]


def test_a_client_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async def talk(t: Talk) -> None:
        reader, writer = await t.connect()
        await t.seen()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(200):
            t.ksr.evapi.relay("x" * 60000)
        assert t.module._server.clients == []
        writer.close()

    run(tmp_path, talk)


def test_a_sandbox_sends_nothing(tmp_path: Path) -> None:
    async def talk(t: Talk) -> None:
        reader, writer = await t.connect()
        await t.seen()
        fork = t.module.fork(t.book.proxy)
        t.book.proxy.sandbox = True
        assert fork.relay(t.book.proxy.fake_run(), "x") == 1
        assert await got(reader) == b""
        writer.close()
        t.book.proxy.sandbox = False

    run(tmp_path, talk)


@pytest.mark.parametrize(
    ("data", "found", "rest"),
    [
        (b"3:abc,", [b"abc"], b""),
        (b"xyz", [], b""),
        (b"3:abcX5:relay,", [], b""),
        (b"0:, 3:ab\n,\r\n", [b"ab\n"], b""),
        (b"12", [], b"12"),
        (b"5:ab", [], b"5:ab"),
        (b"99999999999:", [], b""),
        (b"1x:", [], b""),
    ],
)
def test_splitting(data: bytes, found: list[bytes], rest: bytes) -> None:
    assert split_netstrings(data) == (found, rest)
    assert netstring(b"abc") == b"3:abc,"


def test_bad_parameters(tmp_path: Path) -> None:
    for param in ("bind_addr=nonsense:port", "max_clients=0"):
        with pytest.raises(ParamError, match=r"bind_addr|from 1"):
            Talk(tmp_path, param)
