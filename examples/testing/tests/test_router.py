"""Ten tests that show what the fixture ``ksr`` can do, one thing each."""

import pytest


def test_a_stranger_is_challenged(office):
    r = office.route(office.request("INVITE", "sip:bob@office.example", from_="sip:eve@office.example"))
    assert r.replied(407)
    assert not r.relayed


def test_a_user_calls_a_user(office):
    invite = office.request("INVITE", "sip:bob@office.example", from_="sip:alice@office.example")
    r = office.authenticated(invite, "alice", "secret-a")
    assert r.relayed_to("sip:bob@10.0.0.2")
    assert "Authorization" not in r.relayed[0].headers  # bob has no business with it
    assert r.flags == {1}

    ringing = office.reply(r, 180)
    assert ringing.replied(180)
    answered = office.reply(r, 200)
    assert answered.replied(200)
    assert office.ack(answered).relayed_to("10.0.0.2")
    assert office.bye(answered).relayed_to("10.0.0.2")


def test_a_phone_registers(office):
    register = office.request("REGISTER", "sip:office.example", from_="sip:alice@office.example", src="10.0.0.7:5062")
    r = office.authenticated(register, "alice", "secret-a")
    assert r.replied(200)
    assert [contact.contact for contact in office.location["alice"]] == ["sip:alice@10.0.0.7:5062"]
    office.advance(3700)
    assert "alice" not in office.location


def test_wrong_passwords_are_counted(office):
    invite = office.request("INVITE", "sip:bob@office.example", from_="sip:alice@office.example")
    r = office.authenticated(invite, "alice", "a guess")
    assert r.replied(407)
    assert office.htable["failures"]["10.0.0.1"] == 1


def test_who_is_banned_hears_nothing(office):
    office.htable["banned"]["10.0.0.66"] = 1
    invite = office.request("INVITE", "sip:bob@office.example", src="10.0.0.66:5060")
    r = office.route(invite)
    assert r.dropped
    assert r.logged("banned 10.0.0.66")

    office.advance(301)  # bans end after five minutes, and an event route is told
    assert office.route(invite).replied(407)
    assert office.shv["forgiven"] == 1


def test_nobody_answers_and_voicemail_takes_it(office, trunk):
    r = office.route(trunk("INVITE"))
    r = office.reply(r, 180)
    r = office.advance(21)
    assert r.ran("ksr_failure_voicemail")
    assert r.cancels[0].to == "udp:10.0.0.2:5060"
    assert r.relayed_to("sip:vm-bob@10.0.0.90")


@pytest.mark.parametrize("line", ["SIP/2.0 486 Busy Here", "SIP/2.0 480 Offline"])
def test_busy_goes_to_voicemail(office, trunk, line):
    r = office.failure("ksr_failure_voicemail", trunk("INVITE", "sip:bob@10.0.0.2"), reply=line)
    assert r.relayed_to("sip:vm-bob@10.0.0.90")


def test_a_caller_who_hangs_up_gets_no_voicemail(office, trunk):
    r = office.route(trunk("INVITE"))
    office.reply(r, 180)
    assert office.cancel(r).cancels
    r = office.reply(r, 487)
    assert r.replied(487)
    assert not r.relayed


def test_calls_to_the_outside(office):
    office.mock("KSR.auth_db.auth_check", returns=1)
    office.dns["trunk.example.net"] = "10.9.0.1:5080"
    r = office.route(
        office.request(
            "INVITE", "sip:0301234@trunk.example.net", from_="sip:alice@office.example", headers={"X-Internal": "17"}
        )
    )
    assert r.relayed_to("tcp:10.9.0.1:5080")
    assert r.headers_added["X-Account"] == "alice"
    assert "X-Internal" in r.headers_removed
    assert r == office.snapshot  # tests/__ksr__: the whole message, as the trunk gets it


def test_premium_numbers(office):
    check = office.mock("KSR.auth_db.auth_check", returns=1)
    r = office.route(office.request("INVITE", "sip:0900555@trunk.example.net", from_="sip:alice@office.example"))
    assert r.replied(403, "Premium numbers are blocked")
    check.assert_called_once_with("office.example", "subscriber", 1)
