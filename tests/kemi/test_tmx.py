"""tmx, its variables, and tm's functions that only ask or set."""

from pathlib import Path
from typing import Any

import pytest

from tm.playbook import ALICE, BOB, Playbook, Sent, firsts, reply, request


def seen(sent: Sent) -> Any:
    """What the script's X-Seen field says."""
    return [eval(text) for text in sent.header("X-Seen")]


def play(tmp_path: Path, text: str, **options: Any) -> Playbook:
    return Playbook(tmp_path, text, **options)


def test_where_the_script_is_and_variables(tmp_path: Path) -> None:
    p = play(
        tmp_path,
        """
def show(self):
    x = KSR.tmx
    kinds = (x.t_is_request_route(), x.t_is_branch_route(), x.t_is_reply_route(), x.t_is_failure_route())
    pv = KSR.pv.get
    return (kinds.index(1), pv("$T_branch_idx"), pv("$T_reply_code"), pv("$T_req($rm)"), pv("$T(branch_index)"))

def ksr_request_route(self, msg):
    KSR.hdr.append("X-Seen: %r\\r\\n" % (self.show(),))
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_relay()
    return 1

def ksr_branch(self, msg):
    KSR.hdr.append("X-Seen: %r\\r\\n" % (self.show(),))
    return 1

def ksr_onreply(self, msg):
    KSR.hdr.append("X-Seen: %r\\r\\n" % (self.show(),))
    return 1

def ksr_failure(self, msg):
    KSR.hdr.append_to_reply("X-Seen: %r\\r\\n" % (self.show() + (KSR.pv.get("$T_rpl($rr)"),),))
    KSR.tm.t_reply(499, "Own")
    return 1
""",
    )
    (sent,) = p.feed(request("OPTIONS"))
    assert seen(sent) == [(0, 0, 0, None, 0), (1, 0, 0, None, 0)]
    (ok,) = p.feed(reply(sent, 180), BOB)
    assert seen(ok) == [(2, 0, 180, "OPTIONS", 0)]
    (own,) = p.feed(reply(sent, 404, "Nobody"), BOB)
    assert own.first == "SIP/2.0 499 Own"
    assert seen(own) == [(3, 1, 404, None, 1, "Nobody")]


def test_precheck_sees_a_request_that_is_under_way(tmp_path: Path) -> None:
    p = play(tmp_path, "def ksr_request_route(self, msg):\n    KSR.tmx.t_precheck_trans()\n    return 1\n")
    tmx: Any = p.proxy.modules["tmx"]
    p.feed(request("OPTIONS"))
    assert tmx.running == {}
    # A request held in a debugger has not reached its end yet.
    first, second = p.proxy.fake_run(), p.proxy.fake_run()
    assert tmx.t_precheck_trans(first) == -1
    assert tmx.t_precheck_trans(first) == -1
    assert tmx.t_precheck_trans(second) == 1
    tmx.request_done(first)
    assert tmx.t_precheck_trans(second) == -1


def test_cancel_branches(tmp_path: Path) -> None:
    text = """
def ksr_request_route(self, msg):
    KSR.corex.append_branch_uri("sip:carol@10.0.0.4")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_relay()
    return 1

def ksr_onreply(self, msg):
    if KSR.pv.get("$rs") == 183:
        KSR.tmx.t_cancel_branches("WHICH")
    return 1
"""
    for which, cancelled in (("all", {BOB, "10.0.0.4"}), ("others", {BOB}), ("this", {"10.0.0.4"}), ("none", set())):
        p = play(tmp_path, text.replace("WHICH", which))
        _, bob, carol = p.feed(request("INVITE"))
        p.feed(reply(bob, 180), BOB)
        sent = p.feed(reply(carol, 183), "10.0.0.4")
        assert {s.dest.ip for s in sent if s.first.startswith("CANCEL")} == cancelled


def test_by_callid(tmp_path: Path) -> None:
    text = """
def ksr_request_route(self, msg):
    if KSR.is_OPTIONS():
        KSR.tmx.t_cancel_callid_reason("call", "1", 5, 200)
    elif KSR.is_method("INFO"):
        KSR.tmx.t_reply_callid("call", "1", 480, "Remote")
    else:
        KSR.tm.t_relay()
    return 1
"""
    p = play(tmp_path, text)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    (cancel,) = p.feed(request("OPTIONS", branch="z9hG4bK2"))
    assert cancel.header("Reason") == ["SIP;cause=200"]
    assert firsts(p.feed(request("INFO", branch="z9hG4bK3"))) == [f"{ALICE} SIP/2.0 480 Remote"]


def test_drop(tmp_path: Path) -> None:
    p = play(
        tmp_path,
        """
def ksr_request_route(self, msg):
    KSR.tm.t_on_failure("ksr_failure")
    KSR.tm.t_relay()
    return 1

def ksr_failure(self, msg):
    KSR.tmx.t_drop()
    return 1
""",
    )
    (sent,) = p.feed(request("OPTIONS"))
    assert p.feed(reply(sent, 404), BOB) == []
    p.advance(6)
    assert p.transactions == 0


def test_timers_of_one_transaction(tmp_path: Path) -> None:
    text = """
def ksr_request_route(self, msg):
    SET
    KSR.tm.t_relay()
    return 1
"""
    p = play(tmp_path, text.replace("SET", "KSR.tm.t_set_fr(5000, 1000); KSR.tm.t_set_retr(200, 400)"))
    p.feed(request("OPTIONS"))
    sent = p.advance(1.05)
    assert [round(s.at - 1000, 3) for s in sent] == [0.2, 0.6, 1.0]
    assert sent[-1].first == "SIP/2.0 408 Request Timeout"
    p = play(tmp_path, text.replace("SET", "KSR.tm.t_set_fr(5000, 1000); KSR.tm.t_reset_fr()"))
    p.feed(request("OPTIONS"))
    assert [s for s in p.advance(29) if s.dest.ip == ALICE] == []
    p = play(tmp_path, text.replace("SET", "KSR.tm.t_set_max_lifetime(3000, 2000)"))
    p.feed(request("OPTIONS"))
    assert [s.at for s in p.advance(9) if s.dest.ip == ALICE] == [1002.0]
    p = play(tmp_path, text.replace("KSR.tm.t_relay()", "KSR.tm.t_relay(); KSR.tm.t_set_fr(0, 700)").replace("SET", ""))
    p.feed(request("OPTIONS"))
    assert [round(s.at, 3) for s in p.advance(9) if s.dest.ip == ALICE] == [1000.7]


def test_switches(tmp_path: Path) -> None:
    text = "def ksr_request_route(self, msg):\n    KSR.tm.t_set_auto_inv_100(0)\n    KSR.tm.t_relay()\n    return 1\n"
    p = play(tmp_path, text)
    assert len(p.feed(request("INVITE"))) == 1
    p = play(tmp_path, text.replace("t_set_auto_inv_100(0)", "t_set_disable_internal_reply(1)"))
    p.refuse = lambda text, dest: dest.ip == BOB
    assert p.feed(request("OPTIONS")) == []
    p.advance(40)
    assert p.transactions == 0


@pytest.mark.parametrize(
    ("call", "to", "proto"),
    [
        ('t_relay_to_proxy("tcp:10.0.0.9:5080")', "10.0.0.9:5080", "tcp"),
        ('t_relay_to_proxy("10.0.0.9")', "10.0.0.9:5060", "udp"),
        ('t_relay_to_proxy_flags("udp:10.0.0.9:5070", 1)', "10.0.0.9:5070", "udp"),
        ('t_relay_to_proto("tcp")', "10.0.0.3:5060", "tcp"),
        ('t_relay_to_proto_addr("tcp", "10.0.0.9", 5090)', "10.0.0.9:5090", "tcp"),
        ("t_relay_to_flags(1)", "10.0.0.3:5060", "udp"),
    ],
)
def test_relay_to(tmp_path: Path, call: str, to: str, proto: str) -> None:
    p = play(tmp_path, f"def ksr_request_route(self, msg):\n    KSR.tm.{call}\n    return 1\n")
    sent = p.feed(request("INVITE"))[-1]
    assert (sent.to, sent.dest.proto, sent.first.split()[1]) == (to, proto, f"sip:bob@{BOB}")


def test_replicate(tmp_path: Path) -> None:
    body = 'KSR.tm.t_replicate("sip:10.0.0.9")\n    KSR.sl.sl_send_reply(200, "OK")'
    p = play(tmp_path, f"def ksr_request_route(self, msg):\n    {body}\n    return 1\n")
    copy, ok = p.feed(request("OPTIONS"))
    assert (copy.to, ok.first) == ("10.0.0.9:5060", "SIP/2.0 200 OK")
    assert p.feed(reply(copy, 404), "10.0.0.9") == []
    p.advance(6)
    assert p.transactions == 0


def test_precheck_says_minus_two_for_ack_and_cancel(tmp_path: Path) -> None:
    p = play(
        tmp_path,
        """
def ksr_request_route(self, msg):
    KSR.sl.send_reply(400 - KSR.tmx.t_precheck_trans(), "R")
    return 1
""",
    )
    assert firsts(p.feed(request("CANCEL"))) == [f"{ALICE} SIP/2.0 402 R"]
    assert firsts(p.feed(request("OPTIONS"))) == [f"{ALICE} SIP/2.0 401 R"]
