"""The core's entry points: datagrams and time in, datagrams out, nothing raised."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import Run
from ksrcore.store.database import Database

LISTEN = Listen("udp", "127.0.0.1", 5060)
RCV = Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, LISTEN)


def options(**changes: str) -> str:
    fields = {
        "Via": "SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1",
        "From": "<sip:a@x>;tag=1",
        "To": "<sip:b@x>",
        "Call-ID": "c1",
        "CSeq": "1 OPTIONS",
        "Content-Length": "0",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"OPTIONS sip:127.0.0.1 SIP/2.0\r\n{head}\r\n"


class World:
    def __init__(self, proxy: Proxy, sent: list[tuple[str, Dest]]) -> None:
        self.proxy = proxy
        self.sent = sent

    def feed(self, text: str | bytes, now: float = 1.0) -> list[str]:
        """First lines of what left because of it."""
        self.sent.clear()
        self.proxy.receive(text.encode("latin-1") if isinstance(text, str) else text, RCV, now)
        return [sent.split("\r\n")[0] for sent, _ in self.sent]


Make = Callable[[str], World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    dbs: list[Database] = []

    def build(body: str) -> World:
        path = tmp_path / "entry.py"
        path.write_text(f"import KSR\n{body}")
        dbs.append(Database.open(":memory:"))
        sent: list[tuple[str, Dest]] = []

        def transmit(data: bytes, dest: Dest) -> bool:
            sent.append((data.decode("latin-1"), dest))
            return True

        proxy, ksr = make_proxy(transmit=transmit, listens=[LISTEN], db=dbs[-1], now=0.5, wall=1_800_000_000.5)
        load_script(str(path), proxy, ksr)
        return World(proxy, sent)

    yield build
    for db in dbs:
        db.close()
    for name in ("entry", "KSR"):
        sys.modules.pop(name, None)


OK = "def ksr_request_route(msg):\n    KSR.sl.sl_send_reply(200, 'OK')\n    return 1\n"


def test_a_request_is_routed_and_recorded(make: Make) -> None:
    world = make(OK)
    assert world.feed(options()) == ["SIP/2.0 200 OK"]
    came, left = world.proxy.recorder
    assert (came.out, came.src, came.sent) == (False, ("127.0.0.1", 5080), (left.id,))
    assert (left.out, left.dst, left.cause) == (True, ("127.0.0.1", 5080), came.id)
    assert came.time == 1_800_000_001.0
    (ran,) = came.runs
    assert [(d.path, args, result) for d, args, result in ran.iter_calls()] == [
        ("KSR.sl.sl_send_reply", (200, "OK"), 1)
    ]
    assert world.proxy.counters["core:rcv_requests"] == 1


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"    ", b""])
def test_keepalives_are_not_messages(make: Make, data: bytes) -> None:
    world = make(OK)
    assert world.feed(data) == []
    assert len(world.proxy.recorder) == 0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (options().replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), ["SIP/2.0 505 Version Not Supported"]),
        (options().replace("sip:127.0.0.1 SIP", "sip:127.0.0.1  SIP"), ["SIP/2.0 400 Bad Request"]),
        (options().replace("Content-Length: 0", "broken line"), ["SIP/2.0 400 Bad Request"]),
        (options(Via=""), []),
        (options(Call_ID="").replace("Content-Length: 0", "broken line"), []),
        (options().replace("OPTIONS", "ACK").replace("Content-Length: 0", "broken line"), []),
        ("SIP/2.0 200 OK\r\nbroken\r\n\r\n", []),
        ("garbage that is no SIP at all\r\n\r\n", []),
        ("garbage", []),
    ],
)
def test_broken_messages_are_answered_where_that_is_possible(make: Make, text: str, answer: list[str]) -> None:
    world = make(OK)
    assert world.feed(text) == answer
    first = next(iter(world.proxy.recorder))
    assert first.error and not first.runs


def test_an_exception_in_the_script_gives_a_500(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make("def ksr_request_route(msg):\n    raise ValueError('mine')\n")
    with caplog.at_level(logging.ERROR):
        (line,) = world.feed(options())
    assert line.startswith("SIP/2.0 500 ")
    first = next(iter(world.proxy.recorder))
    assert str(first.runs[0].exception) == "mine"
    assert "entry.py" in first.runs[0].traceback


def test_after_an_answer_an_exception_sends_no_second(make: Make) -> None:
    world = make("def ksr_request_route(msg):\n    KSR.sl.sl_send_reply(200, 'OK')\n    raise ValueError('late')\n")
    assert world.feed(options()) == ["SIP/2.0 200 OK"]


def test_a_silent_script_is_silent(make: Make) -> None:
    assert make("def ksr_request_route(msg):\n    return 1\n").feed(options()) == []


def test_a_reply_without_a_transaction_goes_where_its_second_via_says(make: Make) -> None:
    world = make(OK)
    reply = options().replace("OPTIONS sip:127.0.0.1 SIP/2.0", "SIP/2.0 200 OK")
    vias = "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\nVia: SIP/2.0/UDP 10.0.0.7:5070;branch=z9hG4bKy"
    reply = reply.replace("Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1", vias)
    assert world.feed(reply) == ["SIP/2.0 200 OK"]
    text, dest = world.sent[0]
    assert (dest.ip, dest.port) == ("10.0.0.7", 5070)
    assert text.count("Via:") == 1


def test_set_drop_in_the_reply_route_stops_a_reply(make: Make) -> None:
    world = make(OK + "def ksr_reply_route(msg):\n    KSR.set_drop()\n    return 1\n")
    vias = "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx, SIP/2.0/UDP 10.0.0.7:5070;branch=z9hG4bKy"
    assert world.feed(options(Via=vias).replace("OPTIONS sip:127.0.0.1 SIP/2.0", "SIP/2.0 200 OK")) == []


def test_a_defect_of_ours_ends_with_its_message(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make(OK)

    def defect(run: Run) -> None:
        raise ZeroDivisionError("ours")

    world.proxy.request_done.append(defect)
    with caplog.at_level(logging.ERROR):
        assert world.feed(options()) == ["SIP/2.0 200 OK"]
    assert next(iter(world.proxy.recorder)).error == "ZeroDivisionError: ours"
    assert "Traceback" in caplog.text


def test_what_could_not_be_sent_is_marked(make: Make) -> None:
    world = make(OK)
    world.proxy.transmit = lambda data, dest: False
    world.proxy.receive(options().encode(), RCV, 1.0)
    assert [record.error for record in world.proxy.recorder] == ["", "not sent"]


def test_timers_run_when_they_are_due(make: Make) -> None:
    proxy = make(OK).proxy
    for running in list(proxy._timers):
        running[2].cancel()
    seen: list[str] = []
    proxy.now = 0.0
    proxy.after(2.0, lambda: seen.append("two"))
    proxy.after(1.0, lambda: seen.append("one"))
    cancelled = proxy.after(1.5, lambda: seen.append("never"))
    proxy.after(1.0, lambda: seen.append("again"), every=1.0)
    cancelled.cancel()
    proxy.advance(0.9)
    assert seen == []
    proxy.advance(1.0)
    proxy.advance(2.5)
    assert seen == ["one", "again", "two", "again"]


def test_a_timer_set_again_at_once_lets_the_others_come(make: Make) -> None:
    proxy = make(OK).proxy
    seen: list[float] = []

    def again() -> None:
        seen.append(proxy.now)
        proxy.after(0.0, again)

    proxy.after(1.0, again)
    proxy.after(1.0, lambda: seen.append(-1.0))
    start = proxy.now
    proxy.advance(start + 1.0)
    proxy.advance(start + 2.0)
    assert seen == [start + 1.0, -1.0, start + 2.0]


def test_a_timer_that_fails_is_logged_and_the_others_run(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    proxy = make(OK).proxy
    seen: list[str] = []
    proxy.after(1.0, lambda: [][0])
    proxy.after(1.0, lambda: seen.append("next"))
    with caplog.at_level(logging.ERROR):
        proxy.advance(proxy.now + 1.0)
    assert seen == ["next"]
    assert "IndexError" in caplog.text


def test_outside_a_message_ksr_sees_kamailios_made_up_request(make: Make) -> None:
    world = make(OK + "def mod_init():\n    assert KSR.pv.get('$ru') == 'sip:you@kamailio.org'\n")
    assert world.proxy.env.run.msg.method == "OPTIONS"
