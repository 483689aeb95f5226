"""Building of what leaves. Expected texts were measured on Kamailio 5.6.3."""

import pytest

from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.sip import build
from ksrcore.sip.message import SipMessage

LISTEN = Listen("udp", "10.0.0.1", 5060)
UDP = Dest("udp", "10.0.0.3", 5060, LISTEN)
TCP = Dest("tcp", "10.0.0.3", 5060, Listen("tcp", "10.0.0.1", 5060))
VIA = "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKours.0\r\n"


def message(text: str, src: str = "10.0.0.2", port: int = 5070) -> SipMessage:
    rcv = Rcv("udp", src, port, "10.0.0.1", 5060, LISTEN, 0)
    return SipMessage(text.replace("\n", "\r\n"), rcv)


def request(via: str = "10.0.0.2;branch=z9hG4bK1", extra: str = "Content-Length: 0\n", body: str = "") -> SipMessage:
    return message(
        f"OPTIONS sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP {via}\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\n"
        f"Call-ID: x\nCSeq: 7 OPTIONS\n{extra}\n{body}"
    )


def head(text: str) -> list[str]:
    return text.split("\r\n\r\n")[0].split("\r\n")


@pytest.mark.parametrize(
    ("via", "forwarded", "replied"),
    [
        ("10.0.0.2;branch=x", "10.0.0.2;branch=x", "10.0.0.2;branch=x"),
        (
            "10.0.0.2;branch=x;rport",
            "10.0.0.2;received=10.0.0.2;branch=x;rport=5070",
            "10.0.0.2;branch=x;rport=5070;received=10.0.0.2",
        ),
        (
            "10.0.0.2:5099;rport=44;branch=x",
            "10.0.0.2:5099;received=10.0.0.2;rport=5070;branch=x",
            "10.0.0.2:5099;rport=5070;branch=x;received=10.0.0.2",
        ),
        (
            "host.example;branch=x",
            "host.example;received=10.0.0.2;branch=x",
            "host.example;branch=x;received=10.0.0.2",
        ),
        (
            "10.0.0.2;branch=x;received=6.6.6.6",
            "10.0.0.2;branch=x;received=10.0.0.2",
            "10.0.0.2;branch=x;received=10.0.0.2",
        ),
        (
            "1.1.1.1;branch=x, SIP/2.0/UDP 2.2.2.2;branch=y",
            "1.1.1.1;received=10.0.0.2;branch=x, SIP/2.0/UDP 2.2.2.2;branch=y",
            "1.1.1.1;branch=x;received=10.0.0.2, SIP/2.0/UDP 2.2.2.2;branch=y",
        ),
        ("10.0.0.2 ; branch=x", "10.0.0.2 ; branch=x", "10.0.0.2 ; branch=x"),
    ],
)
def test_received_and_rport(via: str, forwarded: str, replied: str) -> None:
    msg = request(via)
    assert head(build.build_request(msg, "sip:x@y", VIA, UDP))[1:3] == [VIA[:-2], f"Via: SIP/2.0/UDP {forwarded}"]
    assert head(build.build_reply(msg, 200, "OK", "t", ""))[1] == f"Via: SIP/2.0/UDP {replied}"


def test_forced_rport_comes_behind_the_sent_by() -> None:
    msg = request()
    msg.force_rport = True
    sent = head(build.build_request(msg, "sip:x@y", VIA, UDP))
    assert sent[2] == "Via: SIP/2.0/UDP 10.0.0.2;rport=5070;branch=z9hG4bK1"
    sent = head(build.build_reply(msg, 200, "OK", "", ""))
    assert sent[1] == "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1;rport=5070"


def test_ipv6() -> None:
    msg = message(request("[2001:db8::2];branch=x").buf.replace("\r\n", "\n"), src="2001:db8::2")
    assert head(build.build_request(msg, "sip:x@y", VIA, UDP))[2] == "Via: SIP/2.0/UDP [2001:db8::2];branch=x"
    msg = message(request("[2001:db8::9];branch=x").buf.replace("\r\n", "\n"), src="2001:db8::2")
    assert ";received=[2001:db8::2];branch=x" in head(build.build_request(msg, "sip:x@y", VIA, UDP))[2]


def test_untouched_bytes_stay() -> None:
    extra = "x-odd  :  a\t b \nm: <sip:z@y>;q=0.5\nSubject: folded\n  here\nContent-Length:  4\n"
    msg = request(extra=extra, body="\x00\xff\r\n"[:4])
    sent = build.build_request(msg, "sip:x@y", VIA, UDP)
    assert sent == msg.buf.replace("sip:bob@example.com", "sip:x@y").replace("Via:", VIA + "Via:", 1)


def test_content_length_follows_an_edited_body() -> None:
    msg = request(extra="Content-Length: 5\nX: y\n", body="hello")
    msg.lumps.replace(msg.body_at, 5, "good evening", "body")
    msg.lumps.insert(msg.headers_end, "X-End: 1\r\n", "x-end")
    sent = build.build_request(msg, "sip:x@y", VIA, UDP)
    assert sent.endswith("Content-Length: 12\r\nX: y\r\nX-End: 1\r\n\r\ngood evening")
    none = request(extra="", body="")
    none.lumps.insert(none.body_at, "new", "body")
    assert build.build_request(none, "sip:x@y", VIA, UDP).endswith("OPTIONS\r\nContent-Length: 3\r\n\r\nnew")


def test_content_length_is_added_on_streams_only() -> None:
    msg = request(extra="", body="hi")
    assert "Content-Length" not in build.build_request(msg, "sip:x@y", VIA, UDP)
    assert build.build_request(msg, "sip:x@y", VIA, TCP).endswith("OPTIONS\r\nContent-Length: 2\r\n\r\nhi")


def test_path() -> None:
    sent = head(build.build_request(request(), "sip:x@y", VIA, UDP, "<sip:p;lr>"))
    assert sent[1:4] == [VIA[:-2], "Route: <sip:p;lr>", "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1"]
    routed = request(extra="X: 1\nRoute: <sip:q;lr>\nContent-Length: 0\n")
    sent = head(build.build_request(routed, "sip:x@y", VIA, UDP, "<sip:p;lr>"))
    assert sent[-4:] == ["X: 1", "Route: <sip:p;lr>", "Route: <sip:q;lr>", "Content-Length: 0"]


def test_our_via() -> None:
    assert build.via_line(LISTEN, "b") == "Via: SIP/2.0/UDP 10.0.0.1;branch=b\r\n"
    assert build.via_line(LISTEN, "b", 26, ("1.2.3.4", ""), True) == (
        "Via: SIP/2.0/UDP 1.2.3.4;branch=b;i=1a;rport\r\n"
    )
    assert build.via_line(LISTEN, "b", 0, ("", "5099")) == "Via: SIP/2.0/UDP 10.0.0.1:5099;branch=b\r\n"


def test_reply_body() -> None:
    msg = request()
    msg.reply_lumps.append("X: 1\r\n")
    sent = build.build_reply(msg, 200, "OK", "t", "Server: s", "Y: 2\r\n", ("text/plain", "hello"))
    assert sent.endswith(
        "CSeq: 7 OPTIONS\r\nX: 1\r\nY: 2\r\nContent-Type: text/plain\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello"
    )


def test_forwarded_reply_edits() -> None:
    msg = message("SIP/2.0 200 OK\nv: SIP/2.0/UDP 10.0.0.1, SIP/2.0/UDP 10.0.0.2;branch=1\nCSeq: 1 INVITE\nl: 0\n\n")
    assert build.build_forwarded_reply(msg, UDP) == (
        "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 10.0.0.2;branch=1\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"
    )
    msg.lumps.insert(msg.headers_end, "X: 1\r\n")
    sent = head(build.build_forwarded_reply(msg, UDP, "SIP/2.0 202 Fine\r\n"))
    assert sent == ["SIP/2.0 202 Fine", "v: SIP/2.0/UDP 10.0.0.2;branch=1", "CSeq: 1 INVITE", "l: 0", "X: 1"]


def test_ack_and_cancel_keep_wanted_fields_only() -> None:
    sent = (
        f"INVITE sip:x@y SIP/2.0\r\n{VIA}Via: SIP/2.0/UDP 10.0.0.2\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\n"
        "CSeq: 7 INVITE\r\nMax-Forwards: 9\r\nRoute: <sip:r1>,\r\n <sip:r2>\r\nX-Keep-1: k\r\nContent-Type: a/b\r\n"
        "Authorization: secret\r\nContent-Length: 2\r\n\r\nhi"
    )
    start = f"{VIA}f: <sip:a@b>;tag=1\r\n"
    rest = "Max-Forwards: 9\r\nRoute: <sip:r1>,\r\n <sip:r2>\r\n"
    assert build.build_ack(sent, "<sip:c@d>;tag=2", "x-keep-") == (
        f"ACK sip:x@y SIP/2.0\r\n{start}To: <sip:c@d>;tag=2\r\ni: x\r\nCSeq: 7 ACK\r\n{rest}X-Keep-1: k\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    assert build.build_cancel(sent, "Reason: SIP;cause=1\r\n") == (
        f"CANCEL sip:x@y SIP/2.0\r\n{start}t: <sip:c@d>\r\ni: x\r\nCSeq: 7 CANCEL\r\n{rest}"
        "Content-Length: 0\r\nReason: SIP;cause=1\r\n\r\n"
    )
