"""KSR.http_async_client: requests whose answer runs a callback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.webserver import WebServer, webserver
from tm.playbook import Playbook, Sent

SCRIPT = """
seen = []

def ksr_request_route(self, msg):
    user = KSR.pv.gete("$rU")
    if user == "tran":
        KSR.tm.t_newtran()
    if user == "off":
        KSR.pv.seti("$http_req(suspend)", 0)
        KSR.tm.t_newtran()
    if user == "post":
        KSR.pv.sets("$http_req(hdr)", "Content-Type: text/x")
        KSR.pv.sets("$http_req(hdr)", "X-A: 1")
        KSR.pv.sets("$http_req(body)", "some")
    if user == "put":
        KSR.pv.sets("$http_req(method)", "PUT")
    if user == "slow":
        KSR.pv.seti("$http_req(timeout)", 50)
    self.seen.append(KSR.http_async_client.query(KSR.pv.get("$hdr(X-URL)"), "ksr_answer"))
    self.seen.append(KSR.pv.get("$http_req_id") is not None)
    return 1

def ksr_answer(self, msg, evname):
    names = "ok err rs rr rb bs hdr(X-Two) ml".split()
    self.seen.append([KSR.pv.get("$http_" + name) for name in names])
    self.seen.append(KSR.pv.get("$rm") + " " + evname)
    if KSR.pv.get("$rU") == "tran":
        KSR.tm.t_reply(200, "Fine")
    return 1
"""

REQUEST = """OPTIONS sip:{user}@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{user}
From: <sip:alice@10.0.0.2>;tag=a
To: <sip:bob@10.0.0.3>
Call-ID: call{user}
CSeq: 1 OPTIONS
X-URL: {url}
Content-Length: 0

"""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver() as made:
        yield made


class Asking(Playbook):
    def ask(self, user: str, url: str) -> tuple[list[Any], list[Sent]]:
        handler: Any = self.proxy.script
        seen = handler.handler.seen
        seen.clear()
        self.feed(REQUEST.format(user=user, url=url))
        sent = self.advance(0.1)
        return seen[:], sent


def test_a_transaction_waits_for_the_answer(tmp_path: Path, server: WebServer) -> None:
    book = Asking(tmp_path, SCRIPT)
    seen, sent = book.ask("tran", f"{server.url}/hdr")
    answer = [1, None, 200, "OK", "h", 1, "two"]
    assert (
        seen[:2] == [0, True]
        and seen[2][:7] == answer
        and seen[2][7] > 50
        and seen[3:] == ["OPTIONS http_async_client:callback"]
    )
    assert [s.first for s in sent] == ["SIP/2.0 200 Fine"]
    counters = book.proxy.counters
    assert [counters[f"http_async_client:{name}"] for name in ("requests", "replies", "errors")] == [1, 1, 0]


@pytest.mark.parametrize("user", ["off", "none"])
def test_without_one_the_script_goes_on(tmp_path: Path, server: WebServer, user: str) -> None:
    book = Asking(tmp_path, SCRIPT)
    seen, _ = book.ask(user, f"{server.url}/code/404")
    assert seen[0] == 1 and seen[2][:3] == [1, None, 404]
    handler: Any = book.proxy.script
    assert handler.has("ksr_answer")


def test_what_is_asked_for(tmp_path: Path, server: WebServer) -> None:
    book = Asking(tmp_path, SCRIPT)
    for user in ("post", "put", "plain"):
        book.ask(user, f"{server.url}/p")
    assert [(line, headers[1:], body) for line, headers, body in server.got] == [
        ("POST /p HTTP/1.1", [["Content-Type", "text/x"], ["X-A", "1"], ["Content-Length", "4"]], "some"),
        ("PUT /p HTTP/1.1", [], ""),
        ("GET /p HTTP/1.1", [], ""),
    ]


def test_no_answer(tmp_path: Path, server: WebServer) -> None:
    book = Asking(tmp_path, SCRIPT)
    server.slow = 0.2
    seen, _ = book.ask("slow", f"{server.url}/slow")
    assert seen[2][:3] == [0, "Timeout was reached", None]
    seen, sent = book.ask("tran", "http://127.0.0.1:1/")
    assert seen[2][:3] == [0, "Couldn't connect to server", None] and sent[0].first == "SIP/2.0 200 Fine"
    counters = book.proxy.counters
    assert [counters[f"http_async_client:{name}"] for name in ("timeouts", "errors")] == [1, 1]


def test_wrong_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    book = Asking(tmp_path, SCRIPT.replace('"ksr_answer")', '"ksr_gone")'))
    seen, _ = book.ask("x", "")
    assert seen == [-1, False]
    seen, _ = book.ask("y", "http://127.0.0.1:1/")
    assert seen[0] == 1 and "no callback 'ksr_gone'" in caplog.text
    with pytest.raises(ParamError, match="milliseconds"):
        Playbook(tmp_path, SCRIPT, modparams=["http_async_client:connection_timeout=0"])
    with pytest.raises(ParamError, match="only be 0"):
        Playbook(tmp_path, SCRIPT, modparams=["http_async_client:tcp_keepalive=1"])


def test_a_sandbox_asks_nobody(tmp_path: Path, server: WebServer) -> None:
    book = Asking(tmp_path, SCRIPT)
    fork: Any = book.proxy.modules["http_async_client"].fork(book.proxy)
    book.proxy.sandbox = True
    assert fork.query(book.proxy.fake_run(), f"{server.url}/x", "ksr_answer") == 1
    book.advance(0.1)
    assert server.got == []


def test_send_leaves_the_transaction_alone(tmp_path: Path, server: WebServer) -> None:
    last = '    self.seen.append(KSR.pv.get("$rm")'
    script = SCRIPT.replace("KSR.http_async_client.query(", "self.ask(").replace(
        last, f'    self.seen.append(KSR.pv.get("$http_xdata"))\n{last}'
    )
    script += """
def ask(self, url, name):
    if KSR.pv.get("$rU") == "plain":
        return KSR.http_async_client.send(url, name)
    return KSR.http_async_client.send_xdata(url, name, "mine")
"""
    book = Asking(tmp_path, script)
    seen, sent = book.ask("tran", f"{server.url}/hdr")
    assert seen[0] == 1 and seen[2][:3] == [1, None, 200] and seen[3] == "mine"
    assert sent == []
    seen, _ = book.ask("plain", f"{server.url}/hdr")
    assert seen[0] == 1 and seen[3] is None
