"""Phones at the prompt, on a real proxy with the demo's script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ksrshell.demo.command import playground
from ksrshell.errors import UsageError
from ksrshell.session import Session, connect


@pytest.fixture(scope="module")
def proxy() -> Iterator[Session]:
    with playground() as (child, _), connect(child.control) as session:
        yield session


def test_a_phone_registers_and_answers(proxy: Session) -> None:
    bob = proxy.phone("bob", ring=0.0)
    assert bob.status == 200
    assert str(bob) == f"bob is sip:bob@{bob.address}, registered; answers 200"
    call = proxy.send("INVITE", "sip:bob@demo.example")
    assert call.status == 200
    assert bob.address in call.flow.endpoints
    bob.close()


def test_what_it_answers_can_be_changed(proxy: Session) -> None:
    bob = proxy.phone("bob", answer=486, ring=0.0)
    call = proxy.send("INVITE", "sip:bob@demo.example")
    # The demo's own bob rings as well: he is the one who answers.
    assert call.status == 200
    assert any(m.status == 486 and m.src == bob.address for m in call.flow.messages)
    bob.answer = 603
    call = proxy.send("INVITE", "sip:bob@demo.example")
    assert any(m.status == 603 and m.reason == "Decline" for m in call.flow.messages)
    bob.close()


def test_one_that_never_answers_is_cancelled(proxy: Session) -> None:
    bob = proxy.phone("bob", answer=0)
    call = proxy.send("INVITE", "sip:bob@demo.example")
    assert call.status == 200
    seen = [m for m in call.flow.messages if bob.address in (m.src, m.dst)]
    assert [m.method for m in seen if m.is_request] == ["INVITE", "CANCEL", "ACK"]
    assert [m.status for m in seen if not m.is_request] == [180, 200, 487]
    bob.close()


def test_a_phone_that_is_refused_says_so(proxy: Session) -> None:
    assert "its REGISTER was answered 401" in str(proxy.phone("bob", password="wrong"))
    carol = proxy.phone("carol", register=False)
    assert (carol.status, carol.to_json()["user"]) == (0, "carol")


@pytest.mark.parametrize("options", [{"answer": 180}, {"answer": True}, {"answer": "486"}, {"ring": -1}, {"ring": "1"}])
def test_mistakes(proxy: Session, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a phone"):
        proxy.phone("bob", register=False, **options)
    with pytest.raises(UsageError, match="before the @"):
        proxy.phone("sip:bob@demo.example")


def test_a_register_is_about_its_sender_and_ends_when_it_says_so(proxy: Session) -> None:
    before = len(_contacts(proxy))
    register = proxy.send("REGISTER", user="alice")
    first = register.flow.messages[0]
    assert (register.status, first.ruri, first.to_uri) == (200, "sip:demo.example", "sip:alice@demo.example")
    assert len(_contacts(proxy)) == before + 1
    unregister = proxy.send("REGISTER", user="alice", headers=["Expires: 0"])
    assert unregister.status == 200 and unregister.flow.messages[0].headers.get_all("Expires") == ["0"]
    assert len(_contacts(proxy)) == before + 1
    assert proxy.send("REGISTER", "sip:bob@demo.example", user="alice").status == 401


def _contacts(proxy: Session) -> list[Any]:
    found: list[Any] = proxy.rpc("ul.lookup", "location", "alice")["Contacts"]
    return found
