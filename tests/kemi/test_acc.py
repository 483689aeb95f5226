"""acc: the lines Kamailio 5.6.3 logs (recorded: text and order of the fields), the rows, which transactions count."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Rcv
from lab.sequence import PORT, Bench

PARAMS = [
    "acc:log_flag=1",
    "acc:log_missed_flag=2",
    "acc:failed_transaction_flag=3",
    "acc:db_flag=1",
    "acc:db_missed_flag=2",
    "acc:log_extra=src_user=$fU;src_ip=$si;ct=$hdr(X-None);ru=$ru",
]
LINE = (
    "ACC: {title}: timestamp=1795404000;method={method};from_tag=f1;to_tag={to};call_id=c1;code={code};"
    "reason={reason};src_user=bob;src_ip=127.0.0.1;ct=;ru=sip:bob@ex.com"
)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "ksrcore.acc"]
    caplog.clear()
    return [re.sub(r"to_tag=[0-9a-f]{32}-[0-9a-f]{8}", "to_tag=*", line) for line in found]


def rows(bench: Bench, table: str) -> list[Any]:
    return bench.db.query(f"SELECT method, from_tag, to_tag, callid, sip_code, sip_reason FROM {table} ORDER BY id")


def reply(*flags: int, code: int, reason: str) -> list[str]:
    return [*(f"KSR.setflag({n})" for n in flags), "KSR.tm.t_newtran()", f'KSR.tm.t_reply({code}, "{reason}")']


@pytest.mark.parametrize(
    ("flags", "code", "title"),
    [
        ((1,), 200, "transaction answered"),
        ((1, 2), 200, "transaction answered"),
        ((1,), 404, ""),
        ((1, 3), 404, "transaction answered"),
        ((2,), 404, "call missed"),
        ((1, 2), 404, "call missed"),
        ((), 200, ""),
    ],
)
def test_own_replies(flags: tuple[int, ...], code: int, title: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(PARAMS)
    reason = {200: "OK", 404: "Not Found"}[code]
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        bench.request({"method": "INVITE"}, reply(*flags, code=code, reason=reason))
    wanted = [LINE.format(title=title, method="INVITE", to="*", code=code, reason=reason)] if title else []
    assert lines(caplog) == wanted
    assert len(rows(bench, "acc")) == (title == "transaction answered")
    assert len(rows(bench, "missed_calls")) == (title == "call missed")


def relayed(bench: Bench, *flags: int, method: str = "INVITE") -> list[str]:
    """Relay a request; the fields a reply to it carries."""
    calls = [f"KSR.setflag({n})" for n in flags]
    step = {"method": method, "ruri": "sip:bob@ex.com"}
    bench.request(step, [*calls, 'KSR.pv.sets("$du", "sip:127.0.0.1:7777")', "KSR.tm.t_relay()"])
    text = next(text for text in bench.sent if text.startswith(method))
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    return [line for line in text.split("\r\n")[1:] if line.partition(":")[0] in names]


def answer(bench: Bench, fields: list[str], status: str, *more: str) -> None:
    tagged = [line + ";tag=uas1" if line.startswith("To:") else line for line in fields]
    text = "\r\n".join([f"SIP/2.0 {status}", *tagged, *more, "Content-Length: 0", "", ""])
    rcv = Rcv("udp", "127.0.0.1", 7777, "127.0.0.1", PORT, bench.proxy.listens[0])
    bench.proxy.receive(text.encode(), rcv, bench.proxy.now)


def test_relayed_calls(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(PARAMS)
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        for flags, status in (((1, 2), "200 OK"), ((1, 2), "486 Busy Here"), ((1, 3), "486 Busy Here")):
            fields = relayed(bench, *flags)
            answer(bench, fields, "180 Ringing")
            answer(bench, fields, status)
    answered = LINE.format(title="transaction answered", method="INVITE", to="uas1", code="{}", reason="{}")
    assert lines(caplog) == [
        answered.format(200, "OK"),
        answered.replace("transaction answered", "call missed").format(486, "Busy Here"),
        answered.format(486, "Busy Here"),
    ]
    assert rows(bench, "missed_calls") == [("INVITE", "f1", "uas1", "c1", "486", "Busy Here")]
    assert [row[4] for row in rows(bench, "acc")] == ["200", "486"]


def test_time_reason_and_filter(caplog: pytest.LogCaptureFixture) -> None:
    more = ["acc:time_mode=2", "acc:time_attr=tsec", "acc:reason_from_hf=1", "acc:failed_filter=404,407"]
    bench = Bench([*(p for p in PARAMS if "db_" not in p), *more, "acc:log_level=2"])
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        answer(bench, relayed(bench, 1), "200 OK", 'Reason: Q.850;cause=16;text="Hi there"')
        bench.request({"method": "INVITE"}, reply(1, 3, code=404, reason="Not Found"))
    (line,) = lines(caplog)
    assert line.startswith("ACC: transaction answered: timestamp=1795404000;tsec=1795404000.000;method=INVITE;")
    assert ';code=200;reason=Q.850;cause=16;text="Hi there";src_user=' in line


def test_flags_set_after_the_transaction_was_made(caplog: pytest.LogCaptureFixture) -> None:
    calls = ["KSR.tm.t_newtran()", "KSR.setflag(1)", 'KSR.tm.t_reply(200, "OK")']
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        Bench(PARAMS).request({"method": "MESSAGE"}, calls)
        assert lines(caplog) == []
        Bench([*PARAMS, "acc:acc_prepare_always=1"]).request({"method": "MESSAGE"}, calls)
        assert len(lines(caplog)) == 1


def test_functions(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(PARAMS)
    calls = ["log_request('404 Nope')", "log_request('a remark')", "log_request('')", "db_request('480 x', 'acc')"]
    calls += ["db_request('', 'acc')", "db_request('x', 'nope')", "request('200 fine', 'acc')", "request('200 x', '')"]
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        results, _ = bench.request({}, [f"KSR.acc.acc_{call}" for call in calls])
    assert results == [1, 1, -1, 1, -1, -1, 1, -1]
    first = LINE.format(title="request accounted", method="OPTIONS", to="", code=404, reason="Nope")
    assert lines(caplog)[0] == first
    assert [row[4:] for row in rows(bench, "acc")] == [("480", "x"), ("200", "fine")]


def test_extra_columns() -> None:
    bench = Bench(["acc:db_flag=1", "acc:db_extra=src_user=$fU;src_ip=$si"])
    bench.request({"method": "MESSAGE"}, reply(1, code=200, reason="OK"))
    assert bench.db.query("SELECT src_user, src_ip FROM acc") == [("bob", "127.0.0.1")]


@pytest.mark.parametrize(
    "param", ["acc:log_extra=x", "acc:log_flag=40", "acc:db_flag=1 acc:db_extra=nope=$si", "acc:multi_leg_info=x=$si"]
)
def test_parameters_are_checked(param: str) -> None:
    with pytest.raises(ParamError):
        Bench(param.split())


def test_a_sandbox_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(PARAMS)
    run = bench.make({})
    fork: Any = bench.proxy.modules["acc"].fork(bench.proxy)
    bench.proxy.sandbox = True
    fork._accounting = fork._accounting.fork()
    with caplog.at_level(logging.DEBUG, "ksrcore.acc"):
        assert fork.acc_request(run, "200 OK", "acc") == 1
    assert (lines(caplog), rows(bench, "acc")) == ([], [])
