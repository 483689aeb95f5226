"""KSR.async: requests that go on later, callbacks with data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import load_script
from ksrcore.kemi.declare import KsrError
from ksrcore.net.address import Rcv
from lab.sequence import PORT, Bench

SCRIPT = """
import KSR
ASYNC = getattr(KSR, "async")
def tell(value):
    KSR.pv.sets("$shv(told)", str(KSR.pv.get("$shv(told)") or "") + repr(value) + "\\n")
def ksr_request_route(msg):
    tell(eval(KSR.pv.get("$hdr(X-Call)"), {"ASYNC": ASYNC}))
    return 1
def ksr_later(msg):
    tell((KSR.pv.get("$ru"), ASYNC.get_gname()))
    KSR.tm.t_reply(404, "Later")
    return 1
def ksr_data(msg, event):
    tell((event, ASYNC.get_data(), ASYNC.get_gname(), KSR.pv.get("$async(data)"), KSR.pv.get("$rm")))
    return 1
"""


class Live:
    """A proxy on SCRIPT."""

    def __init__(self, tmp_path: Path, *modparams: str) -> None:
        path = tmp_path / "script.py"
        path.write_text(SCRIPT)
        self.bench = Bench(modparams)
        load_script(str(path), self.bench.proxy, self.bench.ksr)
        self.count = 0

    @property
    def told(self) -> list[Any]:
        """What the script told since the last time."""
        shared = self.bench.proxy.modules.pv.shared
        return [eval(line) for line in str(shared.pop("told", "") or "").splitlines()]

    def call(self, text: str) -> list[str]:
        """An INVITE whose route makes a call; the status lines of the replies."""
        self.count += 1
        lines = [
            "INVITE sip:bob@ex.com SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:5555;branch=z9hG4bKas{self.count}",
            "From: <sip:a@ex.com>;tag=1",
            "To: <sip:bob@ex.com>",
            f"Call-ID: as{self.count}",
            "CSeq: 1 INVITE",
            f"X-Call: ASYNC.{text}",
            "Content-Length: 0",
        ]
        proxy = self.bench.proxy
        rcv = Rcv("udp", "127.0.0.1", 5555, "127.0.0.1", PORT, proxy.listens[0])
        self.bench.sent.clear()
        proxy.receive(("\r\n".join(lines) + "\r\n\r\n").encode(), rcv, proxy.now)
        return self.statuses()

    def advance(self, seconds: float) -> list[str]:
        self.bench.sent.clear()
        self.bench.proxy.advance(self.bench.proxy.now + seconds)
        return self.statuses()

    def statuses(self) -> list[str]:
        return [text.partition("\r\n")[0][8:] for text in self.bench.sent]


TRYING = ["100 trying -- your call is important to us"]


@pytest.mark.parametrize(
    ("call", "seconds", "group"),
    [
        ("route('ksr_later', 2)", 2.1, ""),
        ("ms_route('ksr_later', 500)", 0.6, "default"),
        ("task_route('ksr_later')", 0.0, "default"),
        ("task_group_route('ksr_later', 'mine')", 0.0, "mine"),
    ],
)
def test_a_request_goes_on_later(tmp_path: Path, call: str, seconds: float, group: str) -> None:
    live = Live(tmp_path, "async:ms_timer=10")
    assert live.call(call) == TRYING and live.told == [0]
    if seconds:
        assert live.advance(seconds / 2) == []
    assert live.advance(seconds / 2) == ["404 Later"]
    assert live.told == [("sip:bob@ex.com", group)]


def test_no_such_callback(tmp_path: Path) -> None:
    live = Live(tmp_path, "async:return=1")
    assert live.call("task_route('none')") == TRYING and live.told == [1]
    assert live.advance(0) == ["500 I'm terribly sorry, server error occurred (1/TM)"]


@pytest.mark.parametrize(
    "call",
    ["route('ksr_later', 101)", "route('ksr_later', 0)", "ms_route('ksr_later', 30001)", "ms_route('ksr_later', 0)"],
)
def test_pauses_that_cannot_be(tmp_path: Path, call: str) -> None:
    live = Live(tmp_path, "async:ms_timer=10")
    live.call(call)
    assert live.told == [-1]


def test_milliseconds_are_asked_for(tmp_path: Path) -> None:
    live = Live(tmp_path)
    live.call("ms_route('ksr_later', 5)")
    assert live.told == [-1]


def test_data(tmp_path: Path) -> None:
    live = Live(tmp_path)
    live.call("task_data('ksr_data', 'hello')")
    live.call("task_group_data('ksr_data', 'mine', '')")
    live.call("task_data('none', 'x')")
    assert live.told == [1, 1, 1]
    live.advance(0)
    assert live.told == [
        ("async:task-data", "hello", "default", "hello", "OPTIONS"),
        ("async:task-data", "", "mine", None, "OPTIONS"),
    ]
    live.call("get_data() + ASYNC.get_gname()")
    assert live.told == [""]
    with pytest.raises(KsrError, match="async"):
        live.bench.request({}, ["KSR.pv.get('$async(x)')"])
