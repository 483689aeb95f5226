"""KSR.the core: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import logging

import pytest

from ksrcore.net.address import Dest
from lab.observed import Case, check, load

from .conftest import MakeRun

DIFFERS: dict[str, dict[str, str]] = {
    "uri set": {"KSR.pv.get('$ru')": "after seturi('') Kamailio shows none; it takes a space in a user"},
    "protos tcp": {
        "' '.join(n for n in dir(KSR) if n.startswith(('is_','to_')) and n[3:].isupper() and getattr(KSR,n)())": (
            "is_TCPX is new in 6.x"
        ),
        "KSR.add_tcp_alias_via()": "the port of the Via is another socket of the recorded client",
    },
    "KSR.x.modf('nosuch')": {"KSR.x.modf('nosuch')": "our error says more"},
    "KSR.x.modf('is_method','INVITE')": {"KSR.x.modf('is_method','INVITE')": "5.6.3 says -1 for a true one"},
}


@pytest.mark.parametrize("case", load("core"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)


def test_log_levels(make_run: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    bench = make_run(load("core")[0]["text"])
    with caplog.at_level(logging.DEBUG, "ksrcore.script"):
        for name in ("dbg", "info", "notice", "warn", "err", "crit"):
            getattr(bench.KSR, name)(f"{name} é\n")
        for level in ("INFO", "crit", "foo", ""):
            bench.KSR.log(level, f"log {level}\n")
        assert bench.KSR.get_debug() == 3
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "dbg é"),
        ("INFO", "info é"),
        ("NOTICE", "notice é"),
        ("WARNING", "warn é"),
        ("ERROR", "err é"),
        ("CRITICAL", "crit é"),
        ("INFO", "log INFO"),
        ("CRITICAL", "log crit"),
        ("ERROR", "log foo"),
        ("ERROR", "log "),
    ]


@pytest.mark.parametrize(
    ("level", "debug"), [(10, 3), (20, 2), (25, 1), (30, 0), (40, -1), (50, -2)], ids=lambda value: str(value)
)
def test_get_debug_is_kamailios_number(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture, level: int, debug: int
) -> None:
    with caplog.at_level(level, "ksrcore.script"):
        assert make_run(load("core")[0]["text"]).KSR.get_debug() == debug


def test_set_drop_and_onsend_tests(make_run: MakeRun) -> None:
    bench = make_run(load("core")[0]["text"])
    bench.KSR.set_drop()
    assert bench.run.dropped
    assert not bench.KSR.to_UDP() and not bench.KSR.to_IPv4() and not bench.KSR.to_IPv6()
    bench.run.dest = Dest("tcp", "::1", 5060)
    assert (bench.KSR.to_TCP(), bench.KSR.to_UDP(), bench.KSR.to_IPv6(), bench.KSR.to_IPv4()) == (
        True,
        False,
        True,
        False,
    )


def test_aliases_that_come_later_are_ours_too(make_run: MakeRun) -> None:
    bench = make_run(load("core")[0]["text"])
    assert not bench.KSR.is_myself("sip:new.example.net")
    bench.proxy.aliases["new.example.net"] = None
    assert bench.KSR.is_myself("sip:new.example.net")
    assert bench.proxy.is_myself("new.example.net", 5080, "tls")
