"""Requests of our own, their commands, hooks, statistics, sandboxes."""

from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError, RpcError
from ksrcore.sip.message import SipMessage
from ksrcore.tm import hooks
from tm.playbook import ALICE, BOB, Playbook, firsts, reply, request

HEADERS = "From: <sip:me@a>;tag=qq\\r\\nTo: <sip:you@b>\\r\\nX-Y: z\\r\\n"
SEND = f"""
def ksr_request_route(self, msg):
    method = KSR.pv.get("$rU")
    body = "hello" if method == "MESSAGE" else ""
    headers = "{HEADERS}" + ("Content-Type: text/plain\\r\\n" if body else "")
    result = KSR.tm.t_uac_send(method, "sip:x@10.0.0.9", "sip:10.0.0.3:5070", "", headers, body)
    KSR.sl.sl_send_reply(200 if result == 1 else 500, "R")
    return 1
"""
RELAY = "def ksr_request_route(self, msg):\n    KSR.tm.t_relay()\n    return 1\n"


def test_as_kamailio_writes_it(tmp_path: Path) -> None:
    p = Playbook(tmp_path, SEND)
    sent, _ = p.feed(request("OPTIONS", uri="sip:MESSAGE@10.0.0.1"))
    callid = sent.header("Call-ID")[0]
    assert sent.to == f"{BOB}:5070"
    assert sent.plain == (
        "MESSAGE sip:x@10.0.0.9 SIP/2.0\n"
        "Via: SIP/2.0/UDP 10.0.0.1;branch=OURS.0\n"
        "To: <sip:you@b>\n"
        "From: <sip:me@a>;tag=qq\n"
        "CSeq: 10 MESSAGE\n"
        f"Call-ID: {callid}\n"
        "Max-Forwards: 70\n"
        "Content-Length: 5\n"
        f"User-Agent: {p.proxy.server_header.partition(': ')[2]}\n"
        "X-Y: z\n"
        "Content-Type: text/plain\n\n"
        "hello"
    )
    assert p.feed(reply(sent, 200), BOB) == []
    p.advance(6)
    assert p.transactions == 0


def test_timeout_and_retransmission(tmp_path: Path) -> None:
    p = Playbook(tmp_path, SEND)
    p.feed(request("OPTIONS", uri="sip:OPTIONS@10.0.0.1"))
    assert len(p.advance(31)) == 9
    p.advance(6)
    assert p.transactions == 0
    assert p.tm.rpc_stats([])["total_local"] == 1


def test_own_invite_is_acknowledged(tmp_path: Path) -> None:
    p = Playbook(tmp_path, SEND)
    sent, _ = p.feed(request("OPTIONS", uri="sip:INVITE@10.0.0.1"))
    extra = "Contact: <sip:y@10.0.0.8:5080>\r\nRecord-Route: <sip:10.0.0.7;lr>\r\nRecord-Route: <sip:10.0.0.6;lr>\r\n"
    (ack,) = p.feed(reply(sent, 200, extra=extra), BOB)
    assert (ack.to, ack.first) == ("10.0.0.6:5060", "ACK sip:y@10.0.0.8:5080 SIP/2.0")
    assert ack.header("Route") == ["<sip:10.0.0.6;lr>", "<sip:10.0.0.7;lr>"]
    p = Playbook(tmp_path, SEND)
    sent, _ = p.feed(request("OPTIONS", uri="sip:INVITE@10.0.0.1"))
    (nack,) = p.feed(reply(sent, 486), BOB)
    assert (nack.branch, nack.first) == (sent.branch, "ACK sip:x@10.0.0.9 SIP/2.0")


def test_bad_arguments(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for headers, text in (("From: <sip:a@b>\\r\\n", "From and To"), ("x", "header field"), (HEADERS, "")):
        hop = "sip:10.0.0.3" if text else "x:y"
        p = Playbook(tmp_path, SEND.replace(HEADERS, headers).replace("sip:10.0.0.3:5070", hop))
        assert firsts(p.feed(request("OPTIONS", uri="sip:OPTIONS@10.0.0.1"))) == [f"{ALICE} SIP/2.0 500 R"]
        assert text in caplog.text
        assert p.transactions == 0


def test_commands(tmp_path: Path) -> None:
    p = Playbook(tmp_path, RELAY)
    headers = "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
    p.tm.rpc_uac_start(["OPTIONS", "sip:x@10.0.0.3", ".", "udp:10.0.0.1:5060", headers])
    assert firsts(p.take()) == [f"{BOB} OPTIONS sip:x@10.0.0.3 SIP/2.0"]
    with pytest.raises(RpcError, match="not one of our sockets"):
        p.tm.rpc_uac_start(["OPTIONS", "sip:x@10.0.0.3", ".", "udp:10.0.0.99:5060", headers])
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    listed = [t for t in p.tm.list_transactions([]) if t["method"] == "INVITE"]
    assert (listed[0]["callid"], listed[0]["outgoings"]) == ("call", 1)
    p.tm.rpc_cancel(["call", "1"])
    assert firsts(p.take()) == [f"{BOB} CANCEL sip:bob@10.0.0.3 SIP/2.0"]
    p.tm.rpc_reply_callid([480, "Away", "call", "1", "mytag", "X-A: b\r\n"])
    (sent,) = p.take()
    assert (sent.first, sent.header("X-A")) == ("SIP/2.0 480 Away", ["b"])
    assert sent.header("To")[0].endswith(";tag=mytag")
    with pytest.raises(RpcError, match="final reply"):
        p.tm.rpc_reply_callid([480, "Away", "call", "1", ".", "."])


def test_hooks(tmp_path: Path) -> None:
    p = Playbook(tmp_path, RELAY)
    seen: list[tuple[int, int]] = []

    def every(event: int, t: Any, run: Any, msg: SipMessage | None, code: int) -> None:
        seen.append((event, code))

    p.tm.engine.hooks.add(511, every)
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.feed(reply(invite, 200), BOB)
    p.feed(request("ACK", branch="z9hG4bK2", to_tag="b"))
    p.advance(6)
    assert seen == [
        (hooks.REQUEST_IN, 0),
        (hooks.REQUEST_FORWARDED, 0),
        (hooks.REPLY_IN, 180),
        (hooks.REPLY_OUT, 180),
        (hooks.REPLY_IN, 200),
        (hooks.REPLY_OUT, 200),
        (hooks.COMPLETED, 200),
        (hooks.ACK_IN, 0),
        (hooks.DESTROYED, 200),
    ]
    seen.clear()
    busy = p.feed(request("INVITE", branch="z9hG4bK3"))[1]
    p.feed(request("CANCEL", branch="z9hG4bK3"))
    p.feed(reply(busy, 486), BOB)
    wanted = [(e, c) for e, c in seen if e in (hooks.FAILURE, hooks.CANCEL_IN)]
    assert wanted == [(hooks.CANCEL_IN, 0), (hooks.FAILURE, 486)]


def test_statistics(tmp_path: Path) -> None:
    p = Playbook(tmp_path, RELAY)
    (sent,) = p.feed(request("OPTIONS"))
    p.feed(reply(sent, 404), BOB)
    stats = p.tm.rpc_stats([])
    assert list(stats) == [
        "current", "waiting", "total", "total_local", "rpl_received", "rpl_generated", "rpl_sent", "6xx", "5xx", "4xx",
        "3xx", "2xx", "created", "freed", "delayed_free",
    ]  # fmt: skip
    assert (stats["current"], stats["waiting"], stats["4xx"], stats["rpl_received"]) == (1, 1, 1, 1)
    p.advance(6)
    assert p.tm.rpc_stats([])["freed"] == 1


def test_parameters(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="reparse_invite"):
        Playbook(tmp_path, RELAY, modparams=["tm:reparse_invite=0"])
    p = Playbook(tmp_path, RELAY, modparams=["tm:fr_timer=1000", "tm:auto_inv_100_reason=Wait", "tm:wt_timer=1000"])
    assert firsts(p.feed(request("INVITE")))[0] == f"{ALICE} SIP/2.0 100 Wait"
    assert firsts(p.advance(1.01))[-1] == f"{ALICE} SIP/2.0 408 Request Timeout"
    p.feed(request("ACK", to_tag="x"))
    p.advance(1.01)
    assert p.transactions == 0


def test_failure_exec_mode(tmp_path: Path) -> None:
    text = RELAY.replace("KSR.tm.t_relay()", "KSR.tm.t_on_failure('ksr_f')\n    KSR.tm.t_relay()")
    text += "\ndef ksr_f(self, msg):\n    KSR.seturi('sip:second@10.0.0.4')\n    KSR.tm.t_relay()\n    return 1\n"
    p = Playbook(tmp_path, text, modparams=["tm:failure_exec_mode=1"])
    p.refuse = lambda text, dest: dest.ip == BOB
    assert firsts(p.feed(request("OPTIONS"))) == ["10.0.0.4 OPTIONS sip:second@10.0.0.4 SIP/2.0"]


def test_noisy_ctimer_off(tmp_path: Path) -> None:
    p = Playbook(tmp_path, RELAY, modparams=["tm:noisy_ctimer=0"])
    p.feed(request("INVITE"))
    assert not [s for s in p.advance(40) if s.dest.ip == ALICE]
    assert p.transactions == 0


def test_fork_adopts_a_copy(tmp_path: Path) -> None:
    p = Playbook(tmp_path, RELAY)
    invite = p.feed(request("INVITE"))[1]
    live = next(iter(p.tm.engine.clients.values()))
    fork = p.tm.fork(p.proxy)
    run = p.proxy.fake_run()
    run.msg = SipMessage(reply(invite, 200).replace("\n", "\n"), None)
    t = fork.adopt(run, p.tm)
    assert t is not None and t is not live
    assert (t.prefix, run.branch, len(t.branches)) == (live.prefix, 0, 1)
    t.branches[0].status = 200
    assert live.branches[0].status == 0
