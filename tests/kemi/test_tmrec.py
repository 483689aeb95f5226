"""KSR.tmrec; what Kamailio 5.6.3 does with the same is compared by tests/parity/cases/tmrec."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.tmrec_rules import PeriodError, in_period, is_leap_year, matches


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


MONDAY = at("2012-11-26 08:30:45")


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("20121126T083000|PT10H", True),
        ("20121101T083000|PT10H", False),
        ("20121101T083000|PT10H|daily", True),
        ("20121101T083000|PT10H|weekly|||MO,TU", True),
        ("20121101T083000|PT10H|weekly|||SA,SU", False),
        ("20121101T083000|PT10H|weekly", False),
        ("20121105T083000|PT10H|weekly", True),
        ("20121105T083000|PT10H|weekly||2", False),
        ("20121105T083000|PT10H|weekly||3", True),
        ("20121026T083000|PT10H|monthly", True),
        ("20111126T083000|PT10H|yearly", True),
        ("20111126T083000|PT10H|yearly|20121001T000000", False),
        ("20111126T080000|PT30M|daily", False),
        ("20111126T083000|PT10H|monthly||||25,26", True),
        ("20111126T083000|PT10H|monthly||||-5", True),
        ("20111126T083000|PT10H|yearly|||||330", True),
        ("20111126T083000|PT10H|monthly||||26|||10", True),
        ("20111126T083000|PT10H|monthly||||26|||11", False),
        ("", False),
        ("|", True),
        ("20121126|PT10H", False),
        ("20121126T083000|10H", False),
        ("20121326T083000|PT10H", False),
    ],
)
def test_recurrences(rule: str, found: bool) -> None:
    assert matches(rule, "|", MONDAY) is found
    assert matches(rule.replace("|", ";"), ";", MONDAY) is found


@pytest.mark.parametrize(
    ("period", "found"),
    [
        ("wd{mo-fr} hr{8-17}", True),
        ("wd{2-6} hr{9-16}, wd{1}", False),
        ("wd{sat-mon}", True),
        ("mo{nov} md{20-30}", True),
        ("yr{2012} yd{331} wk{4} sec{45}", True),
        ("min{31-29}", False),
        ("", True),
        ("never", False),
        ("hr{9}hr{8}", True),
    ],
)
def test_periods(period: str, found: bool) -> None:
    assert in_period(period, MONDAY) is found


@pytest.mark.parametrize("period", ["x", "wd{tu", "wd{t}", "hr{24}", "hr{1-2-3}", "yr{100}", "{1}", "weekday{1}"])
def test_periods_that_cannot_be_read(period: str) -> None:
    with pytest.raises(PeriodError):
        in_period(period, MONDAY)


def test_leap_years() -> None:
    assert [year for year in (1900, 2000, 2023, 2024) if is_leap_year(year)] == [2000, 2024]


def test_functions(caplog: pytest.LogCaptureFixture) -> None:
    proxy, ksr = make_proxy(
        transmit=lambda data, dest: True, listens=[], modparams=["tmrec:separator=;"], wall=float(MONDAY)
    )
    proxy.env.run = proxy.fake_run()
    tmrec = ksr.tmrec
    assert tmrec.match("20121101T083000;PT10H;daily") == 1
    assert tmrec.match("20121101T093000;PT10H;daily") == -1
    assert tmrec.match_timestamp("20121101T083000;PT10H;daily", 0) == 1
    assert tmrec.match_timestamp("20121101T083000;PT10H;daily", MONDAY - 7200) == -1
    assert [tmrec.is_leap_year_now(), tmrec.is_leap_year(2023)] == [1, -1]
    assert [tmrec.time_period_match("wd{mo}"), tmrec.time_period_match_timestamp("wd{mo}", MONDAY + 86400)] == [1, -1]
    assert tmrec.time_period_match("wd{xx}") == 1
    assert "expected a wday, got 'xx'" in caplog.text


def test_the_separator_is_one_character() -> None:
    with pytest.raises(ParamError, match="one character"):
        make_proxy(transmit=lambda data, dest: True, listens=[], modparams=["tmrec:separator=||"])
