"""Callbacks of transactions run again with what they had: flags, AVPs, branches, replies, timeouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debug.stage import BOB, CAROL, Stage, Walk, request
from ksrcore.capture.recorder import Ran
from ksrcore.tm.kept import Kept

SCRIPT = """\
import KSR

def ksr_request_route(msg):
    KSR.pv.sets("$avp(who)", "alice")
    KSR.pv.sets("$xavp(x=>y)", "deep")
    KSR.setflag(7)
    KSR.hdr.append("X-In: 1\\r\\n")
    KSR.seturi("sip:bob@10.0.0.3:5060")
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_branch_failure("ksr_branch_failure")
    KSR.tm.t_relay()
    return 1

def look():
    for name in ("$ru", "$du", "$rs", "$T_reply_code", "$T_branch_idx", "$avp(who)", "$xavp(x=>y)", "$mf", "$bf",
                 "$T_rpl($rs)", "$T_req($ru)", "$fU", "$ci"):
        KSR.pv.get(name)
    for code in ("486", "408", "503"):
        KSR.tm.t_check_status(code)
    KSR.isflagset(7)
    KSR.tm.t_any_timeout()
    KSR.tm.t_any_replied()
    KSR.tm.t_branch_timeout()
    KSR.tm.t_branch_replied()
    KSR.tm.t_is_canceled()
    KSR.tm.t_get_status_code()
    for name in ("branch_route", "failure_route", "onreply_route"):
        KSR.tm.t_is_set(name)

def ksr_branch(msg):
    KSR.hdr.append("X-Branch: 1\\r\\n")
    look()

def ksr_onreply(msg):
    look()
    KSR.pv.sets("$avp(who)", "reply")

def ksr_branch_failure(msg, *args):
    look()

def ksr_failure(msg):
    look()
    if not KSR.isflagset(9):
        KSR.setflag(9)
        KSR.pv.sets("$avp(who)", "again")
        KSR.tm.t_on_failure("ksr_failure")
        KSR.seturi("sip:carol@10.0.0.4:5060")
        KSR.tm.t_relay()

def ksr_onsend_route(msg):
    KSR.pv.get("$snd(ip)")
    KSR.pv.get("$snd(buf)")
    KSR.pv.get("$ru")
    return 1
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    path = tmp_path / "context.py"
    path.write_text(SCRIPT)
    stage = Stage(path)
    yield stage
    stage.close()


def made(calls: list[Any]) -> list[tuple[str, tuple[Any, ...], Any]]:
    ran = Ran("", 0, 0, None, False, False, None, "", 0.0, 0, calls)
    return [(decl.path, args, result) for decl, args, result in ran.iter_calls()]


def rerun(stage: Stage) -> list[str]:
    """Run every callback that is recorded again and compare; their names."""
    names = []
    for record in list(stage.proxy.recorder):
        counts: dict[str, int] = {}
        for ran in record.runs:
            nth = counts.get(ran.callback, 0)
            counts[ran.callback] = nth + 1
            with Walk(stage.boxes, record.id, ran.callback, nth=nth, whole=True) as walk:
                again = walk.stepper.main.box.run
            assert made(again.calls) == made(ran.calls), f"{ran.callback} {nth} of {record.data[:30]!r}"
            names.append(ran.callback)
    return names


def invites(sent: list[str]) -> list[str]:
    return [text for text in sent if text.startswith("INVITE")]


def test_a_serial_fork(stage: Stage) -> None:
    (invite,) = invites(stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1)))
    stage.answer(invite, 180, "Ringing")
    (second,) = invites(stage.answer(invite, 486, "Busy Here"))
    assert second.startswith("INVITE sip:carol@")
    stage.answer(second, 503, "Service Unavailable", CAROL)
    names = rerun(stage)
    assert names.count("ksr_failure") == 2 and names.count("ksr_onreply") == 3 and names.count("ksr_branch") == 2
    assert "ksr_branch_failure" in names and "ksr_onsend_route" in names


def test_nobody_answers(stage: Stage) -> None:
    stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1))
    stage.advance(100)
    assert rerun(stage).count("ksr_failure") == 2


def test_a_failure_route_is_found_by_its_request(stage: Stage) -> None:
    (invite,) = invites(stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1)))
    stage.answer(invite, 486, "Busy Here")
    with Walk(stage.boxes, 1, "ksr_failure") as walk:
        assert walk.at[0] == "ksr_failure" and "note" not in walk.state
        assert walk.stepper.pv("$T_reply_code") == 486
        assert walk.stepper.evaluate("KSR.tm.t_check_status('486')") == "1"
        walk.do("finish")
        # The second branch leaves with the first route's edits, and gets the place after the first.
        (again,) = [s for s in walk.state["effects"]["sent"] if s["data"].startswith("INVITE")]
        assert again["dst"] == f"{CAROL}:5060" and "X-In: 1\r\n" in again["data"]
        assert "X-Branch: 1\r\n" in again["data"]
        live = next(r for r in stage.proxy.recorder if r.data.startswith("INVITE sip:carol"))
        assert live.data == again["data"]


def test_one_that_did_not_run(stage: Stage) -> None:
    stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1))
    with Walk(stage.boxes, 1, "ksr_failure") as walk:
        assert walk.state["note"] == "ksr_failure did not run for this message: it has no transaction here"


def test_it_is_found_after_the_transaction_is_gone(stage: Stage) -> None:
    (invite,) = invites(stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1)))
    (second,) = invites(stage.answer(invite, 486, "Busy Here"))
    stage.answer(second, 486, "Busy Here", CAROL)
    stage.advance(300)
    assert not stage.proxy.modules.tm.count()
    assert rerun(stage).count("ksr_failure") == 2


def test_kept_is_small(stage: Stage) -> None:
    """No message object is kept with a callback, and no record that would refer to itself."""
    (invite,) = invites(stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1)))
    stage.answer(invite, 486, "Busy Here", BOB)

    def kinds(value: Any) -> set[str]:
        if isinstance(value, tuple | list):
            return {kind for each in value for kind in kinds(each)}
        return {type(value).__name__}

    found: set[str] = set()
    for record in stage.proxy.recorder:
        for ran in record.runs:
            if ran.kept is not None:
                found |= kinds(ran.kept[:7])
    assert not found & {"SipMessage", "Record", "Transaction", "Client", "Run"}


def test_what_never_changes_is_kept_once(stage: Stage) -> None:
    (invite,) = invites(stage.feed(request("INVITE", "sip:bob@10.0.0.3:5060", 1)))
    stage.answer(invite, 180, "Ringing")
    stage.answer(invite, 183, "Session Progress")
    first, second = [
        Kept._make(ran.kept) for record in stage.proxy.recorder for ran in record.runs if ran.callback == "ksr_onreply"
    ]
    assert first.of == second.of == 1 and first.source is not None and first.source.data.startswith("INVITE")
    assert first.place is second.place and first.branches[0][0] is second.branches[0][0]


EVENTS = """\
import KSR

def ksr_request_route(msg):
    KSR.tm.t_send_reply(404, "Not Found")

def ksr_sent(msg, name):
    KSR.pv.get("$rm")
    KSR.pv.get("$T_reply_code")
    KSR.pv.sets("$var(name)", name)

def ksr_stray(msg, name):
    KSR.pv.get("$rs")
    KSR.pv.sets("$var(name)", name)
    return 0
"""


def test_event_callbacks_get_their_arguments(tmp_path: Path) -> None:
    path = tmp_path / "events.py"
    path.write_text(EVENTS)
    stage = Stage(path)
    try:
        tm: Any = stage.proxy.modules["tm"]
        tm.event_callback_lres_sent, tm.on_sl_reply = "ksr_sent", "ksr_stray"
        stage.feed(request("OPTIONS", "sip:bob@10.0.0.3:5060", 1))
        stage.feed(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnone.0\r\nFrom: <sip:a@x>;tag=1\r\n"
            "To: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        assert rerun(stage) == ["ksr_sent", "ksr_request_route", "ksr_stray"]
    finally:
        stage.close()
