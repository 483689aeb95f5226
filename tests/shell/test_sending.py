"""Real SIP from the built-in user agent, over UDP through the demo's proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ksrshell.demo.command import playground
from ksrshell.errors import NotFound, UsageError
from ksrshell.namespace import Namespace
from ksrshell.runner import evaluate
from ksrshell.session import Session, connect
from shell.fake import FakeProxy


@pytest.fixture(scope="module")
def demo() -> Iterator[Session]:
    with playground() as (proxy, _), connect(proxy.control) as session:
        yield session


def test_a_call_is_answered_and_hung_up(demo: Session) -> None:
    call = demo.send("INVITE", "sip:bob@demo.example")
    assert (call.done, call.status, call.reason, call.error) == (True, 200, "OK", "")
    methods = [message.method for message in call.flow.messages if message.is_request and not message.out]
    assert methods == ["INVITE", "ACK", "INVITE", "ACK", "BYE"]
    assert repr(call).endswith("INVITE sip:bob@demo.example as alice: 200 OK")
    assert call.to_json()["status"] == 200


def test_a_refused_call_is_acknowledged(demo: Session) -> None:
    call = demo.send("INVITE", "sip:nobody@demo.example")
    assert call.status == 404
    assert [m.method for m in call.flow.messages if not m.out and m.is_request][-1] == "ACK"


def test_without_words(demo: Session) -> None:
    options = demo.send()
    assert (options.method, options.uri, options.status) == ("OPTIONS", "sip:demo.example", 200)


def test_headers_bodies_and_other_users(demo: Session) -> None:
    namespace = Namespace(demo)
    made = evaluate(
        namespace,
        "%send MESSAGE sip:alice@demo.example --as bob --header 'Subject: caf\u00e9' --body 'hello there'",
    )
    assert made.status == 200
    first = made.flow.messages[0]
    assert first.headers["Subject"] == "caf\u00e9" and first.headers["Content-Type"] == "text/plain"
    assert first.body == b"hello there"
    assert first.from_uri == "sip:bob@demo.example"
    assert demo.send("INVITE", "bob@demo.example", user="mallory", password="no").status == 407


def test_without_waiting(demo: Session) -> None:
    call = demo.send("INVITE", "sip:bob@demo.example", wait=False)
    assert "no final reply yet" in repr(call) or call.done
    assert call.wait(10).status == 200


def test_silence_is_told(session: Session, fake: FakeProxy) -> None:
    # Nothing listens there: the fake proxy has a control channel only.
    fake.methods["ksr.hello"] = lambda p: {"name": "x", "listens": ["udp:127.0.0.1:9"], "aliases": []}
    fake.methods["ksr.flow"] = lambda p: {"callid": "", "messages": []}
    sent = session.send("OPTIONS", timeout=0.1)
    assert sent.error == "alice: no answer to OPTIONS sip:127.0.0.1:9"
    assert repr(sent) == f"{sent.error}\nthe proxy has no message of it"
    with pytest.raises(NotFound):
        _ = sent.flow


@pytest.mark.parametrize(
    "code, said",
    [
        ("send('HELLO')", "send\\(\\) sends INVITE, REGISTER"),
        ("send('INVITE', 'x y')", "expects a SIP URI"),
        ("send(user='a@b')", "the part of a SIP address before the @"),
        ("send(user='\u20ac')", "the part of a SIP address before the @"),
        ("send(headers=['no colon'])", "a header is one line"),
        ("%send --what", "there is no --what"),
        ("%send --as", "--as needs a value"),
        ("%send --timeout never", "--timeout is in seconds, got 'never'"),
        ("%send A B C", "usage: %send"),
    ],
)
def test_what_cannot_be_sent(namespace: Namespace, code: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate(namespace, code)


def test_a_proxy_that_does_not_speak_udp(session: Session, fake: FakeProxy) -> None:
    fake.methods["ksr.hello"] = lambda p: {"name": "x", "listens": ["tcp:127.0.0.1:9"], "aliases": []}
    with pytest.raises(UsageError, match="speaks UDP"):
        session.send()
