"""Conditions split in what came with the message and what the script makes; texts of logpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from debug.holding import Holding
from ksrcore.capture.where import WhereError
from ksrcore.debug.errors import DebugError
from ksrcore.debug.filters import Condition, LiveNames, LogText
from ksrcore.net.address import Rcv
from ksrcore.run import REQUEST_ROUTE, Run
from tm.playbook import request


@pytest.fixture
def run(tmp_path: Path) -> Run:
    book = Holding(tmp_path)
    data = request("INVITE", "sip:bob@10.0.0.3;x=1", extra="Subject: caf\u00e9\n").replace("\n", "\r\n")
    record = book.proxy.recorder.add(1.0, Rcv("udp", "10.0.0.2", 5060, "10.0.0.1", 5060, book.listens[0]), data)
    return Run(book.proxy, record.fresh(book.proxy.listens), REQUEST_ROUTE, record)


def early(condition: Condition, run: Run) -> bool:
    return condition.early(LiveNames(run.record, run.proxy, run.msg))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ('method == "INVITE"', True),
        ('method == "BYE"', False),
        ('rU == "bob" and fU == "alice"', True),
        ('src_ip == "10.0.0.2" and hdr("Subject") != None', True),
        ('rU == "bob" and pv("$var(x)") == 1', True),
        ('rU == "carol" and pv("$var(x)") == 1', False),
        ('pv("$(ru{uri.host})") == "10.0.0.3"', True),
        ("status == 200", False),
        ("method % 2 == 1", False),
    ],
)
def test_early(run: Run, text: str, matches: bool) -> None:
    assert early(Condition(text), run) is matches


def test_which_part_decides_when(run: Run) -> None:
    condition = Condition('method == "INVITE" and pv("$du") == "sip:x" and called("seturi")')
    assert condition.decides_early and early(condition, run)
    assert not condition.late(run)
    run.msg.dst_uri = "sip:x"
    assert not condition.late(run)
    run.calls.extend((run.proxy.modules[""].exports["seturi"], "sip:y", 1))
    assert condition.late(run)
    both = Condition('method == "BYE" or du == "sip:x"')
    assert not both.decides_early and both.late(run)


def test_reading_leaves_no_trace(run: Run) -> None:
    before = dict(vars(run)) if hasattr(run, "__dict__") else None
    Condition('pv("$T(id_label)") == 1 or T_branch_idx == 3').late(run)
    assert not run.t_lookup and run.t is None
    if before is not None:
        assert vars(run) == before


@pytest.mark.parametrize("text", ["method =", "import os", "nosuch == 1", "__import__('os')", 'pv("$nosuch") == 1'])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(WhereError):
        Condition(text)


def test_log_texts(run: Run) -> None:
    text = LogText("{method} {$rU} {rU} {$(ru{uri.param,x})} {n} {gone} {$avp(y)} {{}} {len(ruri)} {status}")
    shown = text.format(run, {"n": [1]})
    assert shown == "INVITE bob bob 1 [1] <no gone> <null> {} 20 0"
    assert LogText("plain").format(run, {}) == "plain"
    assert LogText("{method}").format(run, {"method": "mine"}) == "mine"


@pytest.mark.parametrize("text", ["{", "{}", "a } b", "{$nosuch}", "{a b}", "{x.y}", "{__import__('os')}"])
def test_what_is_no_log_text(text: str) -> None:
    with pytest.raises(DebugError):
        LogText(text)
