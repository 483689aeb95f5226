"""The server machine: what the caller sees."""

from collections.abc import Callable

from tm.playbook import ALICE, BOB, Playbook, Sent, firsts, reply, request

Play = Callable[..., Playbook]

REJECT = """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
        return 1
    if KSR.tm.t_newtran() > 0:
        KSR.tm.t_reply(486, "Busy")
    return 1
"""

ANSWER = REJECT.replace('486, "Busy"', '200, "OK"')


def times(sent: list[Sent], start: float = 1000.0) -> list[tuple[float, str]]:
    return [(round(s.at - start, 3), s.first) for s in sent]


def test_reply_as_kamailio_builds_it(play: Play) -> None:
    p = play(REJECT)
    extra = "Record-Route: <sip:10.9.9.9;lr>\nTimestamp: 5\nv: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bKold\n"
    (sent,) = p.feed(request("INVITE", via=";rport", extra=extra), port=5070)
    assert sent.to == f"{ALICE}:5070"
    assert sent.plain == (
        "SIP/2.0 486 Busy\n"
        "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1;rport=5070;received=10.0.0.2\n"
        "From: <sip:alice@example.com>;tag=a\n"
        "To: <sip:bob@example.com>;tag=OURTAG\n"
        "Call-ID: call\n"
        "CSeq: 1 INVITE\n"
        "v: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bKold\n"
        f"{p.proxy.server_header}\n"
        "Content-Length: 0\n\n"
    )


def test_invite_negative_is_retransmitted_until_ack(play: Play) -> None:
    p = play(REJECT)
    p.feed(request("INVITE"))
    assert times(p.advance(8)) == [(t, "SIP/2.0 486 Busy") for t in (0.5, 1.5, 3.5, 7.5)]
    assert p.feed(request("ACK", to_tag="x")) == []
    assert p.advance(4.9) == []
    assert p.transactions == 1
    p.advance(0.2)
    assert p.transactions == 0


def test_invite_negative_without_ack_ends_after_fr_timer(play: Play) -> None:
    p = play(REJECT)
    p.feed(request("INVITE"))
    sent = times(p.advance(100))
    assert [t for t, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5]
    assert p.transactions == 0


def test_ack_after_the_wait_is_not_known(play: Play) -> None:
    p = play(REJECT)
    p.feed(request("INVITE"))
    p.feed(request("ACK", to_tag="x"))
    assert p.transactions == 1
    p.advance(6)
    assert p.transactions == 0
    assert p.feed(request("ACK", to_tag="x")) == []


def test_retransmitted_request_gets_the_same_reply(play: Play) -> None:
    p = play(REJECT)
    (first,) = p.feed(request("OPTIONS"))
    (again,) = p.feed(request("OPTIONS"))
    assert again.text == first.text
    assert p.transactions == 1
    p.advance(5.1)
    assert p.transactions == 0


def test_non_invite_final_is_not_retransmitted(play: Play) -> None:
    p = play(REJECT)
    assert firsts(p.feed(request("OPTIONS"))) == [f"{ALICE} SIP/2.0 486 Busy"]
    assert p.advance(60) == []
    assert p.transactions == 0


def test_confirmed_absorbs_silently(play: Play) -> None:
    p = play(REJECT)
    p.feed(request("INVITE"))
    p.feed(request("ACK", to_tag="x"))
    assert p.feed(request("INVITE")) == []


def test_own_2xx_is_retransmitted_until_its_ack_also_on_tcp(play: Play) -> None:
    p = play(ANSWER)
    (ok,) = p.feed(request("INVITE", proto="TCP"), proto="tcp", conid=7)
    assert ok.dest.conid == 7
    assert times(p.advance(2)) == [(0.5, "SIP/2.0 200 OK"), (1.5, "SIP/2.0 200 OK")]
    assert p.feed(request("ACK", branch="z9hG4bKack", to_tag="x", proto="TCP"), proto="tcp", conid=7) == []
    assert p.advance(30) == []
    assert p.transactions == 0


def test_negative_is_not_retransmitted_on_tcp(play: Play) -> None:
    p = play(REJECT)
    (busy,) = p.feed(request("INVITE", proto="TCP"), proto="tcp", conid=7)
    assert (busy.dest.proto, busy.dest.conid) == ("tcp", 7)
    assert p.advance(29.9) == []
    assert p.transactions == 1
    p.advance(6)
    assert p.transactions == 0


def test_relayed_2xx_waits_for_late_messages(play: Play) -> None:
    p = play()
    invite = p.feed(request("INVITE"))[1]
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]
    assert p.feed(request("INVITE")) == []  # RFC 6026: Accepted absorbs it
    p.advance(5.1)
    assert p.transactions == 0
    # Later ones are forwarded by their Via alone.
    assert firsts(p.feed(reply(invite, 200, "OK"), BOB)) == [f"{ALICE} SIP/2.0 200 OK"]


def test_transaction_left_alone_is_released_silently(play: Play) -> None:
    p = play("def ksr_request_route(self, msg):\n    KSR.tm.t_newtran()\n    return 1\n")
    assert p.feed(request("OPTIONS")) == []
    assert p.feed(request("OPTIONS")) == []
    assert p.transactions == 1
    p.advance(5.1)
    assert p.transactions == 0


def test_second_final_reply_is_refused(play: Play) -> None:
    p = play(
        """
def ksr_request_route(self, msg):
    KSR.tm.t_newtran()
    results = [KSR.tm.t_newtran(), KSR.tm.t_reply(183, "a"), KSR.tm.t_reply(404, "b"), KSR.tm.t_reply(200, "c")]
    KSR.info(repr(results))
    self.results = results
    return 1
"""
    )
    sent = p.feed(request("INVITE"))
    assert firsts(sent) == [f"{ALICE} SIP/2.0 183 a", f"{ALICE} SIP/2.0 404 b"]
    tags = {s.header("To")[0] for s in sent}
    assert len(tags) == 1


def test_rfc2543_client_is_matched_by_its_fields(play: Play) -> None:
    p = play(REJECT)
    (first,) = p.feed(request("OPTIONS", branch="1"))
    assert [s.text for s in p.feed(request("OPTIONS", branch="1"))] == [first.text]
    assert len(p.feed(request("OPTIONS", branch="1", cseq=2))) == 1
    assert p.transactions == 2


def test_same_branch_of_another_sender_is_another_transaction(play: Play) -> None:
    p = play(REJECT)
    p.feed(request("OPTIONS"))
    p.feed(request("OPTIONS", host="10.0.0.9"), src="10.0.0.9")
    assert p.transactions == 2


def test_exception_is_answered_500(play: Play) -> None:
    p = play("def ksr_request_route(self, msg):\n    raise ValueError('x')\n")
    assert firsts(p.feed(request("OPTIONS"))) == [f"{ALICE} SIP/2.0 500 Server Internal Error"]
    quiet = play(
        "def ksr_request_route(self, msg):\n    raise ValueError('x')\n", modparams=["sl:exception_reply_code=0"]
    )
    assert quiet.feed(request("OPTIONS")) == []


def test_redirect_carries_the_destination_set(play: Play) -> None:
    script = """
def ksr_request_route(self, msg):
    KSR.seturi("sip:new@1.2.3.4")
    KSR.corex.append_branch_uri_q("sip:o@2.3.4.5", "0.5")
    KSR.tm.t_newtran()
    KSR.tm.t_reply(302, "Moved")
    return 1
"""
    (sent,) = play(script).feed(request("OPTIONS"))
    assert sent.header("Contact") == ["<sip:new@1.2.3.4>, <sip:o@2.3.4.5>;q=0.5"]
