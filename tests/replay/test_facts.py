"""Which message made a proxy send another, told from the messages."""

from __future__ import annotations

from ksrcore.replay.facts import Causes, Facts, read_facts
from replay.scene import reply, request


def facts(data: bytes) -> Facts:
    found = read_facts(data.decode())
    assert found is not None
    return found


def test_facts() -> None:
    assert facts(request("INVITE", via="z9hG4bKx")) == Facts(
        "c1", 1, "INVITE", 0, "z9hG4bKx", "", "INVITE sip:bob@10.0.0.9"
    )
    assert facts(reply("180 Ringing", "INVITE")) == Facts(
        "c1", 1, "INVITE", 180, "z9hG4bKc1INVITE1", "uas", "180 Ringing"
    )
    assert read_facts("nonsense") is None
    assert read_facts("OPTIONS sip:a SIP/2.0\r\n\r\n") is None


def test_causes() -> None:
    causes = Causes()
    causes.came(facts(request("INVITE")), 1)
    assert causes.of(facts(request("INVITE", via="z9hG4bKp"))) == 1
    assert causes.of(facts(reply("100 trying", "INVITE"))) == 1
    assert causes.of(facts(request("CANCEL", via="z9hG4bKp"))) == 1
    causes.came(facts(request("CANCEL")), 2)
    assert causes.of(facts(request("CANCEL", via="z9hG4bKp"))) == 2
    causes.came(facts(reply("200 OK", "CANCEL", via="z9hG4bKp")), 9)
    assert causes.of(facts(reply("200 canceling", "CANCEL"))) == 2
    causes.came(facts(reply("487 Terminated", "INVITE", via="z9hG4bKp")), 3, ("z9hG4bKours",))
    assert causes.of(facts(reply("487 Terminated", "INVITE"))) == 3
    assert causes.of(facts(request("ACK", via="z9hG4bKp"))) == 3
    assert causes.of(facts(request("ACK", via="z9hG4bKours"))) == 3
    causes.came(facts(request("ACK")), 4)
    assert causes.of(facts(request("ACK", via="z9hG4bKother"))) == 4
    assert causes.of(facts(request("BYE"))) == 0
