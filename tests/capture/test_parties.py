"""Whose address is the proxy's, and so who sent what."""

from __future__ import annotations

import pytest

from capture.samples import PROXY, UAC, UAS, captured, message
from ksrcore.capture.captured import Captured
from ksrcore.capture.parties import Parties

INVITE, REPLY = message("INVITE sip:bob@b SIP/2.0"), message("SIP/2.0 200 OK")


def two_vias(data: bytes) -> bytes:
    return data.replace(b"Via: ", b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKp\r\nVia: ", 1)


def call() -> list[Captured]:
    return [
        captured(INVITE, UAC, PROXY),
        captured(two_vias(INVITE), PROXY, UAS),
        captured(two_vias(REPLY), UAS, PROXY),
        captured(REPLY, PROXY, UAC),
    ]


def counted(messages: list[Captured], parties: Parties | None = None) -> Parties:
    parties = parties or Parties()
    for each in messages:
        parties.count(each)
    return parties


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_guess(count: int) -> None:
    parties = counted(call()[:count])
    assert parties.address == PROXY
    assert [parties.direction(m) for m in call()] == [False, True, False, True]
    assert parties.text == "10.0.0.9:5060"


def test_only_one_side_was_captured() -> None:
    assert counted([call()[0], call()[3]]).address == PROXY
    assert counted([call()[1], call()[2]]).address == PROXY


def test_the_capture_says_it() -> None:
    said = [m._replace(out=m.src_ip == UAS[0]) for m in call() for _ in range(3)]
    assert counted(said).address in (PROXY, UAS)
    assert counted(said).direction(said[0]) is False


def test_given_addresses_and_hosts() -> None:
    parties = counted(call(), Parties([UAS]))
    assert [parties.direction(m) for m in call()] == [None, False, True, None]
    parties = counted(call(), Parties(hosts=["10.0.0.2"]))
    assert [parties.direction(m) for m in call()] == [None, False, True, None]
    assert parties.addresses == [UAS]


def test_a_port_of_the_moment_is_the_proxys_over_tcp() -> None:
    moment = ("10.0.0.9", 41234)
    messages = [
        *call(),
        captured(two_vias(INVITE), moment, UAS, proto="tcp"),
        captured(two_vias(REPLY), UAS, moment, proto="tcp"),
        captured(message(), UAS, moment, proto="tcp"),  # over the connection that is there
        captured(message(), UAS, ("10.0.0.7", 5), proto="tcp"),
    ]
    parties = counted(messages)
    assert [parties.direction(m) for m in messages[4:]] == [True, False, False, None]


def test_listens() -> None:
    parties = counted([*call(), captured(INVITE, UAC, PROXY, proto="tcp")])
    assert [listen.text for listen in parties.listens()] == ["udp:10.0.0.9:5060", "tcp:10.0.0.9:5060"]
    assert [listen.text for listen in Parties([UAS]).listens()] == ["udp:10.0.0.2:5063"]


def test_nothing() -> None:
    parties = Parties()
    assert (parties.address, parties.addresses, parties.listens(), parties.text) == (None, [], [], "")
