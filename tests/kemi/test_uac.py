"""KSR.uac; what Kamailio 5.6.3 does with the same is compared by tests/parity/cases/uac."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.uac import Uac
from ksrcore.kemi.uac_digest import Challenge, answer, challenge_of
from ksrcore.kemi.uac_replace import encrypt, mix
from ksrcore.net.address import Dest, Rcv
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import parse_message
from ksrcore.store.database import Database
from lab.observed import LISTENS, UDP, WALL

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK1\r\n"
    'From: "Alice, <A>" <sip:alice@a.com>;tag=f\r\nTo: sip:bob@b.com\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n'
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class World:
    def __init__(self, *params: str, db: Database | None = None) -> None:
        self.sent: list[tuple[Dest, str]] = []
        self.proxy, self.KSR = make_proxy(
            transmit=self.transmit, listens=LISTENS, modparams=params, now=10.0, wall=WALL, db=db
        )
        module = self.proxy.modules["uac"]
        assert isinstance(module, Uac)
        self.module = module

    def transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest, data.decode("latin-1")))
        return True

    def request(self, text: str = INVITE) -> Run:
        rcv = Rcv("udp", "127.0.0.1", 5999, UDP.host, UDP.port, UDP, 0)
        fake = self.proxy.fake_run()
        run = self.proxy.env.run = Run(
            self.proxy, parse_message(text.encode(), rcv), REQUEST_ROUTE, fake.record, fake.avps
        )
        return run

    def answer(self, at: int, code: int, now: float, more: str = "") -> None:
        """A reply to the ``at``-th request sent."""
        dest, text = self.sent[at]
        fields = "\r\n".join(re.findall(r"(?m)^(?:Via|From|To|Call-ID|CSeq):[^\r]*", text))
        reply = f"SIP/2.0 {code} Because\r\n{fields}\r\n{more}Content-Length: 0\r\n\r\n"
        self.proxy.receive(reply.encode(), Rcv("udp", dest.ip, dest.port, UDP.host, UDP.port, UDP, 0), now)


def edited(run: Run) -> str:
    return run.msg.lumps.apply(run.msg.buf, run.msg.head_at, len(run.msg.buf), Dest("udp", "127.0.0.1", 5060, UDP))


def test_mixing_twice_gives_the_text_back() -> None:
    kept = encrypt(mix("sip:alice@a.com", "sip:z"), "pw")
    assert mix(encrypt(kept, "pw"), "sip:z") == "sip:alice@a.com"
    assert mix(encrypt(kept, "pw"), "sip:alice@a.com").rstrip("\0") == "sip:z"


def test_a_bracket_in_a_display_name_is_none() -> None:
    world = World()
    run = world.request()
    assert world.KSR.uac.uac_replace_from_uri("sip:z@z") == 1
    assert 'From: "Alice, <A>" <sip:z@z>;tag=f\r\n' in edited(run)


def test_a_to_without_brackets_gets_them_with_a_display_name() -> None:
    world = World()
    run = world.request()
    assert world.KSR.uac.uac_replace_to("Bob", "") == 1
    assert "To: Bob <sip:bob@b.com>\r\n" in edited(run)


def test_a_damaged_parameter_changes_nothing() -> None:
    world = World()
    run = world.request(INVITE.replace("Max-", "Route: <sip:127.0.0.1;lr;ftag=f;vsf=AA;vst=AAAA>\r\nMax-"))
    run.msg.extra["rr.params"] = "lr;ftag=f;vsf=A;vst=AAAA"
    assert world.KSR.uac.uac_restore_from() == -1
    assert world.KSR.uac.uac_restore_to() == -1
    assert not run.msg.lumps.items


@pytest.mark.parametrize(
    "field",
    [
        "Basic realm=x",
        "Digest nonce=x",
        "Digest realm=x",
        'Digest realm="x',
        "Digest realm=x, nonce=y, algorithm=SHA-256",
    ],
)
def test_challenges_that_cannot_be_answered(field: str) -> None:
    reply = f"SIP/2.0 401 No\r\nWWW-Authenticate: {field}\r\nCSeq: 1 INVITE\r\n\r\n"
    with pytest.raises(SipError):
        challenge_of(parse_message(reply.encode()))
    with pytest.raises(SipError):
        challenge_of(None)


def test_an_answer_as_kamailio_writes_it() -> None:
    challenge = Challenge("Authorization", "example.org", "abc123", "op", "auth")
    assert answer(challenge, "joe", "pw", "INVITE", "sip:bob@example.com", False) == (
        'Authorization: Digest username="joe", realm="example.org", nonce="abc123", uri="sip:bob@example.com", '
        'opaque="op", qop=auth, nc=00000001, cnonce="1834973413", response="3df03738b14aa10e59660b376c7a89b5", '
        "algorithm=MD5\r\n"
    )
    challenge.qop, challenge.opaque = "auth-int", None
    assert 'response="cfa99a7727cb1e573a53a29e22c2e3f8"' in answer(
        challenge, "joe", "pw", "INVITE", "sip:bob@example.com", False
    )


def registered(db: Database, **change: Any) -> None:
    db.insert(
        "uacreg",
        {
            "l_uuid": "u1", "l_username": "alice", "l_domain": "local.org", "r_username": "ra",
            "r_domain": "remote.org", "realm": "ex.org", "auth_username": "au", "auth_password": "pw",
            "auth_proxy": "sip:127.0.0.2", "expires": 60, **change,
        },
    )  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Any:
    with Database.open(f"{tmp_path}/db") as opened:
        yield opened


REG = ("uac:reg_contact_addr=192.0.2.1", "uac:reg_timer_interval=5", "tm:fr_timer=1000")


def test_a_registration_and_its_refresh(db: Database) -> None:
    registered(db)
    world = World(f"uac:reg_db_url={db.path}", *REG, db=db)
    world.proxy.advance(15.0)
    assert world.sent[0][0].text == "udp:127.0.0.2:5060"
    world.answer(0, 401, 15.1, 'WWW-Authenticate: Digest realm="ex.org", nonce="n"\r\n')
    assert "CSeq: 11 REGISTER" in world.sent[1][1] and "Authorization: Digest username" in world.sent[1][1]
    run = world.request()
    assert world.module.uac_reg_status(run, "u1") == -2
    world.answer(1, 200, 15.2, "Contact: <sip:u1@192.0.2.1>;expires=20\r\n")
    assert world.module.uac_reg_status(run, "u1") == 1
    for now in (20.0, 25.0):
        world.proxy.advance(now)
    assert len(world.sent) == 2
    world.proxy.advance(30.0)
    assert len(world.sent) == 3


def test_a_refused_registration_is_tried_again_or_given_up(db: Database) -> None:
    registered(db)
    for params, flags in ((("uac:reg_retry_interval=30",), 16), ((), 17)):
        world = World(f"uac:reg_db_url={db.path}", *REG, *params, db=db)
        world.proxy.advance(15.0)
        world.answer(0, 403, 15.1)
        (shown,) = world.module.rpc_dump([])
        assert shown["flags"] == flags
        world.proxy.advance(40.0)
        assert len(world.sent) == (2 if params else 1)


def test_a_sandbox_registers_nothing_and_keeps_its_own(db: Database) -> None:
    registered(db)
    world = World(f"uac:reg_db_url={db.path}", *REG, db=db)
    fork = world.module.fork(world.proxy)
    fork.request.method = "OPTIONS"
    fork.rpc_remove(["u1"])
    assert world.module.request.method == ""
    assert len(world.module.registrations) == 1


@pytest.mark.parametrize(
    ("param", "text"),
    [
        ("credential=user", "USERNAME:REALM:PASSWORD"),
        ("auth_realm_avp=$avp(x)", "belong together"),
        ("restore_mode=maybe", "none, manual or auto"),
        ("restore_dlg=1", "can only be 0"),
        ("restore_from_avp=$nope(x)", "expect an AVP"),
        ("default_socket=udp:1.1.1.1:1", "none of the listen sockets"),
        ("reg_db_url=:memory:", "reg_contact_addr is needed"),
    ],
)
def test_parameters_that_cannot_be(param: str, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        make_proxy(transmit=lambda data, dest: True, listens=LISTENS, modparams=[f"uac:{param}"])
