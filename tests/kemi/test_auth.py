"""KSR.auth and KSR.auth_db: sequences as recorded from Kamailio 5.6.3, and nonces through time."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench, check, load

PARAMS = ["auth_db:calculate_ha1=1", "auth_db:password_column=password"]
SUBSCRIBER = [["subscriber", {"username": "bob", "domain": "ex.com", "password": "secret", "ha1": "", "ha1b": ""}]]
CHECK = 'KSR.auth_db.auth_check("ex.com", "subscriber", 1)'


@pytest.mark.parametrize("scenario", load("auth"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


def challenged(*more: str) -> Bench:
    bench = Bench([*PARAMS, *more], SUBSCRIBER)
    bench.request({"method": "REGISTER"}, ['KSR.auth.auth_challenge("ex.com", 0)'])
    return bench


def answer(bench: Bench, **digest: str) -> Any:
    return bench.request({"method": "REGISTER", "digest": digest}, [CHECK])[0][0]


def test_a_nonce_ends() -> None:
    bench = challenged("auth:nonce_expire=30")
    assert answer(bench) == 1
    bench.proxy.now += 29
    assert answer(bench) == 1
    bench.proxy.now += 3
    assert answer(bench) == -4
    assert answer(bench, password="wrong") == -4


def test_a_nonce_from_the_future_is_stale() -> None:
    bench = challenged()
    bench.proxy.now -= 3
    assert answer(bench) == 1
    bench.proxy.now -= 2
    assert answer(bench) == -4


def test_another_start_has_another_secret_unless_it_is_given() -> None:
    for params, wanted in ((["auth:secret=phrase"], 1), ([], -1)):
        first, second = challenged(*params), challenged(*params)
        second.nonce = first.nonce
        assert answer(second) == wanted


def test_hashed_passwords() -> None:
    row = {
        "username": "bob",
        "domain": "ex.com",
        "password": "",
        "ha1": "c6aa09d6e8abba8ac9bd0ea0e7a6bb43",
        "ha1b": "",
    }
    from ksrcore.sip.digest import ha1

    row["ha1"] = ha1("bob", "ex.com", "secret")
    row["ha1b"] = ha1("bob@ex.com", "ex.com", "secret")
    bench = Bench([], [["subscriber", row]])
    bench.request({"method": "REGISTER"}, ['KSR.auth.auth_challenge("ex.com", 0)'])
    assert answer(bench) == 1
    assert answer(bench, user="bob@ex.com") == 1


def test_a_sandbox_uses_up_no_nonce() -> None:
    bench = challenged("auth:one_time_nonce=1")
    fork = bench.proxy.modules.auth.fork(bench.proxy)
    run = bench.make({"method": "REGISTER", "digest": {}})
    assert fork.pre_auth(run, "ex.com")[0] == 1
    assert fork.pre_auth(run, "ex.com")[0] == -6
    assert answer(bench) == 1


@pytest.mark.parametrize("param", ["auth:qop=x", "auth:algorithm=SHA-1", "auth_db:password_column=a b"])
def test_parameters_are_checked(param: str) -> None:
    with pytest.raises(ParamError, match=param.partition(":")[2].partition("=")[0]):
        Bench([param])


def test_without_a_database() -> None:
    from ksrcore.assemble import make_proxy

    proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[])
    assert ksr.auth_db.is_subscriber("sip:bob@ex.com", "subscriber", 2) == -1


def test_nonces_of_another_proxy_that_are_taken_as_our_own() -> None:
    from ksrcore.assemble import make_proxy
    from ksrcore.sip.digest import parse_credentials
    from ksrcore.sip.message import parse_message

    proxy, _ = make_proxy(transmit=lambda data, dest: True, listens=[], now=1.0, wall=1.0)
    auth = proxy.modules.auth
    msg = parse_message(b"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\n\r\n")
    credentials = parse_credentials('Digest username="a", realm="b", nonce="theirs", uri="sip:a", response="0"')
    assert auth.check_nonce(msg, credentials) == -1
    auth.accepted.add("theirs")
    assert auth.check_nonce(msg, credentials) == 1
    assert "theirs" in auth.fork(proxy).accepted
