"""Header fields as tests read them."""

from __future__ import annotations

import pytest

from ksrcore.net.address import Dest
from ksrshell.testing.headers import Headers, split_message
from ksrshell.testing.sent import Sent


def test_names_in_any_case_compact_and_folded() -> None:
    first, fields, body = split_message(
        "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;x\r\n  ;y=1\r\nVIA: b\r\nSubject:\r\n\r\nb\xc3\xbcdy"
    )
    headers = Headers(fields)
    assert (first, body) == ("SIP/2.0 200 OK", "büdy")
    assert headers["Via"] == headers["V"] == "SIP/2.0/UDP a;x ;y=1"
    assert headers.all("via") == ["SIP/2.0/UDP a;x ;y=1", "b"]
    assert headers["subject"] == "" and "Subject" in headers and "To" not in headers
    assert list(headers) == ["v", "VIA", "Subject"] and len(headers) == 3
    assert headers == Headers(fields) and headers != Headers([]) and headers != 5
    with pytest.raises(KeyError, match="no header field 'To'; there are: v, VIA, Subject"):
        _ = headers["To"]


def test_what_was_sent() -> None:
    request = Sent("BYE sip:[::1]:5070;lr SIP/2.0\r\nVia: a, b\r\n\r\n", Dest("tcp", "::1", 5070), 0.5, False)
    assert (request.method, request.uri, request.to) == ("BYE", "sip:[::1]:5070;lr", "tcp:[::1]:5070")
    assert request.relayed and request.is_request
    assert request.went_to("sip:[::1]:5070") and request.went_to("[::1]") and not request.went_to("[::2]")
    assert repr(request) == "<BYE sip:[::1]:5070;lr to tcp:[::1]:5070>"
    reply = Sent("SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n", Dest("udp", "10.0.0.1", 5060), 0, False)
    assert (reply.code, reply.reason, reply.method) == (486, "Busy Here", "INVITE")
    assert not reply.relayed and repr(reply) == "<486 Busy Here to udp:10.0.0.1:5060>"
    http = Sent("HTTP/1.1 200 OK\r\n\r\n", Dest("tcp", "10.0.0.1", 80), 0, False)
    assert (http.code, http.reason) == (200, "OK")
