"""Kamailio's own script under test, as its users would test theirs, and what the package offers them."""

from __future__ import annotations

import pytest

import ksrshell.testing
from ksrshell.testing import Ksr
from lab.needs import STOCK_SCRIPT, need_file


@pytest.fixture
def stock(ksr: Ksr) -> Ksr:
    ksr.load(
        need_file(STOCK_SCRIPT, "kamailio"),
        aliases=["example.com"],
        modparams=["htable:htable=ipban=>size=8;autoexpire=300;"],
    )
    ksr.subscriber("alice", "secret", "example.com")
    ksr.location.add("bob", "sip:bob@10.0.0.2:5060")
    return ksr


def test_a_call(stock: Ksr) -> None:
    r = stock.authenticated(stock.request("INVITE", "sip:bob@example.com"), "alice", "secret")
    assert r.relayed_to("sip:bob@10.0.0.2") and "Proxy-Authorization" not in r.relayed[0].headers
    answered = stock.reply(stock.reply(r, 180), 200)
    assert answered.replied(200) and answered.ran("ksr_onreply_manage")
    assert stock.ack(answered).relayed_to("10.0.0.2") and stock.bye(answered).relayed_to("10.0.0.2")


def test_nobody_and_the_banned(stock: Ksr) -> None:
    assert stock.authenticated(stock.request(uri="sip:nobody@example.com"), "alice", "secret").replied(404)
    scanner = stock.request(src="10.0.0.66:5060", headers={"User-Agent": "friendly-scanner"})
    assert stock.route(scanner).replied(200, "Processed")
    stock.htable["ipban"]["10.0.0.66"] = 1
    assert stock.route(scanner).dropped


def test_a_registration(stock: Ksr) -> None:
    r = stock.authenticated(stock.request("REGISTER", "sip:example.com"), "alice", "secret")
    assert r.replied(200) and "alice" in stock.location


def test_every_public_name_is_there() -> None:
    for name in ksrshell.testing.__all__:
        assert isinstance(getattr(ksrshell.testing, name), type)
    with pytest.raises(AttributeError):
        _ = ksrshell.testing.nothing
