"""Messages built and read."""

from __future__ import annotations

import pytest

from ksrshell.testing import UsageError
from shell.testing.routers import Load


def test_a_built_request_has_what_it_needs(load: Load) -> None:
    ksr = load()
    assert ksr.request("INVITE", "sip:bob@example.com", body="v=0\no=x\n").text == (
        "INVITE sip:bob@example.com SIP/2.0\n"
        "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-test-1\n"
        "Max-Forwards: 70\n"
        "From: <sip:alice@example.com>;tag=test-1\n"
        "To: <sip:bob@example.com>\n"
        "Call-ID: call-1@test\n"
        "CSeq: 1 INVITE\n"
        "Contact: <sip:alice@10.0.0.1:5060>\n"
        "Content-Type: application/sdp\n"
        "Content-Length: 10\n"
        "\n"
        "v=0\no=x\n"
    )


def test_defaults_are_replaced(load: Load) -> None:
    ksr = load()
    made = ksr.request(
        "REGISTER",
        "sip:example.com",
        from_='"Älice" <sip:alice@example.com>',
        src="tcp:[2001:db8::1]:5070",
        headers={"m": "*", "Max-Forwards": None, "Path": ["<sip:a;lr>", "<sip:b;lr>"], "Expires": 0},
        call_id="mine",
        cseq=7,
        from_tag="f",
        to_tag="t",
        route="<sip:10.0.0.9;lr>",
    )
    assert made.headers.fields == [
        ("Via", "SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bK-test-1"),
        ("Route", "<sip:10.0.0.9;lr>"),
        ("From", '"Älice" <sip:alice@example.com>;tag=f'),
        ("To", '"Älice" <sip:alice@example.com>;tag=t'),
        ("Call-ID", "mine"),
        ("CSeq", "7 REGISTER"),
        ("m", "*"),
        ("Path", "<sip:a;lr>"),
        ("Path", "<sip:b;lr>"),
        ("Expires", "0"),
        ("Content-Length", "0"),
    ]
    assert repr(made) == "<REGISTER sip:example.com from tcp:[2001:db8::1]:5070>"
    other = made.replace(uri="sip:other", headers={"Expires": "60"}, body="ü")
    assert (other.uri, other.headers["expires"], other.headers["content-length"]) == ("sip:other", "60", "2")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"method": "sip:bob@example.com INVITE"}, "the method comes first"),
        ({"uri": "bob"}, "a Request-URI such as"),
        ({"src": "alice.example.com"}, "a message comes from an IP address"),
        ({"src": "10.0.0.1:port"}, "bad port"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "the value of X-A has a line end"),
        ({"headers": {"X A": "1"}}, "'X A' is not the name of a header field"),
        ({"headers": "X-A: 1"}, "headers expects"),
    ],
)
def test_wrong_use_is_told(load: Load, given: dict[str, object], text: str) -> None:
    ksr = load()
    with pytest.raises(UsageError, match=text):
        ksr.request(**given)  # type: ignore[arg-type]
