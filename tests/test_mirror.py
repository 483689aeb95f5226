"""HEP in and out of a proxy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from capture.samples import PROXY, UAC, UAS, captured, message
from ksrcore.capture.captured import Captured
from ksrcore.mirror import collect, mirroring
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy

LISTEN = Listen("udp", "127.0.0.1", 5060)


def make() -> Proxy:
    return Proxy(transmit=lambda data, dest: True, listens=[LISTEN])


def test_what_comes_is_recorded_and_not_routed() -> None:
    proxy = make()
    listener: Any = SimpleNamespace()
    collect(proxy, listener)
    told: list[int] = []
    proxy.recorder.on_record = lambda record: told.append(record.id)
    for each in (captured(), captured(dst=UAS, src=PROXY), captured(message("SIP/2.0 200 OK"), PROXY, UAC)):
        listener.on_message(each, "10.0.0.9")
    assert [(r.origin, r.out, r.src) for r in proxy.recorder] == [
        ("HEP from 10.0.0.9", False, UAC),
        ("HEP from 10.0.0.9", True, PROXY),
        ("HEP from 10.0.0.9", True, PROXY),
    ]
    assert told == [1, 2, 3]


def test_many_senders() -> None:
    proxy = make()
    listener: Any = SimpleNamespace()
    collect(proxy, listener)
    for number in range(300):
        listener.on_message(captured(), f"10.1.0.{number}")
    assert len(proxy.recorder) == 300


def test_what_is_mirrored() -> None:
    proxy = make()
    sent: list[tuple[Captured, str]] = []
    sender: Any = SimpleNamespace(send=lambda m, callid: sent.append((m, callid)))
    mirror = mirroring(proxy, sender)
    record = proxy.recorder.add(1.5, Rcv("udp", *UAC, *PROXY, LISTEN), message().decode())
    mirror(record)
    mirror(proxy.recorder.insert(1.5, record.where, record.data, "x.pcap"))
    mirror(proxy.recorder.add(1.5, record.where, message().decode().replace("Call-ID:", "i:")))
    assert sent == [(captured(time=1.5, out=False), "c1"), (captured(sent[1][0].data, time=1.5, out=False), "")]
