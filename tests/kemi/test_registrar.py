"""KSR.registrar: sequences as recorded from Kamailio 5.6.3."""

from __future__ import annotations

from typing import Any

import pytest

from lab.sequence import Bench, check, load

DIFFERS: dict[str, str] = {}


@pytest.mark.parametrize("scenario", load("registrar"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario, DIFFERS)


def register(bench: Bench, contact: str, *calls: str) -> None:
    step = {"method": "REGISTER", "ruri": "sip:ex.com", "fields": [f"Contact: {contact}"]}
    assert bench.request(step, [*calls, 'KSR.registrar.save("location", 0)'])[0][-1] > 0


def test_lookup_xavp() -> None:
    bench = Bench(["nathelper:received_avp=$avp(rcv)", "registrar:received_avp=$avp(rcv)"])
    register(bench, "<sip:bob@10.0.0.1:5070>;q=0.3")
    register(bench, "<sip:b2@10.0.0.2>;q=0.9", 'KSR.pv.sets("$avp(rcv)", "sip:127.0.0.1:5555")')
    names = ("r=>aor", "r=>count", "c=>uri", "c=>socket", "c=>dsturi", "c[1]=>uri", "c[1]=>dsturi", "c[2]=>uri")
    ask = [f'KSR.pv.get("$xavp({name})")' for name in names]
    lookup = 'KSR.registrar.lookup_xavp("location", "{}", "r", "c")'
    assert bench.request({}, [lookup.format("sip:bob@ex.com"), *ask])[0] == [
        1, "bob", 2, "sip:b2@10.0.0.2", "udp:127.0.0.1:5066", "sip:127.0.0.1:5555", "sip:bob@10.0.0.1:5070", None, None,
    ]  # fmt: skip
    assert bench.request({}, [lookup.format("sip:nobody@ex.com"), lookup.format("nonsense")])[0] == [-1, -3]
    assert bench.request({}, ['KSR.registrar.lookup_xavp("none", "sip:bob@ex.com", "r", "c")', ask[0]])[0] == [-1, None]
    assert bench.request({}, ['KSR.registrar.lookup_xavp("location", "sip:bob@ex.com", "", "c")'])[0] == [-1]


def test_reg_from_user() -> None:
    bench = Bench(["nathelper:received_avp=$avp(rcv)", "registrar:received_avp=$avp(rcv)"])
    register(bench, "<sip:bob@10.0.0.1:5070>")
    ask = [f'KSR.registrar.reg_from_user("location", "sip:bob@ex.com", {mode})' for mode in range(4)]
    assert bench.request({"source": "10.0.0.1"}, ask)[0] == [1, -1, 1, -1]
    assert bench.request({"source": "10.0.0.2"}, ask)[0] == [-1] * 4
    register(bench, "<sip:b2@10.0.0.2>", 'KSR.pv.sets("$avp(rcv)", "sip:127.0.0.1:5555;transport=tcp")')
    assert bench.request({}, ask)[0] == [1, 1, -1, -1]
    assert bench.request({}, ['KSR.registrar.reg_from_user("location", "nonsense", 0)'])[0] == [-1]
    assert bench.request({}, ['KSR.registrar.reg_from_user("none", "sip:bob@ex.com", 0)'])[0] == [-1]


def contacts(bench: Bench, contact: str, *extra: str, flags: int = 0) -> tuple[int, str]:
    """save()'s result and the Contact field of the reply, without what is ``expires``."""
    step = {"method": "REGISTER", "ruri": "sip:ex.com", "fields": [f"Contact: {contact}", *extra]}
    results, replies = bench.request(step, [f'KSR.registrar.save("location", {flags})'])
    found = next((line for line in replies[-1] if line.startswith("Contact: ")), "")
    users = [part.partition("@")[0].rpartition(":")[2] for part in found.removeprefix("Contact: ").split(", ")]
    return results[0], " ".join(users)


def test_a_contact_said_twice_counts_once() -> None:
    bench = Bench([])
    assert contacts(bench, "<sip:a@h>;q=0.5, <sip:a@h>;q=0.7") == (1, "a")
    assert contacts(bench, "<sip:a@h>;expires=0, <sip:a@h>")[1] == "a"


def test_flag_4_keeps_the_first_contact_that_stays() -> None:
    bench = Bench([])
    contacts(bench, "<sip:a@h>, <sip:b@h>")
    assert contacts(bench, "<sip:c@h>, <sip:d@h>", flags=4) == (1, "d")
    assert contacts(bench, "<sip:e@h>, <sip:d@h>;expires=0", flags=4)[1] == "e"


def test_an_instance_is_known_by_itself() -> None:
    bench = Bench([])
    one = '+sip.instance="<urn:x>"'
    assert contacts(bench, f"<sip:a@h>;{one}") == (1, "a")
    assert contacts(bench, f"<sip:b@h>;{one}") == (2, "b")
    assert contacts(bench, f"<sip:b@h>;{one};reg-id=1") == (1, "b b")
    assert contacts(bench, f"<sip:b@h>;{one};reg-id=0")[0] == -1


@pytest.mark.parametrize(("user", "good"), [("a" * 64, True), ("a" * 65, False), ("%41", True), ("%c3", False)])
def test_users_that_can_register(user: str, good: bool) -> None:
    step = {"method": "REGISTER", "ruri": "sip:ex.com", "fields": ["Contact: <sip:a@h>"]}
    call = f'KSR.registrar.save_uri("location", 0, "sip:{user}@ex.com")'
    assert (Bench([]).request(step, [call])[0][0] == 1) is good
