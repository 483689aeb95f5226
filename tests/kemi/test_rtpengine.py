"""KSR.rtpengine against a peer that speaks ng; how it agrees with Kamailio is in tests/parity/cases/rtpengine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError, RpcError
from ksrcore.store.database import Database
from lab.ngpeer import NgPeer, decode
from lab.sequence import Bench

SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
OFFER = {"method": "INVITE", "fields": ["Content-Type: application/sdp"], "body": SDP}
PARAMS = ["rtpengine:rtpengine_tout_ms=30", "rtpengine:rtpengine_retr=1", "rtpengine:rtp_inst_pvar=$var(inst)"]


@pytest.fixture
def peers() -> Iterator[list[NgPeer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(NgPeer()) for _ in range(2)]


class Lab:
    """A bench with both peers in set 0 and the second in set 9."""

    def __init__(self, peers: list[NgPeer], *params: str) -> None:
        one, two = peers
        self.bench = Bench(
            [
                *PARAMS,
                f"rtpengine:rtpengine_sock={one.url} {two.url}",
                f"rtpengine:rtpengine_sock=9 == {two.url}",
                *params,
            ]
        )
        for peer in peers:
            peer.take()
        self.peers = peers
        self.module: Any = self.bench.proxy.modules["rtpengine"]
        self.ksr = self.bench.ksr.rtpengine

    def asked(self) -> list[list[dict[str, Any]]]:
        return [[decode(data) for data in peer.take()] for peer in self.peers]


@pytest.fixture
def lab(peers: list[NgPeer]) -> Iterator[Lab]:
    lab = Lab(peers)
    yield lab
    lab.module.stop()


def body(bench: Bench) -> str:
    msg = bench.run.msg
    return msg.lumps.apply(msg.buf, msg.body_at, len(msg.buf), None)  # type: ignore[arg-type]


def test_an_offer(lab: Lab) -> None:
    lab.bench.make({**OFFER, "callid": "b"})
    assert lab.ksr.rtpengine_offer("force ICE=remove via-branch=1") == 1
    assert lab.asked()[0] == [
        {
            "supports": ["load limit"],
            "sdp": SDP,
            "ICE": "remove",
            "flags": ["force"],
            "call-id": "b",
            "via-branch": "z9hG4bK1",
            "received-from": ["IP4", "127.0.0.1"],
            "from-tag": "f1",
            "command": "offer",
        }
    ]
    assert body(lab.bench) == SDP.replace("c=IN IP4 10.0.0.1", "c=IN IP4 127.0.0.1").replace("4000", "24000")
    assert lab.bench.ksr.pv.get("$var(inst)") == lab.peers[0].url


@pytest.mark.parametrize(
    ("call", "command", "more"),
    [
        ("play_dtmf('code=5')", "play DTMF", {"code": "5", "from-tag": "f1", "to-tag": "t1"}),
        ("play_media2('db-id=7', 'none')", "play media", {"db-id": "7", "from-tag": "f1", "to-tag": "t1"}),
        ("rtpengine_connect('to-call-id=y')", "connect", {"to-call-id": "y", "from-tag": "f1", "to-tag": "t1"}),
        ("rtpengine_connect0()", "connect", {"from-tag": "f1", "to-tag": "t1"}),
        ("rtpengine_connect2('', 'none')", "connect", {"from-tag": "f1", "to-tag": "t1"}),
        ("start_forwarding0()", "start forwarding", {}),
        ("start_forwarding('directional')", "start forwarding", {"from-tag": "f1"}),
        ("stop_forwarding2('all', '')", "stop forwarding", {"flags": ["all"]}),
        ("rtpengine_delete2('to-tag', '1')", "delete", {"via-branch": "z9hG4bK1", "from-tag": "f1", "to-tag": "t1"}),
        ("rtpengine_query2('', 'auto')", "query", {"via-branch": "z9hG4bK1", "from-tag": "f1", "to-tag": "t1"}),
        ("rtpengine_manage2('', '1')", "delete", {"via-branch": "z9hG4bK1", "from-tag": "f1"}),
        ("block_dtmf2('from-tag=x', '')", "block DTMF", {"from-tag": "x"}),
    ],
)  # fmt: skip
def test_functions_of_later_versions(lab: Lab, call: str, command: str, more: dict[str, Any]) -> None:
    lab.bench.make({"method": "BYE", "to": "<sip:bob@ex.com>;tag=t1"})
    assert eval(f"ksr.{call}", {"ksr": lab.ksr}) == 1
    (asked,) = (command for peer in lab.asked() for command in peer)
    expected = {"supports": ["load limit"], "call-id": "c1", "received-from": ["IP4", "127.0.0.1"], "command": command}
    assert asked == {**expected, **more}


def test_offers_of_later_versions(lab: Lab) -> None:
    lab.bench.make({**OFFER, "to": "<sip:bob@ex.com>;tag=t1"})
    assert lab.ksr.rtpengine_offer2("force", "1") == 1
    assert lab.ksr.rtpengine_answer2("force", "none") == 1
    assert lab.ksr.rtpengine_offer2("", "bad") == -1
    offer, answer = (command for peer in lab.asked() for command in peer)
    assert (offer["via-branch"], offer["flags"], offer["command"]) == ("z9hG4bK1", ["force"], "offer")
    assert ("via-branch" in answer, answer["from-tag"], answer["to-tag"]) == (False, "t1", "f1")


def test_a_silent_node_is_not_asked_twice(peers: list[NgPeer]) -> None:
    """Kamailio asks it thirty times when rtpengine_allow_op is 1."""
    lab = Lab(peers, "rtpengine:rtpengine_allow_op=1")
    lab.bench.make({**OFFER, "callid": "b"})
    assert lab.ksr.rtpengine_offer0() == 1
    lab.asked()
    peers[0].reset({"query": ["silent"]})
    peers[0].repeats = True
    assert lab.ksr.rtpengine_query0() == -1
    assert len(peers[0].take()) == 1
    lab.module.stop()


def test_a_set_is_chosen_for_one_message(lab: Lab) -> None:
    lab.bench.make({**OFFER, "callid": "b"})
    assert lab.ksr.set_rtpengine_set2(0, 9) == 1
    assert lab.ksr.rtpengine_offer0() == 1
    one, two = lab.asked()
    assert (one[0]["sdp"], "24000" in two[0]["sdp"]) == (SDP, True)
    assert "m=audio 44000" in body(lab.bench)
    lab.bench.make({**OFFER, "callid": "b"})
    assert lab.ksr.rtpengine_query0() == 1
    assert list(map(len, lab.asked())) == [1, 0]


def test_a_sandbox_sends_nothing(lab: Lab) -> None:
    lab.bench.make({**OFFER, "callid": "b"})
    assert lab.ksr.rtpengine_offer0() == 1
    lab.asked()
    fork: Any = lab.module.fork(lab.bench.proxy)
    lab.bench.proxy.sandbox = True
    assert lab.ksr.rtpengine_query0() == -1
    assert fork.rtpengine_query0(lab.bench.run) == -1
    assert fork.rpc_ping(["all"])["status"] == "fail"
    assert fork.rpc_enable(["all", 0])["status"] == "disable"
    fork.calls.remove("b", "")
    lab.bench.proxy.sandbox = False
    assert [node["disabled"] for node in lab.module.rpc_show(["all"])] == [0, 0, 0]
    assert lab.module.rpc_get_hash_total([]) == 1
    assert lab.asked() == [[], []]


def test_next_branch_is_the_one_that_goes_out(lab: Lab) -> None:
    bench = lab.bench
    bench.make({**OFFER, "ruri": "sip:bob@127.0.0.1:5999"})
    assert lab.ksr.rtpengine_query("via-branch=next") == 1
    assert lab.ksr.rtpengine_query("via-branch=auto-next") == 1
    assert bench.ksr.tm.t_relay() == 1
    branches = {command["via-branch"] for peer in lab.asked() for command in peer}
    sent = next(text for text in bench.sent if text.startswith("INVITE"))
    assert branches == {sent.partition("branch=")[2].partition("\r\n")[0].partition(";")[0]}


def test_the_sdp_may_be_anything_that_rtpengine_takes(lab: Lab) -> None:
    lab.bench.make({**OFFER, "fields": [], "body": "x\xff"})
    assert lab.ksr.rtpengine_offer0() == 1
    assert lab.ksr.rtpengine_manage0() == -1


@pytest.mark.parametrize(
    ("param", "said"),
    [
        ("rtpengine_sock=ws://127.0.0.1:1/", "over WebSocket is not supported"),
        ("rtpengine_sock=127.0.0.1:1", "expected udp:HOST:PORT"),
        ("rtpengine_sock=1 ==", "the set has no rtpengines"),
        ("rtpengine_sock=x == udp:127.0.0.1:1", "a set is a number, got 'x'"),
        ("rtpengine_sock=udp:127.0.0.1:1=x", "the weight of udp:127.0.0.1:1 is a number, got 'x'"),
        ("wsapi=lwsc", "wsapi can only be ''"),
        ("hash_algo=3", "hash_algo expects 0, 1 or 2, got 3"),
        ("queried_nodes_limit=0", "queried_nodes_limit expects 1 to 30, got 0"),
        ("rtpengine_retr=0", "expect numbers from 1"),
        ("setid_avp=$var(x)", r"setid_avp expects an AVP such as \$avp\(setid\)"),
        ("rtp_inst_pvar=$ci", "rtp_inst_pvar expects a variable that can be written, got '\\$ci'"),
        ("write_sdp_pv=x", "write_sdp_pv expects a variable"),
        ("mos_min_at_B_pv=$ci", "mos_min_at_B_pv expects a variable that can be written"),
        ("mos_A_label_pv=x", "mos_A_label_pv expects a variable"),
        ("extra_id_pv=x", "extra_id_pv expects a variable"),
    ],
)
def test_parameters_that_are_refused(param: str, said: str) -> None:
    with pytest.raises(ParamError, match=said):
        Bench([f"rtpengine:{param}"])


def test_nodes_from_the_database(peers: list[NgPeer], tmp_path: Path) -> None:
    one, two = peers
    path = tmp_path / "db.sqlite"
    db = Database.open(f"sqlite:///{path}")
    db.execute(
        "CREATE TABLE IF NOT EXISTS rtpengine (id INTEGER PRIMARY KEY NOT NULL, setid INTEGER DEFAULT 0 NOT NULL, "
        "url VARCHAR(64) NOT NULL, weight INTEGER DEFAULT 1 NOT NULL, disabled INTEGER DEFAULT 0 NOT NULL)"
    )
    for row in ((0, one.url, 1, 0), (0, two.url, 5, 1), (4, two.url, 1, 0)):
        db.execute("INSERT INTO rtpengine (setid, url, weight, disabled) VALUES (?, ?, ?, ?)", row)
    bench = Bench([*PARAMS, f"rtpengine:db_url=sqlite:///{path}"], db=db)
    module: Any = bench.proxy.modules["rtpengine"]
    assert [(n["set"], n["url"], n["weight"], n["disabled"]) for n in module.rpc_show(["all"])] == [
        (0, one.url, 1, 0),
        (0, two.url, 5, "1(permanent)"),
        (4, two.url, 1, 0),
    ]
    assert [len(peer.take()) for peer in peers] == [1, 1]
    bench.make({**OFFER, "callid": "b"})
    assert bench.ksr.rtpengine.rtpengine_offer0() == 1
    db.execute("DELETE FROM rtpengine WHERE url = ?", (one.url,))
    db.execute("UPDATE rtpengine SET disabled = 0, weight = 2")
    assert module.rpc_reload([]) == "Ok. Reload successful."
    assert [(n["set"], n["url"], n["weight"], n["disabled"]) for n in module.rpc_show(["all"])] == [
        (0, two.url, 2, 0),
        (4, two.url, 2, 0),
    ]
    assert bench.ksr.rtpengine.rtpengine_query0() == -1  # the call's node is gone
    with pytest.raises(RpcError, match="Too short reload interval"):
        module.rpc_reload([])
    bench.proxy.now += 11
    db.execute("UPDATE rtpengine SET url = 'nonsense'")
    with pytest.raises(RpcError, match="Failed reloading db"):
        module.rpc_reload([])
    module.stop()


def test_a_database_without_the_table() -> None:
    with pytest.raises(ParamError, match="modparam rtpengine:db_url: .*no such table: rtpengine"):
        Bench(["rtpengine:db_url=sqlite:///:memory:"])
