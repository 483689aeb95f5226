"""Holds at the prompt, on a real proxy: ``ksrshell serve``, messages over UDP."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pexpect
import pytest

import ksrshell
from ksrshell import magics
from ksrshell.errors import NotFound, RemoteError, UsageError
from ksrshell.holds import Disarmed, Hold, HoldNews
from ksrshell.namespace import Namespace
from ksrshell.session import Session
from lab.ports import free_port
from shell.test_end_to_end import Proxy, serve


@pytest.fixture
def proxy(runtime: Path, tmp_path: Path) -> Iterator[Proxy]:
    made = serve(runtime, tmp_path, free_port())
    yield made
    if made.process.poll() is None:
        made.stop()


class Phone:
    """A socket that sends a request and reads what comes back."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(5.0)
        self.here = "{}:{}".format(*self.sock.getsockname())

    def send(self, method: str, user: str) -> None:
        request = (
            f"{method} sip:{user}@127.0.0.1:{self.proxy.port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bK{uuid4().hex}\r\nFrom: <sip:alice@a.example>;tag=1\r\n"
            f"To: <sip:{user}@b.example>\r\nCall-ID: {uuid4().hex}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        self.sock.sendto(request.encode(), ("127.0.0.1", self.proxy.port))

    def receive(self) -> str:
        return self.sock.recv(65535).decode().partition("\r\n")[0]


@pytest.fixture
def phone(proxy: Proxy) -> Iterator[Phone]:
    made = Phone(proxy)
    yield made
    made.sock.close()


def test_a_session(proxy: Proxy, phone: Phone) -> None:
    with ksrshell.connect("e2e") as session:
        told: list[dict[str, Any]] = []
        arrived = threading.Event()
        session.client.on_event += [told.append, lambda event: arrived.set()]
        session.client.subscribe("held", "released", "log")
        hold = session.hold("ksr_route_refuse", 'method == "INVITE" and rU == "bob"')
        assert (hold.id, hold.where, hold.hits) == (1, "ksr_route_refuse", 0)
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
        assert arrived.wait(5) and told[0]["text"] == "held 1: INVITE alice -> bob at ksr_route_refuse:19"
        assert proxy.send("INVITE", "carol") == "SIP/2.0 404 No carol"
        assert session.stats["held"] == 1 and len(session.held) == 1
        held = session.held[0]
        assert (held.message.method, held.function, held.line, held.why) == (
            "INVITE", "ksr_route_refuse", 19, "ksr_route_refuse",
        )  # fmt: skip
        assert 0 < held.left <= 20.0 and "self" in held.locals
        assert "ksr_route_refuse" in repr(held) and "held[0]" in repr(session.held)
        step = held.step()
        step.next()
        assert step.locals["user"] == "'bob'" and step.where.line == 20
        assert held.set("user", "'dora'") == "'dora'" and held.eval("user") == "'dora'"
        assert held.KSR.hdr.append("X-Live: 1\r\n") == 1
        held.edit(ru="sip:x@127.0.0.1", append={"X-More": "2"})
        assert held.pv("$rU") == "x"
        assert "+X-More: 2" in held.state["effects"]["diff"]
        with pytest.raises(RemoteError, match="nearest: KSR.hdr.append"):
            session.call("ksr.hold.call", {"held": 1, "name": "hdr.apend", "args": []})
        step.finish()
        assert step.done and phone.receive() == "SIP/2.0 404 No dora"
        assert session.holds[1].hits == 1 and "ksr_route_refuse" in repr(session.holds)
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
        session.held[0].answer(603)
        assert phone.receive().startswith("SIP/2.0 603")
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
        session.held[0].drop()
        assert [h.disarm().id for h in session.holds.values()] == [1]
        with pytest.raises(NotFound, match=r"held\[0\]: no messages held"):
            session.held[0]
        with pytest.raises(NotFound, match="no hold 1 is armed; armed: none"):
            session.holds[1]
        session.hold(19, log="{method} {$rU}")
        assert proxy.send("MESSAGE", "zoe") == "SIP/2.0 404 No zoe"
        session.stats["held"]
        assert told[-1]["event"] == "log" and told[-1]["text"] == "MESSAGE zoe"
        with pytest.raises(RemoteError, match="did you mean 'ksr_route_refuse'"):
            session.hold("ksr_route_refus")
        with pytest.raises(UsageError, match="expects a function's name"):
            session.hold(3.5)  # type: ignore[arg-type]


def test_a_session_that_ends_lets_go(proxy: Proxy, phone: Phone) -> None:
    with ksrshell.connect("e2e") as session:
        session.hold("ksr_route_refuse")
        session.hold("KSR.is_OPTIONS", 'method == "PUBLISH"', keep=True)
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
    assert phone.receive() == "SIP/2.0 404 No bob"
    with ksrshell.connect("e2e") as session:
        assert list(session.holds) == [2]


def test_a_proxy_that_stops_lets_go(proxy: Proxy, phone: Phone) -> None:
    with ksrshell.connect("e2e") as session:
        session.hold("ksr_route_refuse")
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
        proxy.stop()
        assert phone.receive() == "SIP/2.0 404 No bob"
        assert proxy.process.returncode == 0


def test_magics(proxy: Proxy, phone: Phone) -> None:
    with ksrshell.connect("e2e") as session:
        namespace = Namespace(session)
        line = 'ksr_route_refuse --once --hits 1 --timeout 5 if method == "INVITE" and rU == "bob"'
        hold = magics.LINE["hold"](namespace, line, None)
        assert hold.to_json()["if"] == 'method == "INVITE" and rU == "bob"' and hold.to_json()["timeout"] == 5
        phone.send("INVITE", "bob")
        assert phone.receive() == "SIP/2.0 100 Trying"
        assert magics.LINE["held"](namespace, "0", None).function == "ksr_route_refuse"
        magics.LINE["resume"](namespace, "", None)
        assert phone.receive() == "SIP/2.0 404 No bob"
        magics.LINE["hold"](namespace, "", None)
        assert len(magics.LINE["unhold"](namespace, "", None)) == 0
        for name, wrong in (("hold", "--hits x"), ("hold", "a b"), ("held", "x"), ("unhold", "x"), ("hold", "--log")):
            with pytest.raises(UsageError):
                magics.LINE[name](namespace, wrong, None)


def test_at_a_terminal(proxy: Proxy, phone: Phone) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "ksrshell", "attach"],
        env={**proxy.environment, "TERM": "dumb"},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=15,
    )  # type: ignore[call-overload, unused-ignore]
    child.expect(r"In \[")
    child.send("hold('ksr_route_refuse')\r")
    child.expect(r"1 ksr_route_refuse.* 20 s")
    phone.send("INVITE", "bob")
    child.expect(r"held 1: INVITE alice -> bob at ksr_route_refuse:19 · held\[0\].step\(\)")
    child.send("held[0].resume()\r")
    assert phone.receive() == "SIP/2.0 100 Trying"
    assert phone.receive() == "SIP/2.0 404 No bob"
    child.send("exit\r")
    child.expect(pexpect.EOF)
    child.close()


def test_news(session: Session) -> None:
    said: list[str] = []
    news = HoldNews(lambda text, style: said.append(text))
    news({"event": "held", "text": "held 1: INVITE a -> b at f:3", "position": 0, "left": 8.0})
    news({"event": "released", "held": 1, "reason": "resumed", "seconds": 1.0})
    news({"event": "released", "held": 2, "reason": "timeout", "seconds": 8.0})
    news({"event": "message"})
    for n in range(30):
        news({"event": "log", "hold": 3, "place": "f:3", "text": str(n)})
    assert said[:2] == [
        "held 1: INVITE a -> b at f:3 · held[0].step() · 8 s",
        "held 2 went on after 8.0 s: timeout",
    ]
    assert 10 <= len(said) - 2 <= 21


def test_news_of_many_messages_leaves_room_for_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ksrshell.holds.time.monotonic", lambda: now)
    said: list[str] = []
    news = HoldNews(lambda text, style: said.append(text))
    for n in range(32):
        news({"event": "held", "text": f"held {n}: INVITE a -> b at f:3", "position": n, "left": 8.0})
    assert [text.partition(":")[0] for text in said] == ["held 0", "held 1", "held 2", "held 3", "held 4", "held"]
    assert said[-1] == "held: more wait, held lists them; hold(..., if_=...) picks"
    said.clear()
    for n in range(32):
        news({"event": "released", "held": n, "reason": "timeout", "seconds": 8.0})
    assert [text.partition(" went")[0] for text in said] == ["held 0", "held 1", "held 2"]
    now = 101.0
    news({"event": "released", "held": 40, "reason": "timeout", "seconds": 8.0})
    assert said[3:] == ["held: 29 more went on", "held 40 went on after 8.0 s: timeout"]


def test_what_unhold_took_back_is_a_table(session: Session) -> None:
    row = {"at": "f", "if": "", "hits": 3, "held": 1, "log": "", "watch": "", "timeout": 8.0, "wanted": 1,
           "once": False, "keep": False, "missed": 0, "lost": ""}  # fmt: skip
    gone = Disarmed(Hold(session, {"id": n, **row}) for n in (1, 2))
    assert [line.split()[:4] for line in repr(gone).splitlines()] == [
        ["id", "where", "if", "hits"], ["1", "f", "3", "1"], ["2", "f", "3", "1"],
    ]  # fmt: skip
    assert [each["id"] for each in gone.to_json()] == [1, 2]
    assert repr(Disarmed()) == "no hold was armed"
