"""The fixture itself: messages, replies, time, single functions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ksrshell.testing import Ksr, MissingFunction, NotThere, ScriptRaised, UsageError
from shell.testing.routers import REFUSE, Load

CALLBACKS = """
def ksr_request_route(self, msg):
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_failure("ksr_failure")
    KSR.rr.record_route()
    KSR.tm.t_relay()
    return 1

def ksr_branch(self, msg):
    KSR.hdr.append("X-Branch: yes\\r\\n")
    return 1

def ksr_onreply(self, msg):
    if KSR.pv.get("$rs") == 183:
        KSR.set_drop()
    return 1

def ksr_failure(self, msg):
    if KSR.tm.t_is_canceled() > 0:
        return 1
    if KSR.tm.t_check_status("408") > 0:
        KSR.tm.t_reply(480, "Nobody there")
        return 1
    if KSR.tm.t_check_status("486|503") > 0:
        KSR.seturi("sip:voicemail@10.0.0.9:5070")
        KSR.tm.t_relay()
    return 1
"""


def test_without_a_script_it_says_where_one_comes_from(ksr: Ksr) -> None:
    with pytest.raises(UsageError, match=r'no script is loaded: .*@pytest.mark.ksr\("router.py"\)'):
        ksr.route("OPTIONS sip:x@example.com SIP/2.0\n\n")
    with pytest.raises(UsageError, match="there is no script nowhere.py, neither in .*testing nor in"):
        ksr.load("nowhere.py")


def test_a_message_as_text_bytes_or_built(load: Load) -> None:
    ksr = load(REFUSE)
    text = """
        OPTIONS sip:bob@example.com SIP/2.0
        Via: SIP/2.0/TCP 10.1.1.1:5099;branch=z9hG4bKx
        From: <sip:jürgen@example.com>;tag=a
        To: <sip:bob@example.com>
        Call-ID: 1
        CSeq: 1 OPTIONS
        Content-Length: 0

    """
    r = ksr.route(text)
    assert r.replied(404, "Not here")
    assert r.reply.to == "tcp:10.1.1.1:5099"
    assert r.reply.headers["from"] == "<sip:jürgen@example.com>;tag=a"
    assert ksr.route(text, src="10.1.1.2:5060").reply.to.startswith("tcp:10.1.1.2:")
    wire = "\n".join(line.strip() for line in text.strip().splitlines()).replace("\n", "\r\n") + "\r\n\r\n"
    assert ksr.route(wire.encode()).replied(404)
    assert ksr.route(ksr.request("OPTIONS", src="tcp:10.1.1.3:5061")).reply.to == "tcp:10.1.1.3:5061"


def test_ids_are_the_same_in_each_run(load: Load) -> None:
    texts = []
    for _ in range(2):
        ksr = load(CALLBACKS)
        r = ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
        ksr.reply(r, 486)
        texts.append([sent.wire for sent in ksr.sent])
    assert texts[0] == texts[1]
    assert "call-1@test" in texts[0][0]


def test_replies_run_the_callbacks(load: Load) -> None:
    ksr = load(CALLBACKS)
    r = ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
    assert r.ran("ksr_branch") and "X-Branch" in r.headers_added
    assert not r.replied and r.replied(100)
    assert ksr.reply(r, 183).dropped
    ringing = ksr.reply(r, 180, headers={"X-Phone": "red"})
    assert ringing.reply.headers["X-Phone"] == "red"
    # A result of a reply stands for the request that was replied to.
    busy = ksr.reply(ringing, 486)
    assert busy.ran("ksr_onreply") and busy.ran("ksr_failure")
    assert busy.relayed_to("sip:voicemail@10.0.0.9:5070")
    assert ksr.reply(busy, 200).replied(200, "OK")


def test_a_dialog_of_the_caller(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            if KSR.siputils.has_totag() > 0:
                KSR.rr.loose_route()
            else:
                KSR.rr.record_route()
            KSR.tm.t_relay()
            return 1
        """
    )
    r = ksr.reply(ksr.route(ksr.request(uri="sip:bob@10.0.0.2")), 200, body="v=0\n")
    assert r.reply.headers["Content-Type"] == "application/sdp"
    ack, bye = ksr.ack(r), ksr.bye(r)
    assert ack.relayed_to("sip:bob@10.0.0.2:5060") and ack.called("KSR.rr.loose_route")
    assert bye.relayed[0].headers["CSeq"] == "2 BYE"
    assert ksr.reply(bye, 200).replied(200)
    assert ksr.in_dialog("INFO", r, body="x").relayed[0].headers["CSeq"] == "3 INFO"
    for number in (101, 102):
        bye = ksr.bye(r, by="callee")
        assert bye.relayed_to("sip:alice@10.0.0.1:5060") and bye.called("KSR.rr.loose_route")[0].result == 1
        assert bye.relayed[0].headers["CSeq"] == f"{number} BYE"
    assert ksr.bye(r).relayed[0].headers["CSeq"] == "4 BYE"
    with pytest.raises(UsageError, match="by expects"):
        ksr.bye(r, by="bob")
    with pytest.raises(UsageError, match="give the result of ksr.reply"):
        ksr.bye(ksr.route(ksr.request(uri="sip:bob@10.0.0.2")), by="callee")


def test_cancel(load: Load) -> None:
    ksr = load(CALLBACKS)
    r = ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
    ksr.reply(r, 180)
    cancelled = ksr.cancel(r, headers={"Reason": "SIP;cause=600"})
    assert cancelled.replied(200)
    assert [sent.to for sent in cancelled.cancels] == ["udp:10.0.0.2:5060"]
    assert not cancelled.relayed
    ended = ksr.reply(r, 487)
    assert ended.replied(487)
    assert ksr.ack(ended).dropped
    with pytest.raises(UsageError, match="takes the INVITE or the result of routing it"):
        ksr.cancel(ksr.advance(1))


def test_time(load: Load) -> None:
    ksr = load(CALLBACKS)
    began = ksr.now
    assert datetime.fromtimestamp(began, UTC) == datetime(2024, 1, 1, 12, tzinfo=UTC)
    ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
    first = ksr.advance(4)
    assert [sent.method for sent in first.retransmissions] == ["INVITE"] * 3
    assert not first.replied
    assert [sent.at for sent in first.sent] == [0.5, 1.5, 3.5]
    late = ksr.advance(27)
    assert late.ran("ksr_failure") and late.replied(480, "Nobody there")
    assert ksr.now == began + 31
    ksr.now = datetime(2030, 5, 1, 8, 30)
    assert ksr.call("KSR.pv.get", None, "$Ts").value == 1_903_854_600
    with pytest.raises(UsageError, match="time goes on only"):
        ksr.advance(-1)


def test_a_retransmission_is_the_same_message_again(load: Load) -> None:
    ksr = load()
    invite = ksr.request(uri="sip:bob@10.0.0.2")
    assert ksr.route(invite).relayed
    again = ksr.route(invite)
    assert not again.relayed and again.replies[0].again


def test_failure_routes_alone(load: Load) -> None:
    ksr = load(CALLBACKS)
    request = ksr.request(uri="sip:bob@10.0.0.2")
    r = ksr.failure("ksr_failure", request, reply="SIP/2.0 486 Busy Here")
    assert [callback.name for callback in r.callbacks] == ["ksr_failure"]
    assert r.relayed_to("10.0.0.9:5070")
    assert not r.replied
    assert ksr.failure("ksr_failure", ksr.request(uri="sip:bob@10.0.0.2")).replied(480)
    timed_out = ksr.failure("ksr_failure", ksr.request(uri="sip:bob@10.0.0.2"), timeout=True)
    assert timed_out.replied(480)
    assert ksr.failure("ksr_failure", ksr.request(uri="sip:b@10.0.0.2"), reply="SIP/2.0 603 No").replied(603, "No")
    with pytest.raises(UsageError, match="negative status line"):
        ksr.failure("ksr_failure", request, reply="408")
    with pytest.raises(UsageError, match="has no function 'ksr_falure'; it has: .*ksr_failure"):
        ksr.failure("ksr_falure", request)


def test_single_functions(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            return 1

        def number(self, msg, digits):
            return KSR.pv.gete("$rU")[:digits]
        """
    )
    request = ksr.request(uri="sip:+49301234@example.com")
    assert ksr.call("number", request, 3).value == "+49"
    assert ksr.call("KSR.siputils.is_user", request, "bob").value == -1
    assert ksr.call("KSR.sl.send_reply", request, 200, "OK").replied(200)
    assert ksr.call("number", "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1\nCSeq: 1 BYE\n\n", 1).value == ""
    assert ksr.call("KSR.x.exit", request).value is None
    with pytest.raises(UsageError, match="did you mean 200?"):
        ksr.call("KSR.sl.send_reply", request, "200", "OK")
    with pytest.raises(MissingFunction, match="KSR.sworker.active.* stands in for it"):
        ksr.call("KSR.sworker.active", request)
    assert ksr.script.number and ksr.module.Script
    assert ksr.KSR.pv.get("$rm") == "OPTIONS"
    with pytest.raises(UsageError, match="no route of the kind 'fail'; there are: request, failure"):
        ksr.call("number", request, 3, route="fail")
    with pytest.raises(UsageError, match="has no function 'nmber'"):
        ksr.call("nmber", request)


def test_events(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            return 1

        def told(self, msg, name):
            KSR.pvx.shv_sets("event", name)
            return 7
        """,
        modparams=["htable:event_callback=told"],
    )
    assert ksr.shv["event"] == "htable:mod-init"
    assert ksr.event("htable:expired:x").value == 7
    assert ksr.shv["event"] == "htable:expired:x"
    assert ksr.event("tm:local-request", ksr.request("OPTIONS"), callback="told").ran("told")
    with pytest.raises(UsageError, match=r'modparams=\["xhttp:event_callback=FUNCTION"\]'):
        ksr.event("xhttp:request")
    with pytest.raises(UsageError, match="an event is named MODULE:EVENT"):
        ksr.event("whatever")


def test_http_requests(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            return 1

        def http(self, msg, name):
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", KSR.pv.gete("$hu"))
        """,
        modparams=["xhttp:event_callback=http"],
    )
    r = ksr.route("GET /health HTTP/1.1\nHost: x\n\n", src="tcp:10.0.0.1:40000")
    assert r.reply.code == 200 and r.reply.body == "/health"


def test_an_exception_ends_the_test_with_the_frames_of_the_script(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            self.deeper()

        def deeper(self):
            KSR.sl.send_reply("404", "Not here")
        """
    )
    with pytest.raises(ScriptRaised) as caught:
        ksr.route(ksr.request())
    text = str(caught.value)
    assert text.startswith("ksr_request_route raised KsrArgumentError\n")
    assert "in deeper" in text and "did you mean 404?" in text
    assert "ksrshell" not in text and "ksrcore" not in text.replace("ksrcore.kemi", "")
    assert isinstance(caught.value.original, TypeError)
    ksr.allow_exceptions = True
    r = ksr.route(ksr.request())
    assert isinstance(r.exception, TypeError) and r.replied(500)


def test_what_ksrshell_has_not_ends_the_test_even_when_the_script_catches_it(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            try:
                KSR.presence.handle_publish()
            except Exception:
                pass
            return 1
        """
    )
    text = r"does not implement it yet; ksr.mock\('KSR.presence.handle_publish'.*router.py:7"
    with pytest.raises(MissingFunction, match=text):
        ksr.route(ksr.request())
    ksr.mock("KSR.presence.handle_publish", returns=200)
    assert ksr.route(ksr.request()).called("KSR.presence.handle_publish")[0].mocked


def test_names_that_no_kamailio_has(load: Load) -> None:
    ksr = load("def ksr_request_route(self, msg):\n    KSR.sl.send_replay(200, 'OK')")
    with pytest.raises(ScriptRaised, match=r"nearest: KSR.sl.send_reply"):
        ksr.route(ksr.request())


def test_names_have_addresses(load: Load) -> None:
    ksr = load()
    assert ksr.route(ksr.request(uri="sip:bob@one.example")).relayed_to("192.0.2.1")
    assert ksr.route(ksr.request(uri="sip:bob@two.example")).relayed_to("192.0.2.2:5060")
    ksr.dns["three.example"] = ["tcp:10.0.0.3:5070", "10.0.0.4"]
    assert ksr.route(ksr.request(uri="sip:bob@three.example")).relayed_to("tcp:10.0.0.3:5070")
    ksr.dns["none.example"] = []
    assert ksr.route(ksr.request(uri="sip:bob@none.example")).replied(478)
    assert ksr.route(ksr.request(uri="sip:bob@no.invalid")).replied(478)
    ksr.unreachable.add("10.0.0.5")
    assert ksr.route(ksr.request(uri="sip:bob@10.0.0.5")).replied(477)


def test_digest(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            if KSR.auth_db.auth_check("example.com", "subscriber", 1) < 0:
                KSR.auth.auth_challenge("example.com", 1)
                return 1
            KSR.sl.send_reply(200, "OK")
            return 1
        """
    )
    ksr.subscriber("alice", "sécret", "example.com")
    for method, asked in (("REGISTER", 401), ("INVITE", 407), ("MESSAGE", 407)):
        assert ksr.authenticated(ksr.request(method, "sip:example.com"), "alice", "sécret").replied(200)
        assert ksr.authenticated(ksr.request(method, "sip:example.com"), "alice", "wrong").replied(asked)
    load(REFUSE)
    with pytest.raises(NotThere, match="a 401 or 407 was expected, to be answered: replied 404 Not here"):
        ksr.authenticated(ksr.request(), "alice", "secret")


def test_which_request_is_replied_to(load: Load) -> None:
    ksr = load(
        """
        def ksr_request_route(self, msg):
            KSR.corex.append_branch_uri("sip:bob@10.0.0.3")
            KSR.tm.t_relay()
            return 1
        """
    )
    r = ksr.route(ksr.request(uri="sip:bob@10.0.0.2"))
    with pytest.raises(UsageError, match=r"2 requests were relayed: .* r.relayed\[1\] to udp:10.0.0.3:5060"):
        ksr.reply(r, 200)
    assert ksr.reply(r.relayed[1], 200).replied(200)
    with pytest.raises(UsageError, match="only a request can be replied to"):
        ksr.reply(r.replies[0], 200)
    load(REFUSE)
    with pytest.raises(NotThere, match="no request was relayed that could be replied to: replied 404 Not here"):
        ksr.reply(ksr.route(ksr.request()), 200)
    with pytest.raises(UsageError, match="is not acknowledged"):
        load()
        ksr.ack(ksr.route(ksr.request()))


def test_a_script_that_does_not_compile(ksr: Ksr, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def ksr_request_route(msg)\n    pass\n")
    with pytest.raises(UsageError, match=r"broken.py:1: does not compile: expected ':'"):
        ksr.load(path)
    path.write_text("x = 1\n")
    with pytest.raises(UsageError, match="has no ksr_request_route"):
        ksr.load(path)
    (tmp_path / "router.cfg").write_text("")
    with pytest.raises(UsageError, match=r"scripts end in .py, got '.cfg'"):
        ksr.load(tmp_path / "router.cfg")


def test_messages_that_nobody_listens_for(load: Load) -> None:
    ksr = load(listen=["udp:10.0.0.100:5060"])
    with pytest.raises(UsageError, match=r'over tcp from 10.0.0.1; there are udp:10.0.0.100:5060: listen=\["tcp:'):
        ksr.route(ksr.request(proto="tcp"))
    with pytest.raises(UsageError, match="PROTO:HOST:PORT"):
        load(listen=["nowhere"])


def test_messages_that_cannot_be_used(load: Load) -> None:
    ksr = load(REFUSE)
    r = ksr.route("OPTIONS sip:bob@example.com SIP/3.0\nVia: SIP/2.0/UDP 10.0.0.1\n\n")
    assert r.error and not r.callbacks
    with pytest.raises(UsageError, match="a message is text, bytes or what ksr.request"):
        ksr.route(17)  # type: ignore[arg-type]
