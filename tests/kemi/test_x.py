"""ksrcore.kemi.x: exit, drop and calls by native name."""

from __future__ import annotations

import pytest

from ksrcore.kemi.declare import KsrArgumentError, KsrError
from lab.observed import load

from .conftest import MakeRun

TEXT = load("maxfwd_corex")[0]["text"]


def test_exit_ends_the_callback(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    with pytest.raises(SystemExit):
        bench.KSR.x.exit()
    assert not bench.run.dropped


def test_drop_ends_the_callback_and_drops(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    with pytest.raises(SystemExit):
        bench.KSR.x.drop()
    assert bench.run.dropped


def test_modf_calls_the_kemi_function_of_that_name(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    modf = bench.KSR.x.modf
    assert modf("is_method", "INVITE") == 1
    assert modf("is_method", "BYE") == -1
    assert modf("has_totag") == -1
    assert modf("mf_process_maxfwd_header", "10") == 1
    assert modf("sl_send_reply", "404", "No") == 1
    assert bench.sent[0][1].startswith("SIP/2.0 404 No\r\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nosuch",), "KSR.x.modf('nosuch'): no KEMI function of that name"),
        (("sl_send_reply", "404"), "got 1 arguments"),
        (("sl_send_reply", "x", "y"), "takes a number, got 'x'"),
    ],
)
def test_modf_says_what_is_wrong(make_run: MakeRun, args: tuple[str, ...], said: str) -> None:
    with pytest.raises(KsrError) as caught:
        make_run(TEXT).KSR.x.modf(*args)
    assert said in str(caught.value)


def test_modf_takes_a_name(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    with pytest.raises(KsrArgumentError, match="at least 1 argument"):
        bench.KSR.x.modf()
    with pytest.raises(KsrArgumentError):
        bench.KSR.x.modf(5)
