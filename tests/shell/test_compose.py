"""Messages from text."""

from __future__ import annotations

import pytest

from ksrcore.sip.message import SipMessage
from ksrshell.compose import Made, compose
from ksrshell.errors import UsageError
from ksrshell.namespace import Namespace
from ksrshell.runner import evaluate
from shell.fake import FakeProxy

WHOLE = """\
INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1
From: <sip:alice@example.com>;tag=1
To: <sip:bob@example.com>
Call-ID: 1
CSeq: 1 INVITE
Max-Forwards: 70
"""


def test_lines_may_end_as_people_type_them() -> None:
    for text in (WHOLE, WHOLE.replace("\n", "\r\n"), "\n\n" + WHOLE + "\n\n", WHOLE.rstrip("\n")):
        composed = compose(text)
        assert composed.data == WHOLE.replace("\n", "\r\n") + "Content-Length: 0\r\n\r\n"
        assert (composed.notes, composed.missing, composed.wrong) == ([], [], [])


def test_the_indentation_that_all_lines_share_goes() -> None:
    indented = "".join(f"    {line}\n" for line in WHOLE.splitlines()) + "    Subject: a\n      b\n"
    assert "\r\nSubject: a\r\n  b\r\n" in compose(indented).data


def test_content_length_is_put_right_in_bytes() -> None:
    composed = compose(WHOLE + "Content-Length: 3\n\nv=0\ns=caf\u00e9\n")
    assert composed.data.endswith("Content-Length: 14\r\n\r\nv=0\r\ns=caf\xc3\xa9\r\n")
    assert composed.notes == ["Content-Length was 3 and is 14"]
    composed = compose(WHOLE + "l: 0\n\nabc")
    assert "\r\nl: 5\r\n\r\nabc\r\n" in composed.data
    assert compose(WHOLE + "Content-Length: 0\nl: 0\n").wrong == ["there is more than one Content-Length"]


def test_what_is_missing_is_named() -> None:
    composed = compose("OPTIONS sip:a@b SIP/2.0\nv: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\nf: <sip:a@b>;tag=1\n")
    assert composed.missing == ["To", "Call-ID", "CSeq", "Max-Forwards"]
    assert compose("SIP/2.0 200 OK\nv: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\n").missing == [
        "From", "To", "Call-ID", "CSeq",
    ]  # fmt: skip


def test_what_is_missing_is_made_up_on_demand() -> None:
    composed = compose("MESSAGE sip:bob@example.com SIP/2.0\nSubject: x\n\nhello", fill=True)
    msg = SipMessage(composed.data)
    assert (msg.method, msg.to.uri if msg.to else "", msg.cseq.method if msg.cseq else "") == (
        "MESSAGE", "sip:bob@example.com", "MESSAGE",
    )  # fmt: skip
    assert (composed.missing, composed.wrong) == ([], [])
    assert composed.notes == ["made up: Via, From, To, Call-ID, CSeq, Max-Forwards"]
    assert compose("OPTIONS sip:a SIP/2.0", fill=True).data != compose("OPTIONS sip:a SIP/2.0", fill=True).data
    assert compose("SIP/2.0 200 OK", fill=True).missing == []


@pytest.mark.parametrize(
    "change, said",
    [
        (("CSeq: 1 INVITE", "CSeq: 1 BYE"), "CSeq says BYE, the first line INVITE"),
        ((";tag=1", ""), "From has no tag (RFC 3261 8.1.1.3)"),
        (("Call-ID: 1", "Call-ID 1"), "'Call-ID 1' is no header field: there is no colon in it"),
        (("CSeq: 1 INVITE", "CSeq: one"), "CSeq"),
        (("SIP/2.0/UDP 10.0.0.1:5060", "nonsense"), "Via"),
    ],
)
def test_what_a_proxy_will_stumble_over(change: tuple[str, str], said: str) -> None:
    composed = compose(WHOLE.replace(*change))
    assert any(said in each for each in composed.wrong), composed.wrong


@pytest.mark.parametrize("text", ["", "\n \n", "hello", "INVITE sip:b", "SIP/2.0 abc", "INVITE sip:a b SIP/2.0"])
def test_no_message_at_all(text: str) -> None:
    with pytest.raises(UsageError, match="SIP/2.0"):
        compose(text)


def test_the_magic(namespace: Namespace, fake: FakeProxy) -> None:
    fake.methods["ksr.message.add"] = lambda p: {**fake.records[0], "origin": "made by hand", "size": len(p["data"])}
    made = evaluate(namespace, f"%%sip mine\n{WHOLE}")
    assert isinstance(made, Made) and made.origin == "made by hand"
    assert namespace["mine"].id == 1 and namespace.session.current == made.message
    assert made.to_json()["notes"] == []  # type: ignore[index]
    with pytest.raises(UsageError, match="usage: %%sip"):
        evaluate(namespace, f"%%sip a b\n{WHOLE}")
    with pytest.raises(UsageError, match="expects the text of a message, got int"):
        namespace.session.sip(5)  # type: ignore[arg-type]
