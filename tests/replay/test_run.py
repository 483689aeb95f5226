"""Replays from beginning to end: outcomes, what is compared, what a script does wrong."""

from __future__ import annotations

import json
import random
from hashlib import md5
from pathlib import Path

import pytest

from capture.samples import PROXY, UAC, UAS
from ksrcore.capture.captured import Captured, CaptureError
from ksrcore.capture.where import WhereError
from ksrcore.net.address import parse_listen
from ksrcore.replay.result import Summary
from ksrcore.replay.run import expect, replay
from ksrcore.script.engine import ScriptError
from ksrcore.store.database import Database
from replay.scene import NONCE, RELAY, TAG, call, reply, request, scene, timed


def outcomes(summary: Summary) -> list[str]:
    return [f"{each.title.split()[0]}: {each.outcome}" for each in summary.results]


def play(folder: Path, messages: list[Captured], script: str = RELAY, **options: object) -> Summary:
    return replay(*scene(folder, messages, script), **options)  # type: ignore[arg-type]


def test_a_call_goes_through_transactions_of_our_own(tmp_path: Path) -> None:
    summary = play(tmp_path, timed(call()))
    assert outcomes(summary) == [
        "INVITE: replied 100, relayed to udp:10.0.0.2:5063",
        "180: passed on to udp:10.0.0.1:5062",
        "200: passed on to udp:10.0.0.1:5062",
        "ACK: relayed to udp:10.0.0.2:5063",
    ]
    assert (summary.compared, summary.differing, summary.raised, summary.status(True)) == (True, [], [], 0)
    assert (summary.proxy, summary.guessed) == ("10.0.0.9:5060", True)


def test_random_numbers_of_the_process_are_left_alone(tmp_path: Path) -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    play(tmp_path, timed(call()))
    assert random.random() == expected


def test_interleaved_calls(tmp_path: Path) -> None:
    calls = [call(f"c{n}", f"z9hG4bKtheirs{n}") for n in range(20)]
    mixed = [each for step in zip(*calls, strict=True) for each in step]
    summary = play(tmp_path, timed(mixed))
    assert len(summary.results) == 80
    assert summary.differing == []


def test_what_the_script_does_otherwise(tmp_path: Path) -> None:
    summary = play(tmp_path, timed(call()), RELAY.replace("10.0.0.2:5063", "10.0.0.2:7777"))
    assert summary.results[0].outcome == "replied 100, relayed to udp:10.0.0.2:7777"
    assert summary.results[0].differences == [
        "was INVITE sip:bob@10.0.0.9 to udp:10.0.0.2:5063, now INVITE sip:bob@10.0.0.9 to udp:10.0.0.2:7777"
    ]
    assert (summary.status(False), summary.status(True)) == (0, 1)


def test_only_the_callers_side_was_captured(tmp_path: Path) -> None:
    side = [each for each in timed(call()) if UAS[0] not in (each.src_ip, each.dst_ip)]
    summary = play(tmp_path, side)
    assert outcomes(summary)[0] == "INVITE: replied 100, relayed to udp:10.0.0.2:5063"
    assert summary.differing == []


def test_exceptions_and_drops_and_own_replies(tmp_path: Path) -> None:
    messages = [(request("OPTIONS", u, c), UAC, PROXY) for u, c in (("boom", "1"), ("x", "2"))]
    messages += [(request("MESSAGE", u, c), UAC, PROXY) for u, c in (("boom", "3"), ("nobody", "4"), ("silent", "5"))]
    summary = play(tmp_path, timed(messages))
    assert outcomes(summary) == [
        "OPTIONS: replied 200",
        "OPTIONS: replied 200",
        "MESSAGE: exception: KeyError: 'key' in ksr_request_route (routes.py:9), replied 500",
        "MESSAGE: replied 404",
        "MESSAGE: dropped",
    ]
    assert not summary.compared
    (raised,) = summary.raised[0].raised
    assert 'return {}["key"]' in raised.traceback
    assert summary.status(False) == 1


def test_a_callback_that_never_ends(tmp_path: Path) -> None:
    messages = timed([(request("MESSAGE", "endless"), UAC, PROXY), (request("OPTIONS", callid="2"), UAC, PROXY)])
    summary = play(tmp_path, messages, patience=0.05)
    assert summary.results[0].raised[0].error == "does not end within 0.05 s"
    assert summary.results[1].outcome == "replied 200"


def test_failure_routes_and_acks_hop_by_hop(tmp_path: Path) -> None:
    second = "z9hG4bKtheirs.1"
    steps = [
        *call()[:3],
        (reply("486 Busy Here", "INVITE", via="z9hG4bKtheirs", tag="busy"), UAS, PROXY),
        (request("ACK", via="z9hG4bKtheirs", tag="busy"), PROXY, UAS),
        (
            request("INVITE", via=second).replace(b"sip:bob@10.0.0.9 SIP", b"sip:voicemail@10.0.0.2:5063 SIP", 1),
            PROXY,
            UAS,
        ),
        (reply("200 OK", "INVITE", via=second, tag="vm"), UAS, PROXY),
        (reply("200 OK", "INVITE", tag="vm"), PROXY, UAC),
    ]
    summary = play(tmp_path, timed(steps))
    assert outcomes(summary) == [
        "INVITE: replied 100, relayed to udp:10.0.0.2:5063",
        "486: sent ACK to udp:10.0.0.2:5063, sent INVITE to udp:10.0.0.2:5063",
        "200: passed on to udp:10.0.0.1:5062",
    ]
    assert summary.results[1].callbacks == ["ksr_failure_route_busy"]
    assert summary.differing == []


def test_timers_run_on_the_captures_clock(tmp_path: Path) -> None:
    # Nobody answers: repeated, and given up after tm's fr_timer, although the replay takes no time.
    first = timed([(request("MESSAGE"), UAC, PROXY)])
    later = timed([(request("OPTIONS", callid="2"), UAC, PROXY)], first[0].time + 60)
    summary = play(tmp_path, first + later)
    assert summary.results[0].outcome == "relayed to udp:10.0.0.2:5063, replied 408"


def test_tags_of_the_proxys_own_replies(tmp_path: Path) -> None:
    steps = [
        (request("INVITE", "nobody"), UAC, PROXY),
        (reply("404 Not Here", "INVITE", "nobody", tag=TAG), PROXY, UAC),
        (request("ACK", "nobody", tag=TAG), UAC, PROXY),
    ]
    summary = play(tmp_path, timed(steps))
    assert outcomes(summary) == ["INVITE: replied 404", "ACK: absorbed"]


AUTH = """\
import KSR


def ksr_request_route(msg):
    if KSR.auth_db.auth_check("10.0.0.9", "subscriber", 0) < 0:
        KSR.auth.auth_challenge("10.0.0.9", 0)
        return 1
    KSR.sl.send_reply(200, "Welcome")
    return 1
"""


def test_credentials_for_the_captured_proxys_nonce(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    response = hashed(f"{hashed('alice:10.0.0.9:secret')}:{NONCE}:{hashed('REGISTER:sip:10.0.0.9')}")
    header = (
        f'Authorization: Digest username="alice", realm="10.0.0.9", nonce="{NONCE}", uri="sip:10.0.0.9", '
        f'response="{response}"\r\n'
    )
    challenge = f'WWW-Authenticate: Digest realm="10.0.0.9", nonce="{NONCE}"\r\n'
    steps = [
        (request("REGISTER", "alice"), UAC, PROXY),
        (reply("401 Unauthorized", "REGISTER", "alice", tag=TAG, extra=challenge), PROXY, UAC),
        (request("REGISTER", "alice", extra=header, number=2), UAC, PROXY),
        (reply("200 Welcome", "REGISTER", "alice", tag=TAG, number=2), PROXY, UAC),
    ]
    db = Database.open(":memory:")
    db.insert("subscriber", {"username": "alice", "domain": "10.0.0.9", "password": "secret"})
    modparams = ["auth_db:calculate_ha1=1", "auth_db:password_column=password"]
    summary = play(tmp_path, timed(steps), AUTH, db=db, modparams=modparams)
    assert outcomes(summary) == ["REGISTER: replied 401", "REGISTER: replied 200"]
    assert summary.differing == []
    db.close()


def test_names_lead_where_they_led(tmp_path: Path) -> None:
    script = RELAY.replace("sip:10.0.0.2:5063", "sip:gateway.test")
    steps = timed(call())
    route = b"SIP/2.0\r\nRoute: <sip:gateway.test;lr>\r\nVia"
    named = [m._replace(data=m.data.replace(b"SIP/2.0\r\nVia", route)) if m.dst_ip == UAS[0] else m for m in steps]
    assert play(tmp_path, named, script).results[0].outcome == "replied 100, relayed to udp:10.0.0.2:5063"


def test_where_takes_whole_calls(tmp_path: Path) -> None:
    steps = call("one", "z9hG4bKa") + call("two", "z9hG4bKb")
    summary = play(tmp_path, timed(steps), where='method == "INVITE" and callid == "two"')
    assert {each.callid for each in summary.results} == {"two"}
    assert (len(summary.results), summary.left_out, summary.differing) == (4, 4, [])


def test_given_addresses(tmp_path: Path) -> None:
    summary = play(tmp_path, timed(call()), listens=[parse_listen("udp:10.0.0.9:5060")])
    assert (summary.guessed, summary.differing) == (False, [])
    with pytest.raises(CaptureError, match=r"no message was sent to 10.0.0.77:5060: name the proxy's address"):
        play(tmp_path, timed(call()), listens=[parse_listen("udp:10.0.0.77:5060")])
    assert play(tmp_path, timed(call()), aliases=["10.0.0.9", "a.test"]).proxy == "10.0.0.9:5060"
    with pytest.raises(CaptureError, match="no message comes from or goes to 10.0.0.77"):
        play(tmp_path, timed(call()), aliases=["10.0.0.77"])


def test_it_ends_in_order(tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done:
            raise KeyboardInterrupt

    steps = [each for n in range(10) for each in call(f"c{n}", f"z9hG4bK{n}")]
    summary = play(tmp_path, timed(steps), progress=stop)
    assert summary.interrupted
    assert 0 < len(summary.results) < 40


def test_a_limit(tmp_path: Path) -> None:
    assert len(play(tmp_path, timed(call()), limit=3).results) == 1


@pytest.mark.parametrize(
    ("script", "where", "error"),
    [("def (", "", ScriptError), (RELAY, "nonsense(", WhereError), ("x = 1", "", ScriptError)],
)
def test_unusable(tmp_path: Path, script: str, where: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        play(tmp_path, timed(call()), script, where=where)


def test_expectations(tmp_path: Path) -> None:
    before = play(tmp_path, timed(call()))
    path = tmp_path / "before.json"
    path.write_text(json.dumps(before.to_json()))
    same = play(tmp_path, timed(call()))
    expect(same, path)
    assert (same.differing, same.against) == ([], "before.json")
    now = play(tmp_path, timed(call()[:4]), RELAY.replace("5063", "7777"))
    expect(now, path)
    assert (
        now.results[0]
        .differences[0]
        .startswith("was INVITE sip:bob@10.0.0.9: replied 100, relayed to udp:10.0.0.2:5063, now INVITE")
    )
    assert now.results[-1].differences[-1] == "2 more messages are in it"
    path.write_text("[]")
    with pytest.raises(CaptureError, match="holds no outcomes: write them with"):
        expect(now, path)
    with pytest.raises(CaptureError, match="cannot read"):
        expect(now, tmp_path / "none")
