"""KSR.pipelimit: as Kamailio 5.6.3 answers."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.pipelimit import Pipelimit
from ksrcore.store.database import Database
from lab.sequence import Bench


def calls(bench: Bench, *expressions: str) -> list[Any]:
    return bench.request({}, [f"KSR.pipelimit.{call}" for call in expressions])[0]


def interval(bench: Bench) -> None:
    bench.proxy.advance(bench.proxy.now + 10)


def test_taildrop() -> None:
    bench = Bench()
    assert calls(bench, *["pl_check_limit('p', 'taildrop', 3)"] * 5, "pl_check('p')") == [1, 1, 1, -1, -1, -1]
    assert bench.rpc("pl.list", "p")[0]["counter"] == 6
    interval(bench)
    assert bench.rpc("pl.stats") == ["PIPE: id=p load=1 counter=6"]
    assert calls(bench, "pl_check('p')", "pl_check('none')", "pl_active('p')", "pl_active('none')") == [1, -2, 1, -1]
    wrong = ["pl_check_limit('x', 'bad', 3)", "pl_check_limit('y', 'taildrop', 0)", "pl_check_limit('z', 'nop', 0)"]
    assert calls(bench, *wrong) == [-2, -1, 1]


def test_red_looks_at_the_interval_before() -> None:
    bench = Bench()
    call = "pl_check_limit('r', 'red', 2)"
    assert calls(bench, *[call] * 6) == [1] * 6
    interval(bench)
    assert calls(bench, *[call] * 6) == [-1, -1, 1, -1, -1, 1]


def test_feedback_drops_while_the_load_is_high(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (100.0, 0.0, 0.0))
    bench = Bench()
    bench.proxy.random.seed(1)
    call = "pl_check_limit('f', 'feedback', 50)"
    assert calls(bench, *[call] * 20) == [1] * 20
    for _ in range(4):
        interval(bench)
    got = calls(bench, *[call] * 100)
    assert got.count(-1) > 20
    assert bench.rpc("pl.get_pid") == "ki[-25.000000] kp[0.000000] kd[0.000000] "
    assert bench.rpc("pl.set_pid", "1", "2", "3") == {} and bench.rpc("pl.push_load", "0.5") == {}
    assert bench.rpc("pl.push_load", 5) == "error 400: Value out of range"
    assert bench.rpc("pl.set_pid", 1) == "error 400: expected three numbers"
    assert bench.rpc("pl.push_load") == "error 400: expected a number"


def test_network(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    for waiting, wanted in ((0, 1), (5, -1)):
        monkeypatch.setattr("ksrcore.kemi.pipelimit._waiting", lambda waiting=waiting: waiting)
        assert calls(bench, "pl_check_limit('n', 'network', 5)") == [wanted]


def test_replies() -> None:
    bench = Bench(["pipelimit:reply_code=505", "pipelimit:reply_reason=Limiting"])
    for call, after in (("pl_drop()", []), ("pl_drop_retry(5)", ["5"]), ("pl_drop_range(7, 7)", ["7"])):
        results, replies = bench.request({}, [f"KSR.pipelimit.{call}"])
        assert results == [1] and replies == [["SIP/2.0 505 Limiting", *(f"Retry-After: {n}" for n in after)]]
    assert bench.request({}, ["KSR.pipelimit.pl_drop_range(9, 5)"])[1][0][1] == "Retry-After: 9"


def test_rpc() -> None:
    bench = Bench()
    calls(bench, "pl_check_limit('p', 'taildrop', 3)")
    assert bench.rpc("pl.get_pipes") == ["PIPE: id=p algorithm=TAILDROP limit=3 counter=1"]
    assert bench.rpc("pl.set_pipe", "p", "red", 9) == {} and bench.rpc("pl.set_pipe", "p") == {}
    assert bench.rpc("pl.list")[0]["algorithm"] == "RED"
    assert bench.rpc("pl.set_pipe", "p", "bad", 9) == "error 400: Unknown algorithm "
    assert bench.rpc("pl.set_pipe", "none", "red", 9) == "error 400: Unknown pipe id none"


def test_what_is_not_used_goes() -> None:
    bench = Bench(["pipelimit:clean_unused=2"])
    calls(bench, "pl_check_limit('p', 'taildrop', 3)")
    for _ in range(3):
        assert calls(bench, "pl_active('p')") == [1]
        interval(bench)
    assert calls(bench, "pl_active('p')") == [-1]


def test_pipes_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database.open(":memory:")
    db.execute("CREATE TABLE pl_pipes (pipeid TEXT, algorithm TEXT, pipelimit INTEGER)")
    db.execute("INSERT INTO pl_pipes VALUES ('p', 'taildrop', 1)")
    monkeypatch.setattr("ksrcore.kemi.dbparam.module_database", lambda proxy, url: proxy.db)
    bench = Bench(["pipelimit:db_url=sqlite:////x"], db=db)
    assert calls(bench, "pl_check('p')", "pl_check('p')") == [1, -1]
    db.execute("INSERT INTO pl_pipes VALUES ('q', 'bad', 1)")
    with pytest.raises(ParamError, match="'bad' is no algorithm"):
        Bench(["pipelimit:db_url=sqlite:////x"], db=db)
    with pytest.raises(ParamError, match="timer_interval expects"):
        Bench(["pipelimit:timer_interval=0"])


def test_a_sandbox_counts_for_itself() -> None:
    bench = Bench()
    calls(bench, "pl_check_limit('p', 'taildrop', 2)")
    fork = bench.proxy.modules["pipelimit"].fork(bench.proxy)
    assert isinstance(fork, Pipelimit)
    assert [fork.pl_check(bench.run, "p") for _ in range(2)] == [1, -1]
    assert calls(bench, "pl_check('p')") == [1]
