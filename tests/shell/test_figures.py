"""Latency and traffic, and the progress of long work."""

from __future__ import annotations

import pytest

from ksrshell import progress
from ksrshell.errors import UsageError
from ksrshell.figures import Latency, Traffic
from ksrshell.namespace import Namespace
from ksrshell.runner import evaluate
from ksrshell.trial import merged
from shell.fake import FakeProxy


def test_latency() -> None:
    rows = [[n, float(n), n / 10_000] for n in range(1, 101)]
    view = Latency({"ksr_request_route": rows, "ksr_reply_route": []})
    timing = view["ksr_request_route"]
    assert (timing.percentile(0.5), timing.percentile(0.99), timing.percentile(1.0)) == (0.005, 0.0099, 0.01)
    assert [count for _, _, count in timing.histogram] == [1, 1, 3, 5, 10, 30, 50]
    assert timing.histogram[0][1] == pytest.approx(0.0001)
    assert view.to_json()["ksr_request_route"]["runs"] == 100
    assert "5.00 ms" in repr(view) and "▁" in repr(view)
    with pytest.raises(UsageError, match="no run of 'ksr_reply_route' is in the capture; there are: ksr_request_route"):
        view["ksr_reply_route"]
    assert repr(Latency({})) == "no callback ran for a message in the capture"


def test_traffic() -> None:
    view = Traffic([(100.0, "INVITE"), (100.2, "1xx"), (101.0, "2xx"), (159.0, "INVITE")])
    assert (view.interval, view.length, view.total) == (1.0, 60, 4)
    assert list(view.kinds) == ["INVITE", "1xx", "2xx"]
    assert view.sums[0] == 2 and view.sums[1] == 1 and view.sums[59] == 1
    assert "4 messages, " in repr(view)
    assert Traffic([(5.0, "BYE")]).length == 1
    assert repr(Traffic([])) == "no messages captured yet"


def test_at_the_prompt(namespace: Namespace, fake: FakeProxy) -> None:
    fake.methods["ksr.timings"] = lambda p: {"callbacks": {"ksr_request_route": [[1, 1.0, 0.001]] * p["limit"]}}
    assert len(evaluate(namespace, "latency(7)")["ksr_request_route"].seconds) == 7
    assert len(evaluate(namespace, "%latency")["ksr_request_route"].seconds) == 1000
    assert evaluate(namespace, "%traffic 5").total == 5
    assert list(evaluate(namespace, "traffic()").kinds) == ["INVITE", "ACK", "BYE", "2xx", "1xx"]
    for code in ("latency(0)", "traffic('x')", "%latency many"):
        with pytest.raises(UsageError):
            evaluate(namespace, code)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    monkeypatch.setattr(progress, "report", lambda *what: found.append(what))
    return found


def test_short_work_shows_nothing(reported: list[tuple[str, int, int]]) -> None:
    assert list(progress.each([1, 2, 3], "things")) == [1, 2, 3]
    assert reported == []


def test_long_work_shows_how_far_it_is_and_takes_it_away(
    reported: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt), progress.progress("things", 9) as shown:
        shown.step(4)
        raise KeyboardInterrupt
    assert reported == [("things", 4, 9), ("things", -1, 9)]
    assert list(progress.each(iter("ab"), "letters")) == ["a", "b"]
    assert reported[2:] == [("letters", 1, 0), ("letters", 2, 0), ("letters", -1, 0)]


def test_the_line_in_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    progress.terminal("things", 4, 9)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.terminal("things", 4, 9)
    progress.terminal("things", -1, 9)
    assert capsys.readouterr().err == "\r\x1b[Kthings: 4 of 9  (Ctrl-C ends it)\r\x1b[K"


def test_trials_go_in_batches_that_come_together(namespace: Namespace, fake: FakeProxy) -> None:
    messages = list(namespace.session.msgs.where("not out")) * 30
    trial = namespace.session.try_swap("def f(msg): pass", on=messages)
    asked = [params for name, params in fake.asked if name == "ksr.try"]
    assert [len(params["ids"]) for params in asked] == [50] * (len(messages) // 50) + [len(messages) % 50]
    assert trial.tried == len(messages) and len(trial) == len(asked) == len(trial.skipped)
    assert merged([{"tried": 1}]) == {"tried": 1}
