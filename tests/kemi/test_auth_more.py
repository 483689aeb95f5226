"""What KSR.auth, auth_db, sl, tm and xlog have since Kamailio 6.0; as 5.6.3 answers in its native language."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lab.sequence import Bench

HA1 = hashlib.md5(b"bob:ex.com:secret").hexdigest()
DATABASE: list[Any] = [("subscriber", {"username": "bob", "domain": "ex.com", "password": "secret"})]
PARAMS = ["auth_db:calculate_ha1=1", "auth_db:password_column=password"]
CALLS = [
    "KSR.auth.pv_www_authenticate('ex.com', 'secret', 0)",
    "KSR.auth.pv_www_authenticate_method('ex.com', 'secret', 0, 'REGISTER')",
    "KSR.auth.pv_proxy_authenticate('ex.com', 'secret', 0)",
    "KSR.auth.pv_www_authenticate('ex.com', 'bad', 0)",
    f"KSR.auth.pv_www_authenticate('ex.com', '{HA1}', 1)",
    "KSR.auth_db.www_authenticate('ex.com', 'subscriber')",
    "KSR.auth_db.www_authenticate_method('ex.com', 'subscriber', 'REGISTER')",
]


@pytest.mark.parametrize(
    ("method", "field", "wanted"),
    [
        ("REGISTER", "Authorization", [1, 1, -5, -2, 1, 1, 1]),
        ("INVITE", "Authorization", [1, -2, -5, -2, 1, 1, -2]),
        ("INVITE", "Proxy-Authorization", [-5, -5, 1, -5, -5, -5, -5]),
        ("ACK", "Authorization", [1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_checks(method: str, field: str, wanted: list[int]) -> None:
    bench = Bench(PARAMS, DATABASE)
    bench.request({}, ["KSR.auth.auth_challenge('ex.com', 0)"])
    assert bench.request({"method": method, "digest": {"field": field}}, CALLS)[0] == wanted


def test_a_challenge_in_an_avp() -> None:
    for call, name in (("pv_www_authenticate", "WWW-"), ("pv_proxy_authenticate", "Proxy-")):
        calls = [f"KSR.auth.{call}('ex.com', 'x', 4)", "KSR.pv.get('$avp(digest_challenge)')"]
        code, text = Bench().request({}, calls)[0]
        assert code == -5 and text.startswith(f"{name}Authenticate: Digest realm=") and text.endswith('qop="auth"\r\n')


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_challenges(method: str) -> None:
    bench = Bench()
    for call, status, name in (
        ("www_challenge", "401 Unauthorized", "WWW"),
        ("proxy_challenge", "407 Proxy Authentication Required", "Proxy"),
    ):
        results, replies = bench.request({"method": method}, [f"KSR.auth.{call}('ex.com', 17)"])
        assert results == [1] and replies[0][0] == f"SIP/2.0 {status}"
        assert replies[0][1].startswith(f'{name}-Authenticate: Digest realm="ex.com"')
        assert replies[0][1].endswith('qop="auth", stale=true')


def test_what_fails() -> None:
    calls = [
        "KSR.auth.www_challenge('', 1)",
        "KSR.auth.pv_www_authenticate('', 'x', 1)",
        "KSR.auth.pv_www_authenticate('ex.com', '', 1)",
        "KSR.auth_db.www_authenticate('', 'subscriber')",
        "KSR.auth_db.www_authenticate('ex.com', '')",
        "KSR.auth.auth_get_www_authenticate('', 1, '$var(x)')",
        "KSR.auth.auth_get_www_authenticate('ex.com', 1, '$si')",
        "KSR.auth.auth_algorithm('SHA-512')",
    ]
    assert Bench().request({}, calls)[0] == [-1] * len(calls)
    assert Bench().request({"method": "ACK"}, ["KSR.auth.www_challenge('ex.com', 1)"])[0] == [-3]


def test_a_field_in_a_variable_and_another_algorithm() -> None:
    calls = [
        "KSR.auth.auth_algorithm('SHA-256')",
        "KSR.auth.auth_get_www_authenticate('ex.com', 1, '$var(x)')",
        "KSR.pv.get('$var(x)')",
    ]
    *codes, text = Bench().request({}, calls)[0]
    assert codes == [1, 1] and text.startswith("WWW-Authenticate: Digest realm=")
    assert text.endswith('qop="auth", algorithm=SHA-256\r\n')


def test_error_replies_and_facilities() -> None:
    results, replies = Bench().request({}, ["KSR.sl.send_reply_error()"])
    assert results == [1] and replies[0][0] == "SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)"
    results, replies = Bench().request({}, ["KSR.tm.t_newtran()", "KSR.sl.send_reply_error()"])
    assert results == [1, 1] and "500" in replies[0][0]
    calls = ["KSR.xlog.xlog_facility('LOG_LOCAL0', 'L_INFO', '$ru')", "KSR.xlog.xlog_facility('X', 'L_INFO', '$ru')"]
    assert Bench().request({}, calls)[0] == [1, -1]


def test_transactions() -> None:
    calls = ["KSR.tm.t_exists()", "KSR.tm.t_reply_error()", "KSR.tm.t_newtran()", "KSR.tm.t_exists()"]
    results, replies = Bench().request({}, [*calls, "KSR.tm.t_reply_error()"])
    assert results == [-1, -1, 1, 1, 1]
    assert replies[0][0] == "SIP/2.0 500 I'm terribly sorry, server error occurred (1/TM)"
