"""KSR.path: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import TCP, Case, check, load

from .conftest import MakeRun

DIFFERS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("case", load("path"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)


REQUEST = """\
INVITE sip:bob@9.9.9.9 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:27317;branch=z9hG4bKabc
From: <sip:alice@example.com>;tag=ft1
To: <sip:bob@example.com>
Call-ID: cid1
CSeq: 1 INVITE
Route: <sip:127.0.0.1:27310;lr;received=sip:10.0.0.7:5066%3Btransport%3Dtcp>
Content-Length: 0

"""


def test_use_received_sends_to_where_the_registration_came_from(make_run: MakeRun) -> None:
    bench = make_run(REQUEST, modparams=("path:use_received=1",))
    assert bench.KSR.rr.loose_route() == -3
    assert bench.msg.dst_uri == "sip:10.0.0.7:5066;transport=tcp"


def test_without_use_received_it_is_left_alone(make_run: MakeRun) -> None:
    bench = make_run(REQUEST)
    assert bench.KSR.rr.loose_route() == -3
    assert bench.msg.dst_uri == ""


def test_an_advertised_address_of_6x(make_run: MakeRun) -> None:
    bench = make_run(REQUEST)
    assert bench.KSR.path.add_path_advertised_address_user_params("edge.example.net:5070", "u", "p=1") == 1
    assert "\r\nPath: <sip:u@edge.example.net:5070;lr;p=1>\r\n" in bench.edited


def test_received_format_1_needs_no_escapes(make_run: MakeRun) -> None:
    bench = make_run(REQUEST, modparams=("path:received_format=1",), listen=TCP)
    bench.KSR.path.add_path_received()
    assert "\r\nPath: <sip:127.0.0.1:27310;lr;received=sip:127.0.0.1:27317~tcp>\r\n" in bench.edited
