"""Completion: what fits before the cursor."""

from __future__ import annotations

import time

import pytest

from ksrcore.pv.transformations import known
from ksrshell.complete import CLASSES, Completer, in_string
from ksrshell.namespace import Namespace
from shell.fake import FakeProxy


@pytest.fixture
def completer(namespace: Namespace) -> Completer:
    return Completer(namespace)


def texts(completer: Completer, before: str) -> list[str] | None:
    found = completer.candidates(before)
    return None if found is None else [each.text for each in found]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("KSR.", ["pv", "sl", "is_INVITE", "dialog"]),
        ("x = KSR.s", ["sl"]),
        ("if KSR.sl.se", ["send_reply"]),
        ("KSR.nope.x", []),
        ("myKSR.", None),
        ('KSR.pv.get("$r', ["$ru", "$rU"]),
        ('KSR.pv.get("$(r', ["$(ru", "$(rU"]),
        ("x = '$s", ["$si"]),
        ("x = $s", None),
        ('KSR.registrar.lookup("', []),
        ('KSR.pv.get("$(ru{u', ["uri.", "urialias.", "url."]),
        ('KSR.pv.get("$(ru{uri.u', ["uri.uparam", "uri.user"]),
        ('KSR.pv.get("$(hdr(X){s.trim}{s.md', ["s.md5"]),
        ('KSR.pv.get("$(avp(x=>y)[0]{s.sel', ["s.select", "s.selectsw", "s.selectws"]),
        ('KSR.pv.get("$(ru{s.select,', []),
        ("open('/", None),
        ('step(1, "ksr', ["ksr_request_route"]),
        ("msgs.where('meth", ["method"]),
        ('msgs.where(\'method == "INVITE" and r', ["reason", "ruri", "re", "ru", "rU"]),
        ('rpc("ul', ["ul.dump"]),
        ('rpc("ksr', []),
        ('versions("ksr_route', ["ksr_route_relay"]),
        ("routes['ksr_req", ["ksr_request_route"]),
        ('hold("ksr_req', ["ksr_request_route"]),
        ('hold("', ["ksr_request_route", "ksr_route_relay"]),
        ("%hold ksr_req", ["ksr_request_route"]),
        ("%view 13", ["13"]),
        ("trace(13", ["13"]),
        ("use(1", ["13", "12", "11", "10", "1"]),
        ("msgs[1", ["13", "12", "11", "10", "1"]),
        ("msgs[-1].meth", ["method"]),
        ("msgs[-1].tra", ["traceback"]),
        ("%use 13", ["13"]),
        ("%step fi", ["finish", "first"]),
        ("%step 1 ksr", ["ksr_request_route"]),
        ("%rollback ", ["ksr_request_route", "ksr_route_relay"]),
        ("%rpc co", ["core.uptime"]),
        ("%ksrhelp eff", ["effects"]),
        ("%timeit x", None),
        ("m.", None),
        ("", None),
    ],
)
def test_candidates(completer: Completer, before: str, expected: list[str] | None) -> None:
    assert texts(completer, before) == expected


def test_what_explains_them(completer: Completer) -> None:
    by_text = {each.text: each for each in completer.candidates("KSR.") or []}
    assert by_text["sl"].meta == "module, 1 functions"
    assert by_text["dialog"].meta == "module of Kamailio's, not implemented"
    (reply,) = completer.candidates("KSR.sl.se") or []
    assert reply.meta == "(code: int, reason: str) -> int  Send a stateless reply."
    assert (reply.length, reply.kind, reply.display) == (2, "function", "send_reply()")
    (ru, _) = completer.candidates("'$r") or []
    assert ru.meta == "the request URI"


def test_tables_are_kept_and_a_dead_proxy_completes_nothing(completer: Completer, fake: FakeProxy) -> None:
    completer.prefetch()
    asked = len(fake.asked)
    assert texts(completer, "KSR.s") == ["sl"]
    assert texts(completer, "'$si") == ["$si"]
    assert len(fake.asked) == asked
    fake.close()
    assert texts(completer, "%use ") == []


def test_signature_while_typing(completer: Completer) -> None:
    assert completer.signature("KSR.sl.send_reply(404") == ""  # not known yet, and typing never asks
    completer.prefetch()
    text = "KSR.sl.send_reply(code: int, reason: str) -> int  Send a stateless reply."
    assert completer.signature("x = KSR.sl.send_reply(404, ") == text
    assert completer.signature("KSR.sl.send_reply(404)") == ""
    assert completer.signature("KSR.is_INVITE(") == "KSR.is_INVITE() -> bool  "
    assert completer.signature("KSR.zzz.x(") == ""


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("'a", True), ("'a'", False), ('"a\\"', True), ("'''a\n'b", True), ("'''a'''", False), ("# '", False),
        ("'a\nb", False), ("x = f('$", True), ('"\'"', False),
    ],
)  # fmt: skip
def test_in_string(text: str, inside: bool) -> None:
    assert in_string(text) is inside


def test_a_proxy_that_refused_is_asked_again_soon(
    completer: Completer, fake: FakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = fake.methods.pop("ksr.api")
    assert texts(completer, "KSR.s") == []
    fake.methods["ksr.api"] = api
    assert texts(completer, "KSR.s") == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3.0)
    assert texts(completer, "KSR.s") == ["sl"]


def test_a_signature_never_asks_the_proxy(completer: Completer, fake: FakeProxy) -> None:
    completer.prefetch()
    asked = len(fake.asked)
    completer.session.client.process += 1
    assert completer.signature("KSR.is_INVITE(")
    assert len(fake.asked) == asked


def test_every_class_of_transformations_is_known() -> None:
    assert sorted(CLASSES) == sorted({name.partition(".")[0] for name in known()})
