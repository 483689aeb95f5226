"""HEP over UDP: a listener and a sender on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from capture.samples import captured, message
from ksrcore.capture.captured import Captured
from ksrcore.capture.hep import encode
from ksrcore.net.address import AddressError
from ksrcore.net.hep import HepListener, HepSender, parse_hep
from ksrcore.net.transport import ListenError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp:127.0.0.1:9060", ("127.0.0.1", 9060)),
        ("UDP:localhost", ("127.0.0.1", 9060)),
        ("udp:[::1]:1", ("::1", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_hep(text) == address


@pytest.mark.parametrize("text", ["", "127.0.0.1:9060", "tcp:127.0.0.1:9060", "udp:", "udp:host:1", "udp:127.0.0.1:x"])
def test_no_address(text: str) -> None:
    with pytest.raises(AddressError, match="HEP"):
        parse_hep(text)


def test_from_one_to_the_other() -> None:
    async def run() -> None:
        got: list[tuple[Captured, str]] = []
        listener = HepListener(("127.0.0.1", 0), lambda: 7.5)
        listener.on_message = lambda m, sender: got.append((m, sender))
        sender = HepSender(("127.0.0.1", listener.port), 5)
        sender.send(captured(message()), "c1")
        sender.send(captured(message(), ("host", 1)))
        raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for data in (b"noise", encode(captured(b"no sip"))):
            raw.sendto(data, ("127.0.0.1", listener.port))
        for _ in range(100):
            if listener.received == 3:
                break
            await asyncio.sleep(0.005)
        assert [(m._replace(time=0), who) for m, who in got] == [(captured(message(), time=0), "127.0.0.1")]
        assert (listener.other, listener.bad, sender.sent, sender.failed) == (1, 1, 1, 1)
        for each in (listener, sender, raw):
            each.close()

    asyncio.run(run())


def test_a_port_in_use() -> None:
    async def run() -> None:
        first = HepListener(("127.0.0.1", 0), lambda: 0.0)
        with pytest.raises(ListenError):
            HepListener(("127.0.0.1", first.port), lambda: 0.0)
        first.close()

    asyncio.run(run())
