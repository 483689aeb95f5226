"""SIPp scenarios through the unmodified stock script; every message that a scenario does not expect fails its call.

``KSR_LAB=kamailio`` runs them against a real Kamailio, which proves the scenarios themselves.
"""

from pathlib import Path

import pytest

from lab.calls import Caller
from lab.database import users_csv

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@transports
@pytest.mark.parametrize("scenario", ["options", "too_many_hops", "unknown_user", "no_route_in_dialog"])
def test_answered_by_the_proxy(caller: Caller, scenario: str, transport: str) -> None:
    caller.run(scenario, transport)


@transports
def test_register_and_unregister(caller: Caller, transport: str) -> None:
    caller.register("127.0.0.1:9", transport)
    caller.unregister("127.0.0.1:9", transport)
    caller.run("unknown_user", transport)


@transports
def test_wrong_password(caller: Caller, transport: str, tmp_path: Path) -> None:
    wrong = users_csv(tmp_path / "wrong.csv", [caller.name], wrong=True)
    caller.run("register_wrong_password", transport, csv_file=wrong, keys={"contact": "127.0.0.1:9"})
    caller.run("unknown_user", transport)


def test_no_open_relay(caller: Caller) -> None:
    # 127.0.0.2 is not in the address table: the script's other rules apply to it.
    caller.run("not_relaying", host="127.0.0.2")


@transports
@pytest.mark.parametrize(
    ("uac", "uas"),
    [
        pytest.param("uac", "uas", id="call"),
        pytest.param("uac_reinvite", "uas_reinvite", id="reinvite"),
        pytest.param("uac_indialog", "uas_indialog", id="in-dialog"),
        pytest.param("uac_callee_hangs_up", "uas_hangs_up", id="callee-hangs-up"),
        pytest.param("uac_busy", "uas_busy", id="busy"),
        pytest.param("uac_cancel", "uas_canceled", id="canceled"),
        pytest.param("uac_cancel_early", "uas_canceled_early", id="canceled-early"),
        pytest.param("uac_no_answer", "uas_canceled", id="no-answer"),
    ],
)
def test_call(caller: Caller, uac: str, uas: str, transport: str) -> None:
    caller.call(uac, uas, transport)


def test_nobody_at_the_contact(caller: Caller) -> None:
    caller.register("127.0.0.1:9;transport=udp")
    caller.run("uac_unreachable")


@pytest.mark.parametrize(("transport", "callee_transport"), [("udp", "tcp"), ("tcp", "udp")])
@pytest.mark.parametrize(
    ("uac", "uas"),
    [
        pytest.param("uac", "uas", id="call"),
        pytest.param("uac_callee_hangs_up", "uas_hangs_up", id="callee-hangs-up"),
        pytest.param("uac_cancel", "uas_canceled", id="canceled"),
    ],
)
def test_call_between_transports(caller: Caller, uac: str, uas: str, transport: str, callee_transport: str) -> None:
    # Two Record-Routes (r2=on), of which a request in the dialog must lose both.
    caller.call(uac, uas, transport, callee_transport)


@transports
def test_two_contacts_ring(caller: Caller, transport: str) -> None:
    with (
        caller.callee("uas", transport, extra=["-d", "100"]) as answers,
        caller.callee("uas_canceled", transport) as rings,
    ):
        caller.register(answers.contact, transport)
        caller.register(rings.contact, transport)
        called = caller.sipp("uac", transport).run()
        called.check(1)
        answers.wait().check(1)
        rings.wait().check(1)


def test_call_with_credentials(caller: Caller) -> None:
    with caller.callee("uas") as callee:
        caller.register(callee.contact)
        caller.run("uac_auth", host="127.0.0.2")
        callee.wait().check(1)


@transports
def test_many_calls_without_a_retransmission(caller: Caller, transport: str) -> None:
    with caller.callee("uas", transport, calls=50) as callee:
        caller.register(callee.contact, transport)
        caller.sipp("uac", transport, calls=50, rate=50).run().check(50)
        callee.wait().check(50)
