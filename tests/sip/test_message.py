"""SipMessage: what it reads, what it keeps byte for byte, how it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.net.address import Dest
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import SipMessage, VersionError, parse_message

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n"
    "v: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK0\r\n"
    'From: "Alice" <sip:alice@example.com>;tag=a1\r\n'
    "t: <sip:bob@example.com>\r\n"
    "i: call-1\r\n"
    "CSeq:   7   INVITE  \r\n"
    "Subject: folded\r\n\tsubject\r\n line\r\n"
    "Route: <sip:p1;lr>,\r\n <sip:p2;lr>\r\n"
    "Route: <sip:p3;lr>\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "body"
)
DEST = Dest("udp", "127.0.0.1", 5060)


def rebuilt(msg: SipMessage) -> str:
    return msg.buf[: msg.head_at] + msg.lumps.apply(msg.buf, msg.head_at, len(msg.buf), DEST)


def test_reads_compact_folded_and_multi_valued_fields() -> None:
    msg = SipMessage(INVITE)
    assert (msg.method, msg.ruri, msg.version) == ("INVITE", "sip:bob@example.com", "SIP/2.0")
    assert [via.host for via in msg.vias()] == ["10.0.0.1", "10.0.0.2"]
    assert msg.from_ is not None and msg.from_.tag == "a1"
    assert msg.callid == "call-1"
    assert msg.cseq is not None and (msg.cseq.number, msg.cseq.method) == (7, "INVITE")
    assert msg.index["subject"].body == "folded\r\n\tsubject\r\n line"
    assert [route.uri for route in msg.nameaddrs("route")] == ["sip:p1;lr", "sip:p2;lr", "sip:p3;lr"]
    assert msg.body == "body"
    assert msg.to_tag == ""


def test_offsets_point_at_each_field() -> None:
    msg = SipMessage(INVITE)
    for header, offset in zip(msg.headers, msg.offsets, strict=False):
        assert msg.buf.startswith(header.raw, offset)
        assert msg.buf.startswith(header.body, offset + header.body_start)
        assert msg.offset_of(header) == offset
    assert msg.buf[msg.headers_end :] == "\r\nbody"


@pytest.mark.parametrize("text", [INVITE, INVITE.replace("\r\n", "\n"), "\r\n\r\n" + INVITE])
def test_untouched_text_is_kept(text: str) -> None:
    msg = SipMessage(text)
    assert rebuilt(msg) == text.lstrip("\r\n")[:0] + text[: msg.head_at] + text[msg.head_at :]
    assert msg.callid == "call-1"


def test_a_reply() -> None:
    msg = SipMessage("SIP/2.0 486 Busy Here, sorry\r\nCSeq: 2 INVITE\r\n\r\n")
    assert (msg.is_request, msg.status, msg.reason, msg.method) == (False, 486, "Busy Here, sorry", "INVITE")
    assert SipMessage("SIP/2.0 200 \r\n\r\n").reason == ""


@pytest.mark.parametrize(
    "text",
    ["", "\r\n", "INVITE", "INVITE sip:x\r\n\r\n", "INVITE  sip:x SIP/2.0\r\n\r\n", "SIP/2.0 99 x\r\n\r\n",
     "SIP/2.0 2000 x\r\n\r\n", "SIP/2.0 2\xb20 x\r\n\r\n", "IN VITE sip:x SIP/2.0\r\n\r\n", "\x00\x01\x02"],
)  # fmt: skip
def test_unusable_first_lines(text: str) -> None:
    with pytest.raises(SipError):
        SipMessage(text)


def test_another_version_is_told_apart() -> None:
    with pytest.raises(VersionError):
        SipMessage("OPTIONS sip:x SIP/7.0\r\n\r\n")


def test_a_broken_field_is_kept_and_reported() -> None:
    msg = SipMessage("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nbroken line\r\nCall-ID: 1\r\n\r\n")
    assert isinstance(msg.error, SipError)
    assert "broken line" in str(msg.error)
    assert msg.callid == "1"
    assert "".join(h.raw for h in msg.headers) == msg.buf[msg.head_at : -2]


def test_equal_lines_share_one_field_object() -> None:
    one, two = SipMessage(INVITE.replace(" line\r\n", " line2\r\n")), parse_message(INVITE.encode("latin-1"))
    plain = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n"
    assert SipMessage(plain).headers[0] is SipMessage(plain).headers[0]
    assert one.headers[0].raw == two.headers[0].raw


def test_a_clone_is_independent() -> None:
    msg = SipMessage(INVITE)
    msg.lumps.insert(msg.headers_end, "X: 1\r\n")
    copy = msg.clone()
    copy.lumps.insert(copy.headers_end, "X: 2\r\n")
    copy.new_uri = "sip:other@x"
    assert "X: 2" not in rebuilt(msg) and "X: 1\r\nX: 2" in rebuilt(copy)
    assert msg.uri == "sip:bob@example.com"


@given(st.binary(max_size=400))
def test_nothing_but_a_sip_error_comes_out(data: bytes) -> None:
    try:
        msg = parse_message(data)
    except SipError:
        return
    assert msg.buf.encode("latin-1") == data


@given(
    st.lists(
        st.sampled_from([b"Via: x", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"i: 1", b"\x00", b"\xff", b"a"]),
        max_size=30,
    )
)
def test_fields_cover_the_head_exactly(parts: list[bytes]) -> None:
    text = b"OPTIONS sip:x SIP/2.0\r\n" + b"".join(parts)
    msg = parse_message(text)
    assert "".join(h.raw for h in msg.headers) == msg.buf[msg.head_at : msg.headers_end]
    assert msg.buf[msg.headers_end : msg.body_at] in ("", "\r\n", "\n")
    assert msg.offsets[-1] == msg.headers_end
    for header in msg.headers:
        assert msg.offset_of(header) == msg.offsets[msg.headers.index(header)]
