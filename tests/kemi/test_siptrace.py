"""KSR.siptrace: packets as recorded from Kamailio 5.6.3; plain copies are compared by tests/parity/cases/siptrace."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.capture.hep import decode
from ksrcore.kemi.declare import ParamError, RpcError
from ksrcore.kemi.siptrace import Siptrace
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.script.python import PythonScript
from ksrcore.store.database import Database

LISTEN = Listen("udp", "127.0.0.1", 5060)
CLIENT = ("127.0.0.1", 0x9B68)
TIME = 0x6B041931 + 0x0001BFAD / 1e6
INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:39784;branch=z9hG4bK1\r\n"
    "From: <sip:alice@a.com>;tag=f1\r\nTo: <sip:bob@b.com>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
ON = ("siptrace:trace_on=1", "siptrace:trace_to_database=0", "siptrace:duplicate_uri=sip:127.0.0.1:9060")
HEP = (*ON, "siptrace:hep_mode_on=1", "siptrace:hep_version=3", "siptrace:hep_capture_id=77")
RELAY = "    KSR.pv.sets('$du', 'sip:127.0.0.9:5070')\n    KSR.tm.t_relay()\n"


class World:
    """A proxy with a script of these lines; ``copies``: what went to the collector, ``results`` what X() gave."""

    def __init__(self, folder: Path, lines: str, *params: str, db: Database | None = None, more: str = "") -> None:
        self.sent: list[tuple[Dest, bytes]] = []
        self.now = 10.0
        self.proxy, ksr = make_proxy(
            transmit=self.transmit, listens=[LISTEN], modparams=params, now=self.now, wall=TIME, db=db
        )
        path = folder / "script.py"
        path.write_text(f"import KSR\nresults = []\ndef ksr_request_route(msg):\n{lines}    return 1\n\n{more}")
        self.script = PythonScript(str(path), self.proxy, ksr)
        self.script.load()
        self.proxy.script = self.script
        module = self.proxy.modules["siptrace"]
        assert isinstance(module, Siptrace)
        self.module = module

    def transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest, data))
        return True

    def receive(self, text: str = INVITE, source: tuple[str, int] = CLIENT) -> None:
        rcv = Rcv("udp", *source, LISTEN.host, LISTEN.port, LISTEN)
        self.proxy.receive(text.encode("latin-1"), rcv, self.now)

    @property
    def copies(self) -> list[bytes]:
        return [data for dest, data in self.sent if dest.port == 9060]

    def answer(self, code: int) -> None:
        """The reply of who was called."""
        text = next(data for dest, data in self.sent if dest.port == 5070).decode()
        fields = [line for line in text.split("\r\n") if line[:4] in ("Via:", "From", "To: ", "Call", "CSeq")]
        self.receive("\r\n".join([f"SIP/2.0 {code} X", *fields, "Content-Length: 0", "", ""]), ("127.0.0.9", 5070))


def chunks(packet: bytes) -> list[tuple[int, str]]:
    found = []
    at = 6
    while at < len(packet):
        _, kind, size = struct.unpack_from(">HHH", packet, at)
        found.append((kind, packet[at + 6 : at + size].hex()))
        at += size
    return found


def first(packet: bytes) -> str:
    return decode(packet).message.data.decode().split("\r\n")[0]


def test_hep_3_as_kamailio_writes_it(tmp_path: Path) -> None:
    world = World(tmp_path, "    KSR.siptrace.sip_trace_dst_cid('', 'corr')\n", *HEP, "siptrace:auth_key=kkk")
    world.receive()
    (packet,) = world.copies
    assert chunks(packet) == [
        (1, "02"), (2, "11"), (3, "7f000001"), (4, "7f000001"), (7, "9b68"), (8, "13c4"), (9, "6b041931"),
        (10, "0001bfac"), (11, "01"), (12, "0000004d"), (17, b"corr".hex()), (14, b"kkk".hex()),
        (15, INVITE.encode().hex()),
    ]  # fmt: skip
    assert world.sent[0][0].listen is LISTEN
    assert world.proxy.recorder.last_id == 1


def test_hep_2_and_1_as_kamailio_writes_them(tmp_path: Path) -> None:
    for version, head in (
        (2, "021002119b6813c47f0000017f0000013119046bacbf01004d000000"),
        (1, "011002119b6813c47f0000017f000001"),
    ):
        world = World(tmp_path, "    KSR.siptrace.sip_trace()\n", *HEP, f"siptrace:hep_version={version}")
        world.receive()
        (packet,) = world.copies
        assert packet == bytes.fromhex(head) + INVITE.encode()
        assert decode(packet).message.data == INVITE.encode()


def test_a_line_of_a_log(tmp_path: Path) -> None:
    world = World(tmp_path, "    KSR.siptrace.hlog('hello')\n    KSR.siptrace.hlog_cid('cc', 'x')\n", *ON)
    world.module.on = False  # it is sent all the same
    world.receive()
    one, other = world.copies
    assert chunks(one)[4:6] == [(8, "2364"), (7, "13c4")]
    assert chunks(one)[8:] == [(11, "64"), (12, "00000001"), (17, b"c1".hex()), (15, b"hello".hex())]
    assert chunks(other)[-2] == (17, b"cc".hex())


def test_a_transaction(tmp_path: Path) -> None:
    world = World(tmp_path, "    KSR.siptrace.sip_trace_mode('t')\n" + RELAY, *HEP)
    world.receive()
    world.answer(200)
    world.receive(INVITE.replace("z9hG4bK1", "z9hG4bKother").replace("c1", "c2"), ("127.0.0.1", 1))
    assert [first(packet) for packet in world.copies[:5]] == [
        "INVITE sip:bob@example.com SIP/2.0",
        "SIP/2.0 100 trying -- your call is important to us",
        "INVITE sip:bob@example.com SIP/2.0",
        "SIP/2.0 200 X",
        "SIP/2.0 200 X",
    ]
    message = decode(world.copies[2]).message
    assert (message.src_port, message.dst_ip, message.dst_port) == (5060, "127.0.0.9", 5070)


def test_only_the_message(tmp_path: Path) -> None:
    world = World(tmp_path, "    KSR.siptrace.sip_trace_mode('m')\n" + RELAY, *HEP)
    world.receive()
    world.answer(200)
    assert len(world.copies) == 1


def test_a_dialog(tmp_path: Path) -> None:
    lines = "    if KSR.is_INVITE():\n        KSR.siptrace.sip_trace_mode('d')\n" + RELAY
    world = World(tmp_path, lines, *HEP)
    world.receive()
    world.answer(200)
    before = len(world.copies)
    world.receive(INVITE.replace("INVITE", "BYE").replace("z9hG4bK1", "z9hG4bK2").replace("b.com>", "b.com>;tag=t"))
    assert [first(packet) for packet in world.copies[before:]] == ["BYE sip:bob@example.com SIP/2.0"] * 2
    world.receive(INVITE.replace("c1", "c9").replace("INVITE", "OPTIONS").replace("z9hG4bK1", "z9hG4bK3"))
    assert len(world.copies) == before + 2


def test_what_is_traced_is_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path, "    KSR.siptrace.sip_trace_mode('t')\n" + RELAY, *HEP)
    world.receive()
    world.now += 700
    before = len(world.copies)
    world.module._follow(next(iter(world.proxy.recorder.records)))
    world.proxy.now = world.now
    world.module._follow(next(iter(world.proxy.recorder.records)))
    assert len(world.copies) == before + 1
    assert len(world.module._branches) == 1


def test_all_messages(tmp_path: Path) -> None:
    more = "def ksr_siptrace_msg(msg, name):\n    if KSR.pv.get('$rs') == 100:\n        KSR.set_drop()\n    return 1\n"
    world = World(tmp_path, RELAY, *HEP, "siptrace:trace_mode=5", "siptrace:evcb_msg=ksr_siptrace_msg", more=more)
    world.receive()
    world.answer(200)
    heps = [first(packet) for packet in world.copies if packet[:4] == b"HEP3"]
    assert heps == ["INVITE sip:bob@example.com SIP/2.0"] * 2 + ["SIP/2.0 200 X"] * 2
    assert INVITE.encode() in world.copies
    world.module.rpc_status(["off"])
    before = len(world.copies)
    world.receive(INVITE.replace("z9hG4bK1", "z9hG4bK2"))
    assert len(world.copies) == before


@pytest.fixture
def db(tmp_path: Path) -> Any:
    with Database.open(f"{tmp_path}/db") as opened:
        yield opened


def test_rows(tmp_path: Path, db: Database) -> None:
    lines = (
        "    KSR.pv.sets('$avp(u)', 'joe')\n    KSR.pv.sets('$avp(u)', 'jim')\n    KSR.siptrace.sip_trace_mode('t')\n"
    )
    world = World(tmp_path, lines + RELAY, "siptrace:trace_on=1", "siptrace:traced_user_avp=$avp(u)", db=db)
    world.receive()
    world.answer(200)
    rows = db.query(
        "SELECT time_us, callid, traced_user, method, status, fromip, toip, fromtag, totag, direction FROM sip_trace"
    )
    assert rows[0] == (
        0x1BFAC, "c1", "jim", "INVITE", "", "udp:127.0.0.1:39784", "udp:127.0.0.1:5060", "f1", "", "in",
    )  # fmt: skip
    assert [(row[2], row[4], row[9]) for row in rows] == [
        (user, status, way)
        for status, way in (("", "in"), ("100", "out"), ("", "out"), ("200", "in"), ("200", "out"))
        for user in ("jim", "joe")
    ]
    ((stamp, msg),) = db.query("SELECT time_stamp, msg FROM sip_trace WHERE id = 1")
    assert msg == INVITE.encode()
    assert round((stamp - 2440587.5) * 86400) == 0x6B041931


def test_another_table_and_one_that_is_none(tmp_path: Path, db: Database) -> None:
    db.execute("CREATE TABLE other AS SELECT * FROM sip_trace")
    for name, result in (("other", 1), ("nope", -1), ("x y", -1)):
        lines = f"    KSR.pv.sets('$avp(t)', '{name}')\n    results.append(KSR.siptrace.sip_trace())\n"
        world = World(tmp_path, lines, "siptrace:trace_on=1", "siptrace:trace_table_avp=$avp(t)", db=db)
        world.receive()
        module: Any = world.script.module
        assert module.results == [result]
    assert db.query("SELECT count(*) FROM other") == [(1,)]


def test_a_sandbox_sends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, RELAY, *HEP)
    world.receive()
    world.proxy.sandbox = True
    before = len(world.copies)
    fork = world.module.fork(world.proxy)
    run = world.proxy.fake_run()
    assert fork.sip_trace_mode(run, "t") == 1
    assert fork.hlog(run, "x") == 1
    assert len(world.copies) == before
    assert not world.module._branches


def test_status(tmp_path: Path) -> None:
    module = World(tmp_path, RELAY).module
    assert [module.rpc_status([word]) for word in ("check", "on", "CHECK", "off")] == [
        "Disabled", "Enabled", "Enabled", "Disabled",
    ]  # fmt: skip
    for params in ([], ["maybe"]):
        with pytest.raises(RpcError):
            module.rpc_status(params)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (["trace_on=1"], "needs a database"),
        (["trace_mode=1"], "needs duplicate_uri"),
        (["hep_version=4"], "1, 2 or 3"),
        (["xheaders_read=1"], "can only be 0"),
        (["duplicate_uri=blah"], "expects a SIP URI"),
        (["traced_user_avp=$ru"], "expects an AVP"),
        (["send_sock_name=x"], "no listen socket is named x"),
        (["send_sock_addr=x"], "expects a SIP URI"),
    ],
)
def test_parameters_that_cannot_be(params: list[str], text: str) -> None:
    with pytest.raises(ParamError, match=text):
        make_proxy(
            transmit=lambda data, dest: True, listens=[LISTEN], modparams=[f"siptrace:{param}" for param in params]
        )


def test_a_text_as_a_message(tmp_path: Path) -> None:
    lines = "".join(
        f"    results.append(KSR.siptrace.sip_trace_msg({args}))\n"
        for args in (
            "'INVITE x', 'udp:10.0.0.1:5061', 'tcp:[2001:db8::1]:5062', 'sip:127.0.0.1:9060', 'corr'",
            "'INVITE x', 'udp:10.0.0.1:5061', 'udp:10.0.0.2:5062', 'sip:127.0.0.1:9060', 'corr'",
            "'INVITE x', 'udp:10.0.0.1', 'udp:10.0.0.2:5062', 'sip:127.0.0.1:9060', ''",
            "'INVITE x', 'udp:10.0.0.1:1', 'udp:10.0.0.2:99999', 'sip:127.0.0.1:9060', ''",
            "'INVITE x', 'udp:10.0.0.1:1', 'udp:10.0.0.2:2', 'nowhere', ''",
            "'', 'udp:10.0.0.1:1', 'udp:10.0.0.2:2', 'sip:127.0.0.1:9060', ''",
        )
    )
    world = World(tmp_path, lines, *HEP)
    world.receive()
    assert world.script.module.results[1:] == [1, -1, -1, -1, -1]
    message = decode(world.copies[-1]).message
    ends = (message.src_ip, message.src_port, message.dst_ip, message.dst_port)
    assert ends == ("10.0.0.1", 5061, "10.0.0.2", 5062)
    assert message.data == b"INVITE x"
