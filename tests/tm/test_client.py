"""The client machine and stateful forwarding: what the callee sees."""

from collections.abc import Callable

from ksrcore.net.address import Listen
from tm.playbook import ALICE, BOB, PROXY, Playbook, Sent, firsts, reply, request

Play = Callable[..., Playbook]


def times(sent: list[Sent], start: float = 1000.0) -> list[tuple[float, str]]:
    return [(round(s.at - start, 3), s.first.partition(" sip")[0]) for s in sent]


def test_forwarded_request_to_the_byte(play: Play) -> None:
    p = play()
    text = request("INVITE", via=";rport", host="192.168.1.5", body="v=0\n", extra="X: y\n")
    trying, invite = p.feed(text, port=4444)
    assert trying.first == "SIP/2.0 100 trying -- your call is important to us"
    assert trying.to == f"{ALICE}:4444"
    assert invite.to == f"{BOB}:5060"
    assert invite.plain == (
        f"INVITE sip:bob@{BOB} SIP/2.0\n"
        f"Via: SIP/2.0/UDP {PROXY};branch=OURS.0\n"
        f"Via: SIP/2.0/UDP 192.168.1.5;received={ALICE};branch=z9hG4bK1;rport=4444\n"
        "From: <sip:alice@example.com>;tag=a\n"
        "To: <sip:bob@example.com>\n"
        "Call-ID: call\n"
        "CSeq: 1 INVITE\n"
        "Max-Forwards: 70\n"
        "X: y\n"
        "Content-Length: 4\n\n"
        "v=0\n"
    )


def test_via_below_other_fields_and_several_in_one(play: Play) -> None:
    p = play()
    text = request("OPTIONS", branch="z9hG4bK1b;rport;foo=1, SIP/2.0/UDP 8.8.8.8;branch=old", host="10.9.9.9")
    text = text.replace("Via: ", "X-First: 1\nVia: ", 1)
    (sent,) = p.feed(text)
    assert sent.plain.split("\n")[1:4] == [
        "X-First: 1",
        f"Via: SIP/2.0/UDP {PROXY};branch=OURS.0",
        f"Via: SIP/2.0/UDP 10.9.9.9;received={ALICE};branch=z9hG4bK1b;rport=5060;foo=1, SIP/2.0/UDP 8.8.8.8;branch=old",
    ]
    (back,) = p.feed(reply(sent, 200), BOB)
    # Only ours is gone.
    assert back.header("Via") == [sent.header("Via")[1]]


def test_reply_with_both_vias_in_one_field(play: Play) -> None:
    p = play()
    (sent,) = p.feed(request("OPTIONS"))
    ours, theirs = sent.header("Via")
    text = reply(sent, 200).replace(f"Via: {ours}\r\nVia: {theirs}", f"Via: {ours}, {theirs}")
    (back,) = p.feed(text, BOB)
    assert back.header("Via") == [theirs]


def test_call(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    assert firsts(p.feed(reply(invite, 100), BOB)) == []
    assert firsts(p.feed(reply(invite, 180, "Ringing"), BOB)) == [f"{ALICE} SIP/2.0 180 Ringing"]
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]
    (ack,) = p.feed(request("ACK", branch="z9hG4bK2", to_tag="b"))
    assert ack.first == f"ACK sip:bob@{BOB} SIP/2.0"
    assert len(ack.header("Via")) == 2
    (again,) = p.feed(request("ACK", branch="z9hG4bK2", to_tag="b"))
    assert again.text == ack.text  # RFC 3261 16.11: a stateless proxy's branch does not change
    (bye,) = p.feed(request("BYE", branch="z9hG4bK3", to_tag="b", cseq=2))
    assert firsts(p.feed(reply(bye, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]
    p.advance(6)
    assert p.transactions == 0
    assert p.advance(300) == []


def test_invite_is_retransmitted_until_a_reply(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    assert times(p.advance(4)) == [(0.5, "INVITE"), (1.5, "INVITE"), (3.5, "INVITE")]
    p.feed(reply(invite, 100), BOB)
    assert p.advance(60) == []


def test_non_invite_goes_on_slowly_after_a_1xx(play: Play) -> None:
    p = play()
    (sent,) = p.feed(request("OPTIONS"))
    assert times(p.advance(2)) == [(0.5, "OPTIONS"), (1.5, "OPTIONS")]
    p.feed(reply(sent, 100), BOB)
    assert times(p.advance(9)) == [(6.0, "OPTIONS"), (10.0, "OPTIONS")]


def test_no_retransmission_on_tcp(play: Play) -> None:
    p = play()
    (sent,) = p.feed(request("OPTIONS", uri=f"sip:bob@{BOB};transport=tcp").replace("Content-Length: 0\n", ""))
    assert (sent.dest.proto, sent.header("Content-Length")) == ("tcp", ["0"])
    assert sent.header("Via")[0].startswith("SIP/2.0/TCP 10.0.0.1;")
    assert firsts(p.advance(29.9)) == []
    assert firsts(p.advance(0.2)) == [f"{ALICE} SIP/2.0 408 Request Timeout"]


def test_connection_id_in_the_via(play: Play) -> None:
    p = play()
    sent = p.feed(request("INVITE", proto="TCP"), proto="tcp", conid=26)
    assert sent[1].header("Via")[0].endswith(".0;i=1a")
    (back,) = p.feed(reply(sent[1], 180), BOB)
    assert (back.dest.proto, back.dest.conid) == ("tcp", 26)


def test_no_reply_at_all(play: Play) -> None:
    p = play()
    p.feed(request("INVITE"))
    sent = p.advance(31)
    assert times(sent)[-2] == (30.0, "SIP/2.0 408 Request Timeout")
    assert sum(s.first.startswith("INVITE") for s in sent) == 9
    assert p.feed(request("ACK", to_tag="x")) == []
    p.advance(5.1)
    assert p.transactions == 0


def test_no_answer_is_cancelled_after_fr_inv_timer(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    p.advance(1)
    p.feed(reply(invite, 180), BOB)
    sent = p.advance(120.2)
    assert firsts(sent)[-2:] == [f"{ALICE} SIP/2.0 408 Request Timeout", f"{BOB} CANCEL sip:bob@{BOB} SIP/2.0"]
    assert sent[-1].at == 1121.0


def test_provisional_replies_restart_fr_inv_up_to_the_lifetime(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.advance(100)
    p.feed(reply(invite, 180), BOB)
    assert firsts(p.advance(79.9)) == []
    assert firsts(p.advance(0.2))[-2] == f"{ALICE} SIP/2.0 408 Request Timeout"


def test_restart_fr_on_each_reply_off(play: Play) -> None:
    p = play(modparams=["tm:restart_fr_on_each_reply=0"])
    invite = p.feed(request("INVITE"))[1]
    p.feed(reply(invite, 180), BOB)
    p.advance(100)
    p.feed(reply(invite, 180), BOB)
    p.advance(19.9)
    assert firsts(p.advance(0.2))[-2] == f"{ALICE} SIP/2.0 408 Request Timeout"


def test_negative_reply_is_acknowledged_hop_by_hop(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE", extra="Route: <sip:10.0.0.3;lr>\nSubject: hi\n"))[1]
    ack, busy = p.feed(reply(invite, 486, "Busy", tag="bobs"), BOB)
    assert busy.first == "SIP/2.0 486 Busy"
    assert ack.plain == (
        f"ACK sip:bob@{BOB} SIP/2.0\n"
        f"Via: SIP/2.0/UDP {PROXY};branch=OURS.0\n"
        "From: <sip:alice@example.com>;tag=a\n"
        "To: <sip:bob@example.com>;tag=bobs\n"
        "Call-ID: call\n"
        "CSeq: 1 ACK\n"
        "Max-Forwards: 70\n"
        "Route: <sip:10.0.0.3;lr>\n"
        "Content-Length: 0\n\n"
    )
    (again,) = p.feed(reply(invite, 486, "Busy", tag="bobs"), BOB)
    assert again.text == ack.text
    assert p.feed(request("ACK", to_tag="bobs")) == []


def test_503_becomes_500(play: Play) -> None:
    p = play()
    (sent,) = p.feed(request("OPTIONS"))
    (back,) = p.feed(reply(sent, 503, extra="Retry-After: 5\r\n"), BOB)
    assert back.first == "SIP/2.0 500 Service Unavailable"
    assert back.header("Retry-After") == []


def test_cannot_send(play: Play) -> None:
    p = play()
    p.refuse = lambda text, dest: dest.ip == BOB
    assert firsts(p.feed(request("OPTIONS"))) == [
        f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)",
        f"{ALICE} SIP/2.0 477 Unfortunately error on sending to next hop occurred (477/TM)",
    ]
    assert firsts(p.feed(request("INVITE", branch="z9hG4bK2"))) == [
        f"{ALICE} SIP/2.0 100 trying -- your call is important to us",
        f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)",
        f"{ALICE} SIP/2.0 477 Unfortunately error on sending to next hop occurred (477/TM)",
    ]
    p.feed(request("ACK", branch="z9hG4bK2", to_tag="x"))
    p.advance(60)
    assert p.transactions == 0


def test_no_socket_and_bad_uris(play: Play) -> None:
    p = play()
    assert firsts(p.feed(request("OPTIONS", uri="sip:bob@10.0.0.3;transport=tls"))) == [
        f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (1/SL)",
        f"{ALICE} SIP/2.0 500 I'm terribly sorry, server error occurred (7/TM)",
    ]
    assert firsts(p.feed(request("OPTIONS", uri="foo:bar", branch="z9hG4bK2")))[0].startswith(f"{ALICE} SIP/2.0 500")
    p.advance(10)
    assert p.transactions == 0


def test_ipv6(play: Play) -> None:
    p = play(listens=[Listen("udp", PROXY, 5060), Listen("udp", "2001:db8::1", 5060)])
    (sent,) = p.feed(request("OPTIONS", uri="sip:bob@[2001:DB8::3]:5080"))
    assert (sent.dest.ip, sent.dest.port) == ("2001:db8::3", 5080)
    assert sent.header("Via")[0].startswith("SIP/2.0/UDP [2001:db8::1];branch=")


DNS = [("udp", "10.0.0.3", 5060), ("udp", "10.0.0.4", 5070)]


class Names:
    """A resolver that answers when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self.done: list[Callable[[list[tuple[str, str, int]]], None]] = []

    def __call__(self, host: str, port: int, proto: str, done: Callable[[list[tuple[str, str, int]]], None]) -> None:
        self.asked.append((host, port, proto))
        self.done.append(done)


def test_names_are_resolved_without_waiting(play: Play) -> None:
    p = play()
    names = p.proxy.resolve = Names()
    assert firsts(p.feed(request("INVITE", uri="sip:bob@example.org"))) == [
        f"{ALICE} SIP/2.0 100 trying -- your call is important to us"
    ]
    assert names.asked == [("example.org", 0, "")]
    p.advance(1)
    names.done[0](DNS)
    (invite,) = p.take()
    assert (invite.to, invite.first) == ("10.0.0.3:5060", "INVITE sip:bob@example.org SIP/2.0")
    assert firsts(p.feed(reply(invite, 200), BOB)) == [f"{ALICE} SIP/2.0 200 Reason"]


def test_unresolvable_name(play: Play) -> None:
    p = play()
    names = p.proxy.resolve = Names()
    p.feed(request("OPTIONS", uri="sip:bob@example.org"))
    names.done[0]([])
    assert firsts(p.take()) == [f"{ALICE} SIP/2.0 478 Unresolvable destination (478/TM)"]
    p.feed(request("OPTIONS", uri="sip:bob@example.org", branch="z9hG4bK2"))
    assert firsts(p.advance(31)) == [f"{ALICE} SIP/2.0 408 Request Timeout"]
    names.done[1](DNS)  # too late
    assert p.take() == []
    p.advance(10)
    assert p.transactions == 0


def test_failover_on_timeout_503_and_send_error(play: Play) -> None:
    for how in ("timeout", "503", "error"):
        p = play()
        names = p.proxy.resolve = Names()
        if how == "error":
            p.refuse = lambda text, dest: dest.ip == "10.0.0.3"
        p.feed(request("INVITE", uri="sip:bob@example.org"))
        names.done[0](list(DNS))
        sent = p.take()
        if how == "timeout":
            sent = [s for s in p.advance(30.1) if s.to == "10.0.0.4:5070"]
        elif how == "503":
            sent = p.feed(reply(sent[0], 503), BOB)
            assert sent[0].first.startswith("ACK")
        assert sent[-1].to == "10.0.0.4:5070", how
        assert sent[-1].branch.endswith(".1")
        assert firsts(p.feed(reply(sent[-1], 200), "10.0.0.4"))[-1] == f"{ALICE} SIP/2.0 200 Reason"
        p.advance(200)
        assert p.transactions == 0


def test_late_2xx_after_408_is_passed_on(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    p.advance(30.1)
    assert firsts(p.feed(reply(invite, 200), BOB)) == [f"{ALICE} SIP/2.0 200 Reason"]
    p.advance(5.1)
    assert p.transactions == 0


def test_stray_replies(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    ours = invite.branch
    assert firsts(p.feed(reply(invite, 200).replace(ours, ours[:-1] + "7"), BOB)) == [f"{ALICE} SIP/2.0 200 Reason"]
    assert len(p.feed(reply(invite, 200).replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"), BOB)) == 1
    alone = reply(invite, 200).replace(f"Via: {invite.header('Via')[1]}\r\n", "").replace(ours, "z9hG4bKx.1.0")
    assert p.feed(alone, BOB) == []


def test_a_resolver_that_answers_at_once(play: Play) -> None:
    p = play()
    p.proxy.resolve = lambda host, port, proto, done: done([("udp", BOB, 5060)] if host == "good" else [])
    (sent,) = p.feed(request("OPTIONS", uri="sip:bob@good"))
    assert sent.to == f"{BOB}:5060"
    assert firsts(p.feed(request("OPTIONS", uri="sip:bob@bad", branch="z9hG4bK2"))) == [
        f"{ALICE} SIP/2.0 478 Unresolvable destination (478/TM)"
    ]
    p.feed(reply(sent, 200), BOB)
    p.advance(6)
    assert p.transactions == 0


def test_a_connection_that_is_refused_later(play: Play) -> None:
    p = play()
    (sent,) = p.feed(request("OPTIONS", uri=f"sip:bob@{BOB};transport=tcp"))
    assert p.tm.send_failed(sent.text)
    assert firsts(p.take()) == [f"{ALICE} SIP/2.0 500 Service Unavailable"]
    assert not p.tm.send_failed(sent.text)
    assert not p.tm.send_failed("SIP/2.0 200 OK\r\n\r\n")
