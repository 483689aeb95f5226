"""KSR.sanity: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

from .conftest import MakeRun

DIFFERS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("case", load("sanity"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)


def test_noreply_leaves_the_reply_to_the_script(make_run: MakeRun) -> None:
    case = next(case for case in load("sanity") if case["name"] == "prxreq baz")
    bench = make_run(case["text"], modparams=("sanity:noreply=1",))
    assert bench.KSR.sanity.sanity_check(512, 7) == -1
    assert bench.sent == []
    assert bench.KSR.sanity.sanity_reply() == 1
    ((_, text),) = bench.sent
    assert text.startswith("SIP/2.0 420 Bad Proxy Require Extension\r\n")
    assert "\r\nUnsupported: baz\r\n" in text
    assert bench.KSR.sanity.sanity_reply() == 1
    assert len(bench.sent) == 1
