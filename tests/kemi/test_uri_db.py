"""KSR.uri_db; what Kamailio 5.6.3 does with the same is compared by tests/parity/cases/uri_db."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench

ROWS = [
    ["subscriber", {"username": "alice", "domain": "ex.com", "password": "secret"}],
    ["uri", {"username": "alice", "domain": "ex.com", "uri_user": "ann"}],
]
TABLE = ["uri_db:use_uri_table=1", "uri_db:db_table=uri"]
STEP: dict[str, Any] = {"from": "<sip:ann@ex.com>;tag=1", "to": "<sip:Alice@ex.com>"}


def ask(params: list[str], *calls: str, **step: Any) -> list[Any]:
    return Bench(params, ROWS).request(STEP | step, [f"KSR.uri_db.{call}" for call in calls])[0]


def test_without_credentials() -> None:
    assert ask([], "check_from()", "check_to()", "check_uri('sip:ex.com')", "check_uri('x')") == [-2, -2, -4, -1]


def test_with_credentials() -> None:
    digest = {"user": "alice", "realm": "ex.com"}
    calls = [
        "check_from()",
        "check_to()",
        "check_uri('sip:ann@other.com')",
        "check_uri_realm('sip:ann@ex.com', '', '')",
    ]
    for params, found in (([], [-10, 1, -10, -10]), (TABLE, [1, -9, 1, 1])):
        bench = Bench(params, ROWS)
        bench.request({}, ['KSR.auth.www_challenge("ex.com", 0)'])
        step = STEP | {"method": "REGISTER", "digest": digest}
        checked = [f"KSR.uri_db.{call}" for call in calls]
        results = bench.request(step, ['KSR.auth.pv_auth_check("ex.com", "secret", 0, 0)', *checked])[0]
        assert results[1:] == found


def test_for_a_user_that_is_given() -> None:
    pairs = [("ann", "ex.com"), ("ann", "b"), ("ALICE", "ex.com"), ("ALICE", "b")]
    calls = [f"check_uri_realm('sip:{uri}@ex.com', 'alice', '{realm}')" for uri, realm in pairs]
    assert ask([], *calls) == [-10, -10, 1, 1]
    assert ask(TABLE, *calls) == [1, -9, -9, -9]


@pytest.mark.parametrize(
    ("params", "ruri", "found"),
    [
        ([], "sip:alice@other.com", 1),
        ([], "sip:ann@ex.com", -5),
        (["uri_db:use_domain=1"], "sip:alice@other.com", -5),
        (["uri_db:use_domain=1"], "sip:alice@ex.com", 1),
        (TABLE, "sip:ann@other.com", 1),
        ([*TABLE, "uri_db:use_domain=1"], "sip:ann@other.com", -5),
        ([], "sip:ex.com", -5),
        (["uri_db:db_table=nowhere"], "sip:alice@ex.com", -1),
    ],
)
def test_does_uri_exist(params: list[str], ruri: str, found: int) -> None:
    assert ask(params, "does_uri_exist()", ruri=ruri) == [found]


def test_names_are_names() -> None:
    with pytest.raises(ParamError, match="uri_db:db_table expects a name"):
        Bench(["uri_db:db_table=a b"])
