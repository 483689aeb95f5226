"""KSR.rtpengine with Debian's rtpengine: a call whose media goes through it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ksrcore.net.address import Rcv
from ksrcore.run import CORE_ONREPLY_ROUTE, Run
from ksrcore.sip.message import SipMessage, parse_message
from lab import services
from lab.sequence import PORT, Bench


def sdp(port: int) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        f"a=sendrecv\r\n"
    )


INVITE = {
    "method": "INVITE",
    "callid": "live",
    "from": "<sip:alice@ex.com>;tag=ta",
    "fields": ["Content-Type: application/sdp"],
}
BYE = {"method": "BYE", "callid": "live", "from": "<sip:alice@ex.com>;tag=ta", "to": "<sip:bob@ex.com>;tag=tb"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with services.rtpengine(tmp_path_factory.mktemp("rtpengine")) as port:
        yield port


@pytest.fixture
def bench(port: int) -> Iterator[Bench]:
    bench = Bench(
        [
            f"rtpengine:rtpengine_sock=udp:127.0.0.1:{port}",
            "rtpengine:rtpengine_tout_ms=500",
            "rtpengine:rtp_inst_pvar=$var(inst)",
        ]
    )
    yield bench
    bench.proxy.modules["rtpengine"].stop()


def reply(bench: Bench, body: str) -> Run:
    """A run over the 200 of the callee."""
    text = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:{PORT};branch=z9hG4bKlive.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:5555;branch=z9hG4bK1\r\nFrom: <sip:alice@ex.com>;tag=ta\r\n"
        f"To: <sip:bob@ex.com>;tag=tb\r\nCall-ID: live\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    rcv = Rcv("udp", "127.0.0.1", 5556, "127.0.0.1", PORT, bench.proxy.listens[0])
    fake = bench.proxy.fake_run()
    run = Run(bench.proxy, parse_message(text.encode(), rcv), CORE_ONREPLY_ROUTE, fake.record, fake.avps)
    bench.run = bench.proxy.env.run = run
    return run


def media(msg: SipMessage) -> int:
    """The port of the SDP as it goes out."""
    body = msg.lumps.apply(msg.buf, msg.body_at, len(msg.buf), None)  # type: ignore[arg-type]
    found = re.search(r"m=audio (\d+) ", body)
    assert found is not None, body
    return int(found[1])


def test_a_call(bench: Bench, port: int) -> None:
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as alice,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as bob,
    ):
        for sock in (alice, bob):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        ports = alice.getsockname()[1], bob.getsockname()[1]
        run = bench.make({**INVITE, "body": sdp(ports[0])})
        assert bench.ksr.rtpengine.rtpengine_offer("replace-origin ICE=remove") == 1
        assert bench.ksr.pv.get("$var(inst)") == f"udp:127.0.0.1:{port}"
        to_bob = media(run.msg)
        run = reply(bench, sdp(ports[1]))
        assert bench.ksr.rtpengine.rtpengine_manage0() == 1
        to_alice = media(run.msg)
        assert len({to_bob, to_alice, *ports}) == 4

        packet = b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07" + b"\xff" * 160
        alice.sendto(packet, ("127.0.0.1", to_alice))
        assert bob.recvfrom(2000) == (packet, ("127.0.0.1", to_bob))
        bob.sendto(packet, ("127.0.0.1", to_bob))
        assert alice.recvfrom(2000)[1] == ("127.0.0.1", to_alice)

        bench.make(BYE)
        ksr = bench.ksr.rtpengine
        assert ksr.rtpengine_query0() == 1
        assert bench.ksr.pv.get("$rtpstat") == (
            "RTP: 344 bytes, 2 packets, 0 errors; RTCP: 0 bytes, 0 packets, 0 errors"
        )
        assert ksr.rtpengine_query_v("j", "$var(q)") == 1
        assert '"tag":"tb"' in bench.ksr.pv.get("$var(q)")

        for name in ("block_media", "unblock_media", "silence_media", "unsilence_media", "block_dtmf", "unblock_dtmf"):
            assert getattr(ksr, f"{name}0")() == 1, name
            assert getattr(ksr, name)("directional") == 1, name
            assert getattr(ksr, name)("from-tag=nobody") == -1, name
        assert ksr.start_recording() == 1
        assert ksr.stop_recording() == 1
        assert ksr.start_forwarding("directional") == 1
        assert ksr.stop_forwarding("directional") == 1
        assert ksr.play_media("") == -1  # no file is named
        assert ksr.play_media("file=/nonexistent.wav") == -1
        assert ksr.stop_media0() == 1
        assert ksr.play_dtmf("code=99") == -1
        module: Any = bench.proxy.modules["rtpengine"]
        assert module.rpc_get_hash_total([]) == 1
        assert ksr.rtpengine_manage("delete-delay=0") == 1
        assert ksr.rtpengine_query0() == -1
        assert bench.ksr.pv.get("$rtpstat") is None


def test_an_unknown_call(bench: Bench) -> None:
    bench.make({**BYE, "callid": "unknown"})
    ksr = bench.ksr.rtpengine
    for result in (
        ksr.rtpengine_query0(),
        ksr.rtpengine_query_v("jp", "$var(q)"),
        ksr.start_recording(),
        ksr.stop_recording(),
        ksr.block_media0(),
        ksr.play_media("file=/nonexistent.wav"),
        ksr.stop_media0(),
        ksr.play_dtmf("code=1"),
    ):
        assert result == -1
    # rtpengine says ok with a warning, as it does to Kamailio.
    assert ksr.rtpengine_delete0() == 1


def test_an_sdp_it_does_not_take(bench: Bench) -> None:
    run = bench.make({**INVITE, "callid": "bad", "body": "no SDP at all\r\n"})
    assert bench.ksr.rtpengine.rtpengine_offer0() == -1
    assert bench.ksr.rtpengine.rtpengine_manage0() == -1
    assert not len(run.msg.lumps)


def test_the_process_is_gone(tmp_path: Path) -> None:
    with services.rtpengine(tmp_path) as port:
        bench = Bench([f"rtpengine:rtpengine_sock=udp:127.0.0.1:{port}", "rtpengine:rtpengine_tout_ms=200"])
        module: Any = bench.proxy.modules["rtpengine"]
        assert module.rpc_ping(["all"]) == {"url": "all", "status": "success"}
    bench.make({**INVITE, "callid": "gone", "body": sdp(4000)})
    assert bench.ksr.rtpengine.rtpengine_offer0() == -1
    (shown,) = module.rpc_show(["all"])
    assert (shown["disabled"], shown["recheck_ticks"]) == (1, 60)
    with services.rtpengine(tmp_path, port):
        assert module.rpc_enable([f"udp:127.0.0.1:{port}", 1])["status"] == "enable"
        assert bench.ksr.rtpengine.rtpengine_offer0() == 1
    module.stop()
