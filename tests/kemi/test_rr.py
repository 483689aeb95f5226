"""KSR.rr: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load
from lab.sequence import Bench

RUINED = "Kamailio removes half of the field, and what stays is no SIP"
DIFFERS: dict[str, dict[str, str]] = {
    "remove": {"sent": RUINED},
    "remove readd": {"sent": RUINED},
    "reply": {"sent": RUINED},
}


@pytest.mark.parametrize("case", load("rr"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)


@pytest.mark.parametrize(("param", "warnings"), [((), 1), (("rr:enable_socket_mismatch_warning=0",), 0)])
def test_a_second_route_that_is_no_socket_of_ours(
    param: tuple[str, ...], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(param)
    routes = "Route: <sip:127.0.0.1:5066;r2=on;lr>, <sip:10.9.9.9:5066;r2=on;lr>, <sip:10.0.0.7;lr>"
    assert bench.request({"ruri": "sip:b@10.0.0.8", "fields": [routes]}, ["KSR.rr.loose_route()"])[0] == [1]
    assert bench.run.msg.dst_uri == "sip:10.0.0.7;lr"
    assert [r.getMessage() for r in caplog.records] == [
        "no socket of ours is that of the second of our Route values (sip:10.9.9.9:5066;r2=on;lr)"
    ] * warnings
