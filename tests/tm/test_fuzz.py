"""Whatever comes in whatever order: nothing raises, and no transaction outlives its time."""

import logging
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ksrcore.net.address import Dest
from ksrcore.proxy import Resolved
from tm.playbook import ALICE, BOB, Playbook, Sent, reply, request

SCRIPT = """
def ksr_request_route(self, msg):
    ci = KSR.pv.get("$ci")
    if KSR.is_CANCEL() or KSR.is_ACK():
        KSR.tm.t_relay()
        return 1
    if KSR.tm.t_check_trans() == 0:
        return 1
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_branch_failure("ksr_failure")
    if "i" in ci:
        KSR.tm.t_set_disable_internal_reply(1)
    if "p" in ci:
        KSR.tm.t_replicate("sip:10.0.0.8")
    if "f" in ci:
        KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    if "d" in ci:
        KSR.corex.append_branch_uri("sip:dave@example.org")
    if "n" in ci:
        KSR.tm.t_newtran()
    if "r" in ci:
        KSR.tm.t_reply(480, "No")
    if "s" in ci:
        KSR.tmx.t_suspend()
        self.last = (KSR.pv.get("$T(id_index)"), KSR.pv.get("$T(id_label)"))
        return 1
    if "c" in ci and hasattr(self, "last"):
        KSR.tmx.t_continue(self.last[0], self.last[1], "ksr_failure")
    if "x" in ci:
        raise ValueError("x")
    if "0" in ci:
        return 1
    KSR.tm.t_relay()
    return 1

def ksr_failure(self, msg):
    if KSR.tm.t_check_status("404") > 0:
        KSR.seturi("sip:again@10.0.0.5")
        KSR.tm.t_on_failure("ksr_failure")
        KSR.tm.t_relay()
    if KSR.tm.t_check_status("480") > 0:
        KSR.tm.t_reply(486, "Own")
    return 1

def ksr_branch(self, msg):
    if "b" in KSR.pv.get("$ci"):
        KSR.set_drop()
    return 1

def ksr_onreply(self, msg):
    if KSR.pv.get("$rs") == 183:
        KSR.set_drop()
    if KSR.pv.get("$rs") == 199:
        KSR.tmx.t_cancel_branches("all")
    return 1
"""

_CALLIDS = st.sampled_from("a f d fd n nr s c x n0 b fb r i fi id p fx".split())
_REQUEST = st.tuples(
    st.just("request"),
    st.sampled_from(["INVITE", "INVITE", "OPTIONS", "BYE", "CANCEL", "ACK"]),
    _CALLIDS,
    st.sampled_from(["z9hG4bK1", "z9hG4bK2", "old"]),
)
_REPLY = st.tuples(
    st.just("reply"),
    st.integers(0, 30),
    st.sampled_from([100, 180, 183, 199, 200, 302, 401, 404, 480, 486, 487, 503, 600]),
)
_TIME = st.tuples(st.just("time"), st.sampled_from([0.1, 0.6, 4.0, 31.0, 130.0]))
_NAMES = st.tuples(st.just("names"), st.sampled_from([0, 1, 2]))
_REFUSE = st.tuples(st.just("refuse"), st.booleans())


class Failures(logging.Handler):
    """What was logged with a traceback: timers and hooks report so what they swallow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.one_of(_REQUEST, _REPLY, _REPLY, _TIME, _NAMES, _REFUSE), max_size=25))
def test_nothing_raises_and_nothing_stays(tmp_path: Path, steps: list[tuple[object, ...]]) -> None:
    failures = Failures()
    logger = logging.getLogger("ksrcore")
    logger.addHandler(failures)
    try:
        run(tmp_path, steps)
    finally:
        logger.removeHandler(failures)
    assert failures.found == []


def refuse(text: str, dest: Dest) -> bool:
    return dest.ip != ALICE


def accept(text: str, dest: Dest) -> bool:
    return False


def run(tmp_path: Path, steps: list[tuple[object, ...]]) -> None:
    p = Playbook(tmp_path, SCRIPT)
    waiting: list[Resolved] = []
    p.proxy.resolve = lambda host, port, proto, done: waiting.append(done)
    out: list[Sent] = []
    for kind, *args in steps:
        if kind == "request":
            method, callid, branch = map(str, args)
            out += p.feed(request(method, branch=branch, callid=callid), ALICE)
        elif kind == "reply" and out:
            index, code = args
            sent = out[int(str(index)) % len(out)]
            if not sent.first.startswith("SIP/2.0"):
                out += p.feed(reply(sent, int(str(code))), BOB)
        elif kind == "time":
            out += p.advance(float(str(args[0])))
        elif kind == "names" and waiting:
            targets = [("udp", "10.0.0.6", 5060), ("tcp", "10.0.0.7", 5060)][: int(str(args[0]))]
            waiting.pop()(targets)
            out += p.take()
        elif kind == "refuse":
            p.refuse = refuse if args[0] else accept
    for record in p.proxy.recorder:
        assert "Error:" not in record.error, record.error
    # max_inv_lifetime, the wait for an ACK, the wait for late messages; serial steps may begin at the very end.
    p.advance(400)
    assert p.transactions == 0
    engine = p.tm.engine
    assert (engine.servers, engine.acks, engine.labels, engine.failed, engine.waiting) == ({}, {}, {}, {}, 0)
    assert len(engine.timers) == 0
