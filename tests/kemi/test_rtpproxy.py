"""KSR.rtpproxy against a socket that answers like an RTPproxy: commands and bodies as recorded from Kamailio 5.6.3."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench, load

(RECORDED,) = load("rtpproxy")


class FakeRtpproxy:
    """Answers each command; ``got`` are the commands after the first, the version."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got: list[str] = []
        self.address = ""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            data, peer = self.socket.recvfrom(4096)
            cookie, _, command = data.decode().partition(" ")
            if command == "end":
                return
            if command == "V":
                reply = "20040107"
            else:
                self.got.append(command)
                reply = f"35000{self.address}" if command[0] in "UL" else "0"
            self.socket.sendto(f"{cookie} {reply}\n".encode(), peer)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x end", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.socket.close()


@pytest.fixture
def fake() -> Iterator[FakeRtpproxy]:
    fake = FakeRtpproxy()
    yield fake
    fake.close()


@pytest.fixture
def bench(fake: FakeRtpproxy) -> Iterator[Bench]:
    bench = Bench([f"rtpproxy:rtpproxy_sock=udp:127.0.0.1:{fake.port}"])
    yield bench
    bench.proxy.modules["rtpproxy"].stop()


def test_as_in_kamailio(fake: FakeRtpproxy, bench: Bench) -> None:
    unlike: list[Any] = []
    for step in RECORDED["steps"]:
        fake.got.clear()
        results, _ = bench.request(step, [call for call, _ in step["calls"]])
        wanted = [result for _, result in step["calls"]], step["commands"]
        if (results, fake.got) != wanted:
            unlike.append((step["name"], wanted, (results, list(fake.got))))
    assert unlike == []


SDP = next(step for step in RECORDED["steps"] if step["name"] == "offer ")


def test_the_address_the_rtpproxy_gives(fake: FakeRtpproxy, bench: Bench) -> None:
    fake.address = " 2001:db8::1 6"
    calls = ["KSR.rtpproxy.rtpproxy_offer0()", "KSR.textopsx.msg_apply_changes()", 'KSR.pv.get("$rb")']
    results, _ = bench.request(SDP, calls)
    assert "c=IN IP6 2001:db8::1\r\n" in results[2]
    assert "192.168" not in results[2]


def test_one_that_is_gone_is_left_out_and_tried_again(fake: FakeRtpproxy) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    bench = Bench([f"rtpproxy:rtpproxy_sock=udp:127.0.0.1:{port}"])
    module: Any = bench.proxy.modules["rtpproxy"]
    manage = 'KSR.rtpproxy.rtpproxy_manage("co")'
    assert bench.request(SDP, [manage])[0] == [-3]
    assert bench.rpc("rtpproxy.list")[0]["disabled"] == 1
    module._sets[0][0].socket.port = fake.port
    bench.proxy.now += 59
    assert bench.request(SDP, [manage])[0] == [-3]
    bench.proxy.now += 2
    assert bench.request(SDP, [manage])[0] == [1]
    module.stop()


def test_an_operator_disables_one(fake: FakeRtpproxy, bench: Bench) -> None:
    url = f"udp:127.0.0.1:{fake.port}"
    assert bench.rpc("rtpproxy.enable", url, 0) == {}
    bench.proxy.now += 1000
    assert bench.request(SDP, ["KSR.rtpproxy.rtpproxy_offer0()"])[0] == [-3]
    assert bench.rpc("rtpproxy.enable", url, 1) == {}
    assert bench.request(SDP, ["KSR.rtpproxy.rtpproxy_offer0()"])[0] == [1]
    assert bench.rpc("rtpproxy.enable", "udp:x:1", 1) == "error 404: RTPProxy not found"


def test_a_sandbox_sends_nothing(fake: FakeRtpproxy, bench: Bench) -> None:
    run = bench.make(SDP)
    fork: Any = bench.proxy.modules["rtpproxy"].fork(bench.proxy)
    bench.proxy.sandbox = True
    assert fork.rtpproxy_offer0(run) == -3
    assert fake.got == []


def test_none_configured() -> None:
    assert Bench().request(SDP, ["KSR.rtpproxy.rtpproxy_manage0()"])[0] == [-3]


@pytest.mark.parametrize("text", ["tcp:1.2.3.4:5", "udp:", "x == udp:1.1.1.1:5", "udp:1.1.1.1:5=x", "udp:h:99999"])
def test_bad_sockets(text: str) -> None:
    with pytest.raises(ParamError, match="rtpproxy_sock expects"):
        Bench([f"rtpproxy:rtpproxy_sock={text}"])
