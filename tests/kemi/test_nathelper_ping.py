"""ksrcore.kemi.nathelper_ping: keepalive pings to registered contacts, as recorded from Kamailio 5.6.3.

There a contact with sipping_bflag got an OPTIONS and one without four zero bytes, each to its received address, the
From tag saying which contact it is.
"""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Rcv
from ksrcore.store.contact import Contact
from lab.observed import UDP, WALL, load

from .conftest import Bench, MakeRun

TEXT = load("maxfwd_corex")[0]["text"]
NAT, SIP, NEVER = 1 << 6, 1 << 7, 1 << 8
PARAMS = (
    "nathelper:natping_interval=3",
    "nathelper:ping_nated_only=1",
    "nathelper:sipping_bflag=7",
    "nathelper:natping_disable_bflag=8",
    "nathelper:sipping_from=sip:pinger@example.com",
    "usrloc:nat_bflag=6",
    "usrloc:db_mode=0",
)


def contact(bench: Bench, user: str, cflags: int, received: str = "", uri: str = "") -> Contact:
    table = bench.proxy.module("usrloc").tables["location"]
    made: Contact = table.insert(
        Contact(
            aor=user, ruid=f"r-{user}", contact=uri or f"sip:{user}@10.0.0.1:5060", expires=int(WALL) + 3600,
            received=received, cflags=cflags, socket=UDP.text,
        )
    )  # fmt: skip
    return made


def run(bench: Bench, start: float, seconds: int) -> None:
    for second in range(1, seconds + 1):
        bench.proxy.advance(start + second)


def test_who_is_pinged_and_how(make_run: MakeRun) -> None:
    bench = make_run(TEXT, modparams=PARAMS)
    contact(bench, "udp", NAT, "sip:192.0.2.1:4001")
    contact(bench, "sip", NAT | SIP, "sip:192.0.2.2:4002")
    contact(bench, "open", SIP)
    contact(bench, "never", NAT | NEVER)
    contact(bench, "tcp", NAT, "sip:192.0.2.3:4003;transport=tcp")
    contact(bench, "name", NAT, uri="sip:name@host.example.net")
    run(bench, 10.0, 5)
    sent = sorted((dest.text, text) for dest, text in bench.sent)
    assert [where for where, _ in sent] == ["udp:192.0.2.1:4001", "udp:192.0.2.2:4002"]
    assert sent[0][1] == "\0\0\0\0"
    assert sent[1][1].split("\r\n") == [
        "OPTIONS sip:sip@10.0.0.1:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1:27310;branch=z9hG4bK0000001",
        "From: sip:pinger@example.com;tag=ksrping-r-sip",
        "To: sip:sip@10.0.0.1:5060",
        f"Call-ID: ksrping-1-{int(WALL):x}@127.0.0.1",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
    ]


def answer(bench: Bench, request: str, now: float) -> None:
    text = "SIP/2.0 200 OK\r\n" + request.partition("\r\n")[2]
    bench.proxy.receive(text.encode(), Rcv("udp", "192.0.2.2", 4002, UDP.host, UDP.port, UDP), now)


def test_a_contact_that_does_not_answer_is_removed(make_run: MakeRun) -> None:
    bench = make_run(TEXT, modparams=(*PARAMS, "nathelper:keepalive_timeout=6"))
    contact(bench, "silent", NAT | SIP, "sip:192.0.2.1:4001")
    contact(bench, "alive", NAT | SIP, "sip:192.0.2.2:4002")
    table = bench.proxy.module("usrloc").tables["location"]
    for second in range(1, 14):
        bench.sent.clear()
        bench.proxy.advance(10.0 + second)
        for dest, text in list(bench.sent):
            if dest.port == 4002:
                answer(bench, text, 10.0 + second)
    assert [aor for aor, _ in table.all()] == ["alive"]


def test_enable_ping_rpc(make_run: MakeRun) -> None:
    bench = make_run(TEXT, modparams=PARAMS)
    contact(bench, "udp", NAT)
    nathelper = bench.proxy.module("nathelper")
    nathelper.enable_ping([0])
    run(bench, 10.0, 5)
    assert bench.sent == []
    nathelper.enable_ping([1])
    run(bench, 15.0, 5)
    assert len(bench.sent) >= 1


@pytest.mark.parametrize("text", ["nathelper:natping_socket=1.2.3.4:5", "nathelper:force_socket=udp:9.9.9.9:5060"])
def test_what_cannot_be_is_said_at_start(make_run: MakeRun, text: str) -> None:
    with pytest.raises(ParamError, match=text.partition("=")[0]):
        make_run(TEXT, modparams=(*PARAMS, text))
