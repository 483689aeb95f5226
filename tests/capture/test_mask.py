"""Masking: lengths stay, the same stands for the same, nothing that names anybody is left."""

from __future__ import annotations

import re

from capture.samples import captured, message
from ksrcore.capture.mask import Mask

HEADERS = (
    'Contact: "Alice Liddell" <sip:+49-30-1234567;npdi@10.0.0.1:5062;transport=udp>\r\n'
    "P-Asserted-Identity: Alice Liddell <tel:+49301234567>\r\n"
    'Proxy-Authorization: Digest username="alice", realm="a.test", nonce="abc+/=", uri="sip:bob@b.test",\r\n'
    ' response="0123456789abcdef0123456789abcdef", cnonce="xyz", nc=00000001, qop=auth\r\n'
    "Authorization: Basic YWxpY2U6c2VjcmV0\r\n"
)
SDP = "v=0\r\no=alice 1 1 IN IP4 10.0.0.1\r\ns=-\r\n"
DATA = message("INVITE sip:bob:secret@b.test;user=phone SIP/2.0", body=SDP, extra=HEADERS)


def test_what_is_masked() -> None:
    mask = Mask(b"key")
    text = mask.data(DATA).decode()
    alice, bob = mask.word(b"alice").decode(), mask.word(b"bob").decode()
    number, tel = mask.word(b"+49-30-1234567").decode(), mask.word(b"+49301234567").decode()
    name = mask.word(b"Alice Liddell").decode()
    assert text == (
        f"INVITE sip:{bob}:xxxxxx@b.test;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKc1\r\n"
        f"From: <sip:{alice}@a.test>;tag=1\r\nTo: <sip:{bob}@b.test>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
        f'Contact: "{name}" <sip:{number};npdi@10.0.0.1:5062;transport=udp>\r\n'
        f"P-Asserted-Identity: {name} <tel:{tel}>\r\n"
        f'Proxy-Authorization: Digest username="{alice}", realm="a.test", nonce="000000", uri="sip:{bob}@b.test",\r\n'
        f' response="{"0" * 32}", cnonce="000", nc=00000001, qop=auth\r\n'
        f"Authorization: Basic {'x' * 16}\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\nv=0\r\no={alice} 1 1 IN IP4 10.0.0.1\r\ns=-\r\n"
    )
    assert len(text) == len(DATA)
    assert not {"alice", "bob"} & {alice, bob}
    assert re.fullmatch(r"\+\d\d-\d\d-\d{7}", number)


def test_one_for_one() -> None:
    mask = Mask(b"key")
    users = [str(number).encode() for number in range(1000, 3000)]
    masked = [mask.word(user) for user in users]
    assert len(set(masked)) == len(users)
    assert masked == [mask.word(user) for user in users]
    assert all(re.fullmatch(rb"\d{4}", each) for each in masked)


def test_another_file_another_mask() -> None:
    assert Mask().word(b"alice-in-wonderland") != Mask().word(b"alice-in-wonderland")


def test_escapes_and_other_bytes() -> None:
    masked = Mask(b"k").word(b"%23al\xc3\xa4x")
    assert re.fullmatch(rb"%23[a-z]{2}\?\?[a-z]", masked)


def test_comments() -> None:
    mask = Mask()
    for comment, kept in (("message 3, because of 2\nalice", "message 3, because of 2"), ("alice called", "")):
        assert mask.message(captured()._replace(comment=comment)).comment == kept
