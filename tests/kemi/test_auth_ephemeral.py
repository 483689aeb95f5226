"""KSR.auth_ephemeral: as recorded from Kamailio 5.6.3; digest credentials."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench, check, load

NAMES = ("check", "www", "proxy")


@pytest.mark.parametrize("scenario", load("auth_ephemeral"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


def password(user: str, secret: str = "one", algorithm: str = "sha1") -> str:
    return base64.b64encode(hmac.new(secret.encode(), user.encode(), algorithm).digest()).decode()


@pytest.mark.parametrize(
    ("method", "field", "user", "secret", "wanted"),
    [
        ("REGISTER", "Authorization", "1800404000:bob", "one", [1, 1, -5]),
        ("REGISTER", "Authorization", "1000000:bob", "one", [-7, -7, -5]),
        ("REGISTER", "Authorization", "1800404000:bob", "other", [-2, -2, -5]),
        ("REGISTER", "Authorization", "bob", "one", [-1, -1, -5]),
        ("INVITE", "Proxy-Authorization", "1800404000:bob", "two", [1, -5, 1]),
        ("INVITE", "Authorization", "1800404000:bob", "one", [-5, 1, -5]),
        ("ACK", "Authorization", "1800404000:bob", "none", [1, 1, 1]),
    ],
)
def test_digest(method: str, field: str, user: str, secret: str, wanted: list[int]) -> None:
    bench = Bench(["auth_ephemeral:secret=one", "auth_ephemeral:secret=two"])
    bench.request({}, ["KSR.auth.auth_challenge('ex.com', 0)"])
    digest = {"user": user, "password": password(user, secret), "field": field}
    calls = [f"KSR.auth_ephemeral.autheph_{name}('ex.com')" for name in NAMES]
    got = bench.request({"method": method, "digest": digest}, [*calls, "KSR.auth_ephemeral.autheph_check('')"])[0]
    assert got == [*wanted, -1]


def test_another_method() -> None:
    bench = Bench(["auth_ephemeral:secret=one"])
    bench.request({}, ["KSR.auth.auth_challenge('ex.com', 0)"])
    digest = {"user": "1800404000", "password": password("1800404000")}
    call = "KSR.auth_ephemeral.autheph_www_method('ex.com', '{}')"
    got = bench.request({"method": "INVITE", "digest": digest}, [call.format("REGISTER"), call.format("INVITE")])[0]
    assert got == [-2, 1]


def test_formats() -> None:
    bench = Bench(["auth_ephemeral:secret=s", "auth_ephemeral:username_format=0", "auth_ephemeral:sha_algorithm=1"])
    user = "bob:1800404000"
    call = "KSR.auth_ephemeral.autheph_authenticate('{}', '{}')"
    calls = [call.format(user, password(user, "s", "sha256")), call.format(user, password(user, "s"))]
    assert bench.request({}, calls)[0] == [1, -1]
    with pytest.raises(ParamError, match="sha_algorithm expects 0 to 3"):
        Bench(["auth_ephemeral:sha_algorithm=4"])


def test_a_sandbox_has_its_own_secrets() -> None:
    bench = Bench(["auth_ephemeral:secret=one"])
    fork: Any = bench.proxy.modules["auth_ephemeral"].fork(bench.proxy)
    fork.rpc_add_secret(["two"])
    assert bench.rpc("autheph.dump_secrets") == ["ID 0: one"]
