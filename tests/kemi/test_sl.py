"""The sl module on a whole proxy."""

from pathlib import Path

import pytest

from tm.playbook import ALICE, BOB, Playbook, Sent, firsts, reply, request


def script(body: str, reply_body: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    text = f"def ksr_request_route(self, msg):\n{lines}\n    return 1\n"
    if reply_body:
        text += "\ndef ksr_reply_route(self, msg):\n" + "\n".join(f"    {line}" for line in reply_body.split("\n"))
        text += "\n    return 1\n"
    return text


def test_stateless_reply_to_the_byte(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.hdr.append_to_reply("X-A: b\\r\\n")\nKSR.sl.sl_send_reply(200, "OK")'))
    extra = "Record-Route: <sip:1.2.3.4;lr>\nTimestamp: 5\n"
    (sent,) = p.feed(request("OPTIONS", via=";rport;x=1", extra=extra), port=5999)
    assert sent.plain == (
        "SIP/2.0 200 OK\n"
        "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1;rport=5999;x=1;received=10.0.0.2\n"
        "From: <sip:alice@example.com>;tag=a\n"
        "To: <sip:bob@example.com>;tag=OURTAG\n"
        "Call-ID: call\n"
        "CSeq: 1 OPTIONS\n"
        "Record-Route: <sip:1.2.3.4;lr>\n"
        "X-A: b\n"
        f"{p.proxy.server_header}\n"
        "Content-Length: 0\n\n"
    )
    assert sent.to == f"{ALICE}:5999"
    assert p.proxy.counters["sl:200_replies"] == p.proxy.counters["sl:sent_replies"] == 1


def test_100_has_no_tag_and_no_route(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.sl.sl_send_reply(100, "Trying")'))
    (sent,) = p.feed(request("INVITE", extra="Record-Route: <sip:1.2.3.4;lr>\n"))
    assert sent.header("To") == ["<sip:bob@example.com>"]
    assert sent.header("Record-Route") == []


def test_an_existing_to_tag_is_kept(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.sl.sl_send_reply(481, "Gone")'))
    (sent,) = p.feed(request("BYE", to_tag="theirs"))
    assert sent.header("To") == ["<sip:bob@example.com>;tag=theirs"]


def test_where_replies_go(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.sl.sl_send_reply(200, "OK")'))
    # Without rport: the source address with the Via's port (RFC 3261 18.2.2).
    assert p.feed(request("OPTIONS", host="192.168.0.9:5077"), port=4000)[0].to == f"{ALICE}:5077"
    assert p.feed(request("OPTIONS", host="192.168.0.9"), port=4000)[0].to == f"{ALICE}:5060"
    assert p.feed(request("OPTIONS", host="192.168.0.9:5077", via=";rport"), port=4000)[0].to == f"{ALICE}:4000"
    (sent,) = p.feed(request("OPTIONS", proto="TCP"), port=40001, proto="tcp", conid=9)
    assert (sent.dest.proto, sent.dest.conid) == ("tcp", 9)


def test_ack_of_a_stateless_reply_is_absorbed(tmp_path: Path) -> None:
    body = 'KSR.forward() if KSR.is_ACK() else KSR.sl.sl_send_reply(404, "No")'
    p = Playbook(tmp_path, script(body))
    (sent,) = p.feed(request("INVITE"))
    tag = sent.header("To")[0].partition("tag=")[2]
    assert p.feed(request("ACK", to_tag=tag)) == []
    assert p.proxy.counters["sl:received_ACKs"] == 1
    assert len(p.feed(request("ACK", to_tag=tag + "x"))) == 1
    p.advance(40)
    assert len(p.feed(request("ACK", to_tag=tag))) == 1


def test_no_reply_to_an_ack(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.sl.sl_send_reply(404, "No")'))
    assert p.feed(request("ACK", to_tag="z")) == []


def test_send_reply_uses_the_transaction(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.tm.t_newtran()\nKSR.sl.send_reply(404, "No")'))
    assert len(p.feed(request("OPTIONS"))) == 1
    assert p.transactions == 1
    p = Playbook(tmp_path, script('KSR.sl.send_reply(404, "No")'))
    assert len(p.feed(request("OPTIONS"))) == 1
    assert p.transactions == 0


def test_redirect(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.seturi("sip:x@y")\nKSR.sl.sl_send_reply(302, "Moved")'))
    assert p.feed(request("OPTIONS"))[0].header("Contact") == ["<sip:x@y>"]


def test_reply_mode(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script('KSR.sl.send_reply_mode(200, "OK", 3)'))
    (sent,) = p.feed(request("OPTIONS", proto="TCP"), proto="tcp", conid=9)
    assert sent.dest.flags == 3


def test_stateless_forwarding(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script("KSR.forward()"))
    (sent,) = p.feed(request("INVITE", proto="TCP"), proto="tcp", conid=0x1A)
    assert sent.first == f"INVITE sip:bob@{BOB} SIP/2.0"
    ours, theirs = sent.header("Via")
    assert ours.endswith(";i=1a")
    (again,) = p.feed(request("INVITE", proto="TCP"), proto="tcp", conid=0x1A)
    assert again.text == sent.text
    (cancel,) = p.feed(request("CANCEL", proto="TCP"), proto="tcp", conid=0x1A)
    assert cancel.branch == sent.branch  # RFC 3261 16.11
    (back,) = p.feed(reply(sent, 200, "OK"), BOB)
    assert (back.dest.proto, back.dest.ip, back.dest.conid, back.header("Via")) == ("tcp", ALICE, 26, [theirs])
    assert p.transactions == 0


@pytest.mark.parametrize(
    ("via", "to"),
    [
        ("10.0.0.2", "10.0.0.2:5060"),
        ("10.0.0.2:5070", "10.0.0.2:5070"),
        ("10.0.0.2:5070;rport=5099", "10.0.0.2:5099"),
        ("host.example:5070;received=10.0.0.7;rport=5099", "10.0.0.7:5099"),
        ("host.example:5070;received=10.0.0.7", "10.0.0.7:5070"),
        ("10.0.0.2:5070;maddr=10.0.0.8", "10.0.0.8:5070"),
    ],
)
def test_reply_is_forwarded_by_its_second_via(tmp_path: Path, via: str, to: str) -> None:
    p = Playbook(tmp_path, script("pass"))
    text = (
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\n"
        f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: x\n"
        "CSeq: 1 INVITE\nContent-Length: 0\n\n"
    )
    (sent,) = p.feed(text, BOB)
    assert sent.to == to
    assert len(sent.header("Via")) == 1


def test_forward_reply_with_another_code(tmp_path: Path) -> None:
    body = 'self.results = [KSR.sl.sl_forward_reply("404", "Gone"), KSR.sl.sl_forward_reply("500", "Other class")]'
    p = Playbook(tmp_path, script("KSR.forward()", body + "\nKSR.set_drop()"))
    (sent,) = p.feed(request("OPTIONS"))
    assert firsts(p.feed(reply(sent, 480), BOB)) == [f"{ALICE} SIP/2.0 404 Gone"]


def test_unresolvable_reply_target(tmp_path: Path) -> None:
    p = Playbook(tmp_path, script("KSR.forward()"))
    (sent,) = p.feed(request("OPTIONS"))
    text = reply(sent, 200).replace(f"UDP {ALICE}", "UDP name.example")
    assert p.feed(text, BOB) == []
    p.proxy.resolve = lambda host, port, proto, done: done([("udp", "10.0.0.9", 5060)])
    assert [s.to for s in p.feed(text, BOB)] == ["10.0.0.9:5060"]


def test_events(tmp_path: Path) -> None:
    text = script('KSR.sl.sl_send_reply(404, "No")')
    text += "\ndef ksr_event(self, msg, name):\n    KSR.setflag(3)\n    KSR.err(name)\n    return 1\n"
    p = Playbook(
        tmp_path, text, modparams=["sl:event_callback_lres_sent=ksr_event", "sl:event_callback_fl_ack=ksr_event"]
    )
    (sent,) = p.feed(request("INVITE"))
    p.feed(request("ACK", to_tag=sent.header("To")[0].partition("tag=")[2]))
    runs = [run.callback for record in p.proxy.recorder for run in record.runs]
    assert runs.count("ksr_event") == 2


def test_onsend_route(tmp_path: Path) -> None:
    text = script("KSR.tm.t_relay() if KSR.pv.get('$ci') != 'stateless' else KSR.forward()")
    text += "\ndef ksr_onsend_route(self, msg):\n    if KSR.pv.get('$rU') == 'no':\n        KSR.set_drop()\n"
    text += "    return 1\n"
    p = Playbook(tmp_path, text)
    sent: list[Sent] = p.feed(request("OPTIONS"))
    assert firsts(sent) == [f"{BOB} OPTIONS sip:bob@{BOB} SIP/2.0"]
    assert p.feed(request("OPTIONS", uri="sip:no@10.0.0.3", callid="stateless")) == []
    assert [s for s in p.feed(request("OPTIONS", uri="sip:no@10.0.0.3", branch="z9hG4bK7")) if s.dest.ip == BOB] == []
    p.advance(60)
    assert p.transactions == 0


def test_onsend_route_runs_for_forwarded_replies(tmp_path: Path) -> None:
    """As often as in Kamailio: for what is forwarded either way, not for 100s and replies of our own."""
    text = script(
        "if KSR.pv.get('$ci') == 'own':\n    KSR.tm.t_newtran()\n    KSR.tm.t_reply(404, 'No')\n"
        "elif KSR.pv.get('$ci') == 'stateless':\n    KSR.forward()\nelse:\n"
        "    KSR.pv.sets('$avp(x)', 'request')\n    KSR.tm.t_relay()"
    )
    text += "\ndef ksr_onsend_route(self, msg):\n    for name in ('$rm', '$rs', '$snd(ip)', '$avp(x)'):\n"
    text += "        KSR.pv.get(name)\n    KSR.pv.get('$snd(buf)')\n    KSR.pv.get('$mb')\n"
    text += "    if KSR.pv.get('$rs'):\n        KSR.set_drop()\n    return 1\n"
    p = Playbook(tmp_path, text)
    seen: list[list[object]] = []

    def ran() -> list[list[object]]:
        """What the onsend routes since last asked saw of the message and of where it goes."""
        now = [
            [result for _, _, result in run.iter_calls()]
            for record in p.proxy.recorder
            for run in record.runs
            if run.callback == "ksr_onsend_route"
        ]
        new = now[len(seen) :]
        seen.extend(new)
        return [each[:4] for each in new]

    (out, _) = sorted(p.feed(request("INVITE")), key=lambda s: s.dest.ip == ALICE)
    assert ran() == [["INVITE", None, BOB, "request"]]
    assert p.feed(reply(out, 100), BOB) == []
    assert ran() == []
    (sent,) = p.feed(reply(out, 180), BOB)
    assert ran() == [["INVITE", 180, ALICE, None]]
    assert seen[-1][4] == sent.text != seen[-1][5]
    assert firsts(p.feed(reply(out, 486), BOB)) == [f"{BOB} ACK sip:bob@{BOB} SIP/2.0", f"{ALICE} SIP/2.0 486 Reason"]
    assert ran() == [["INVITE", 486, ALICE, None]]
    p.feed(request("OPTIONS", branch="z9hG4bK2", callid="own"))
    assert ran() == []
    (out,) = p.feed(request("OPTIONS", branch="z9hG4bK3", callid="stateless"))
    assert len(p.feed(reply(out, 200), BOB)) == 1
    assert ran() == [["OPTIONS", None, BOB, None], ["OPTIONS", 200, ALICE, None]]
