"""KSR.xhttp_prom: results, the page and RPC commands as recorded from Kamailio 5.6.3."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.xhttp_prom_metrics import number_of
from ksrcore.net.address import Listen, Rcv
from lab.sequence import FOLDER, Bench
from tm.playbook import Playbook

RECORDED: Any = json.loads((FOLDER / "xhttp_prom.json").read_text())

SCRIPT = """
todo = []
found = []

def ksr_request_route(self, msg):
    self.found.append(KSR.xhttp_prom.dispatch())
    self.found.append(KSR.xhttp_prom.check_uri())
    return 1

def ksr_xhttp(self, msg, evname):
    for call in self.todo:
        self.found.append(eval(call, {"KSR": KSR}))
    return 1
"""


class Web:
    """``get(calls)``: their results in xhttp's callback, and the body of the answer without its times."""

    def __init__(self, tmp_path: Path, *params: str) -> None:
        wanted = ["xhttp:event_callback=ksr_xhttp", *params]
        self.book = Playbook(tmp_path, SCRIPT, modparams=wanted, listens=[Listen("tcp", "10.0.0.1", 5060)])
        script: Any = self.book.proxy.script
        self.handler = script.handler

    def get(self, *calls: str, url: str = "/metrics") -> tuple[list[Any], str]:
        self.handler.todo[:] = calls
        self.handler.found.clear()
        listen = self.book.listens[0]
        rcv = Rcv("tcp", "10.0.0.2", 4000, "10.0.0.1", 5060, listen, 7)
        self.book.proxy.receive(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), rcv, self.book.now)
        sent = self.book.take()
        return self.handler.found[:], stamped(sent[0].text) if sent else ""

    def rpc(self, name: str, params: list[Any]) -> Any:
        return Bench.rpc(self.book, name, *params)  # type: ignore[arg-type]


def stamped(text: str) -> str:
    return re.sub(r" \d{13}\n", " STAMP\n", text)


DISPATCH = "KSR.xhttp_prom.dispatch()"


def test_as_in_kamailio(tmp_path: Path) -> None:
    web = Web(tmp_path, *RECORDED["modparams"])
    results, text = web.get(*[call for call, _ in RECORDED["calls"]])
    assert [[call, result] for (call, _), result in zip(RECORDED["calls"], results, strict=True)] == RECORDED["calls"]
    head, _, page = text.partition("\r\n\r\n")
    assert page == RECORDED["page"]
    assert head.startswith("HTTP/1.1 200 OK") and "Content-Type: text/plain; version=0.0.4\r\n" in head
    for name, params, wanted in RECORDED["rpc"]:
        if isinstance(wanted, dict) and wanted:
            wanted = f"error {wanted['code']}: {wanted['message']}"
        got = web.rpc(f"xhttp_prom.{name}", params)
        assert (name, params, stamped(got) if isinstance(got, str) else got) == (name, params, wanted)


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ("nope:", ["", "# Kamailio statistics for group: nope:"]),
        ("200_replies", ["", "# Kamailio statistics for: 200_replies", "my_sl_200_replies 0 STAMP"]),
    ],
)
def test_statistics(tmp_path: Path, wanted: str, lines: list[str]) -> None:
    web = Web(tmp_path, f"xhttp_prom:xhttp_prom_stats={wanted}", "xhttp_prom:xhttp_prom_beginning=my_")
    assert web.get(DISPATCH)[1].partition("\r\n\r\n")[2] == "\n".join(["# User defined metrics", *lines, ""])


def test_all_statistics(tmp_path: Path) -> None:
    page = Web(tmp_path, "xhttp_prom:xhttp_prom_stats=all").get(DISPATCH)[1].partition("\r\n\r\n")[2].split("\n")
    assert page[1:3] == ["", "# Kamailio whole internal statistics"]
    assert "kamailio_core_bad_URIs_rcvd 0 STAMP" in page and "kamailio_xhttp_requests 1 STAMP" in page


def test_no_such_statistic_and_too_long(tmp_path: Path) -> None:
    for param in ("xhttp_prom_stats=nope", "xhttp_prom_buf_size=5"):
        results, text = Web(tmp_path, f"xhttp_prom:{param}").get(DISPATCH)
        assert results == [0] and text.startswith("HTTP/1.1 500 Internal Server Error")
        assert text.endswith("\r\n\r\nInternal Server Error")


def test_other_requests(tmp_path: Path) -> None:
    web = Web(tmp_path)
    for url in ("/other", "/metricsx", "/metrics?x"):
        assert web.get("KSR.xhttp_prom.check_uri()", url=url)[0] == [0]
    web.handler.found.clear()
    head = "OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\n"
    web.book.feed(head + "Call-ID: 1\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n", proto="tcp", conid=7)
    assert web.handler.found == [1, 0]


def test_what_is_not_used_is_gone(tmp_path: Path) -> None:
    web = Web(tmp_path, "xhttp_prom:prom_counter=name=c;", "xhttp_prom:xhttp_prom_timeout=1")
    assert "kamailio_c 1 STAMP" in web.get('KSR.xhttp_prom.counter_inc_l0("c", 1)', DISPATCH)[1]
    web.book.advance(50)
    assert "kamailio_c 1 STAMP" in web.get(DISPATCH)[1]
    web.book.advance(11)
    assert "kamailio_c" not in web.get(DISPATCH)[1]


def test_a_sandbox_has_its_own(tmp_path: Path) -> None:
    web = Web(tmp_path, "xhttp_prom:prom_counter=name=c;")
    fork: Any = web.book.proxy.modules["xhttp_prom"].fork(web.book.proxy)
    assert fork.counter_inc_l0(web.book.proxy.fake_run(), "c", 1) == 1
    assert "kamailio_c" not in web.get(DISPATCH)[1]


@pytest.mark.parametrize(
    "param",
    [
        "prom_counter=name=a b;", "prom_counter=label=x", "prom_counter=name=d;label=a:b:c:d", "prom_counter=",
        "prom_counter=name=d;label=", "prom_counter=name=d;foo=1", "prom_counter=name=d;buckets=1",
        "prom_histogram=name=h;buckets=3:2", "prom_histogram=name=h;buckets=", "xhttp_prom_timeout=-1",
    ],
)  # fmt: skip
def test_bad_parameters(tmp_path: Path, param: str) -> None:
    with pytest.raises(ParamError, match="xhttp_prom"):
        Web(tmp_path, f"xhttp_prom:{param}")


def test_numbers() -> None:
    texts = ("1e3x", "-0x10", "", ".", "+.5", "-inf")
    assert [number_of(text) for text in texts] == [1000, -16, 0, 0, 0.5, -float("inf")]


def test_gauges_are_raised(tmp_path: Path) -> None:
    web = Web(tmp_path, "xhttp_prom:prom_gauge=name=g;", "xhttp_prom:prom_gauge=name=h; label=A:B:C;")
    calls = [
        f"KSR.xhttp_prom.{call}"
        for call in (
            "gauge_inc_l0('g', '12.5')", "gauge_inc_l0('g', '-22.5')", "gauge_inc_l3('h', '1', 'a', 'b', 'c')",
            "gauge_inc_l3('h', '2', 'a', 'b', 'c')", "gauge_inc_l1('g', '1', 'a')", "gauge_inc_l0('none', '1')",
            "gauge_inc_l0('g', '')", "gauge_inc_l2('h', '1', 'a', 'b')",
        )
    ]  # fmt: skip
    results, text = web.get(*calls, DISPATCH)
    assert results[: len(calls)] == [1, 1, 1, 1, -1, -1, -1, -1]
    assert "kamailio_g -10.000000 STAMP\n" in text
    assert 'kamailio_h{A="a", B="b", C="c"} 3.000000 STAMP\n' in text
