"""Outcomes in words, and the sum."""

from __future__ import annotations

import pytest

from ksrcore.replay.result import Raised, Result, Sent, Summary


def result(*sent: Sent, request: bool = True, **fields: object) -> Result:
    made = Result(1, 1.5, "udp:10.0.0.1:5060", "INVITE sip:b" if request else "200 OK", "c", request, sent=list(sent))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


OUT = "udp:10.0.0.2:5060"


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (result(Sent("100 trying", OUT), Sent("INVITE sip:b", OUT)), f"replied 100, relayed to {OUT}"),
        (result(Sent("OPTIONS sip:b", OUT)), f"sent OPTIONS to {OUT}"),
        (result(Sent("200 OK", OUT), request=False), f"passed on to {OUT}"),
        (result(dropped=True), "dropped"),
        (result(callbacks=["ksr_request_route"]), "nothing sent"),
        (result(), "absorbed"),
        (result(error="no Via"), "no Via"),
        (result(raised=[Raised("cb", "KeyError: 1", "r.py:3", "")]), "exception: KeyError: 1 in cb (r.py:3)"),
    ],
)
def test_outcome(made: Result, outcome: str) -> None:
    assert made.outcome == outcome
    assert made.to_json()["outcome"] == outcome


def test_latency_and_status() -> None:
    summary = Summary("c", "s", "p", False, [result(seconds=n / 1000) for n in range(1, 101)])
    assert summary.latency() == (0.051, 0.1, 0.1)
    assert Summary("c", "s", "p", False).latency() == (0.0, 0.0, 0.0)
    assert (summary.status(False), summary.status(True)) == (0, 0)
    summary.results[0].differences.append("x")
    assert (summary.status(False), summary.status(True)) == (0, 1)
    assert summary.to_json()["differing"] == 1
