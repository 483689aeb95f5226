"""KSR.dmq and htable over it: nodes that talk to each other, and requests as of Kamailio 5.6.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Listen, Rcv
from lab.sequence import Bench
from tm.playbook import Playbook, Sent

SCRIPT = """
def ksr_request_route(self, msg):
    self.result = None
    if KSR.is_method("KDMQ"):
        self.result = KSR.dmq.handle_message_rc(7)
    else:
        self.result = KSR.dmq.t_replicate_mode(1)
    return 1
"""


class Cluster:
    """Nodes 10.0.0.1, 10.0.0.2 ...; ``run(seconds)`` brings what they send to each other. ``log``: first line and body
    of each request, by who sent it."""

    def __init__(self, tmp_path: Path, *params: tuple[str, ...]) -> None:
        self.nodes: dict[str, Playbook] = {}
        self.log: list[tuple[str, str, str]] = []
        self.dead: set[str] = set()
        for number, more in enumerate(params, 1):
            ip = f"10.0.0.{number}"
            folder = tmp_path / ip
            folder.mkdir()
            wanted = [f"dmq:server_address=sip:{ip}:5060", *more]
            if number > 1:
                wanted.append("dmq:notification_address=sip:10.0.0.1:5060")
            self.nodes[ip] = Playbook(folder, SCRIPT, modparams=wanted, listens=[Listen("udp", ip, 5060)])

    def run(self, seconds: float = 0.5) -> None:
        for _ in range(max(1, int(seconds / 0.5))):
            for book in self.nodes.values():
                self.deliver(book, book.take())
            for book in self.nodes.values():
                self.deliver(book, book.advance(0.5))

    def deliver(self, book: Playbook, sent: list[Sent]) -> None:
        for each in sent:
            own = book.listens[0].host
            if not each.first.startswith("SIP/2.0"):
                self.log.append((own[-1] + each.dest.ip[-1], each.first.split()[1].split("@")[0], each.body))
            other = self.nodes.get(each.dest.ip)
            if other is None or each.dest.ip in self.dead:
                continue
            listen = other.listens[0]
            rcv = Rcv("udp", own, 5060, listen.host, 5060, listen)
            other.proxy.receive(each.text.encode("latin-1"), rcv, other.now)
            self.deliver(other, other.take())

    def take(self) -> list[tuple[str, str, str]]:
        log, self.log = self.log, []
        return log

    def ksr(self, number: int) -> Any:
        script: Any = self.nodes[f"10.0.0.{number}"].proxy.script
        return script.ksr

    def states(self, number: int) -> dict[str, str]:
        book: Any = self.nodes[f"10.0.0.{number}"]
        return {node["host"][-1]: node["status"] for node in Bench.rpc(book, "dmq.list_nodes")}

    def rpc(self, number: int, name: str, *params: Any) -> Any:
        book: Any = self.nodes[f"10.0.0.{number}"]
        return Bench.rpc(book, name, *params)


def test_nodes_find_each_other(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), (), ())
    cluster.run(2)
    for number in (1, 2, 3):
        assert cluster.states(number) == {"1": "active", "2": "active", "3": "active"}
    assert cluster.take()[0] == ("21", "sip:notification_peer", "sip:10.0.0.2:5060;status=active\r\n")
    assert cluster.ksr(2).dmq.bcast_message("chan", "body", "text/x") == 1
    cluster.run()
    assert sorted(cluster.take()) == [("21", "sip:chan", "body"), ("23", "sip:chan", "body")]
    dmq = cluster.ksr(2).dmq
    assert dmq.send_message("chan", "sip:10.0.0.1:5060", "one", "text/x") == 1
    assert dmq.send_message("chan", "sip:10.0.0.9:5060", "one", "text/x") == -1
    assert dmq.send_message("chan", "nonsense", "one", "text/x") == -1
    assert dmq.bcast_message("", "x", "y") == -1
    cluster.run()
    assert cluster.take() == [("21", "sip:chan", "one")]


def test_the_request(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), ())
    (sent,) = cluster.nodes["10.0.0.2"].advance(0.1)
    lines = sent.plain.split("\n")
    assert lines[0] == "KDMQ sip:notification_peer@10.0.0.1:5060 SIP/2.0"
    assert [line.split(":")[0] for line in lines[1:-3]] == [
        "Via", "To", "From", "CSeq", "Call-ID", "Content-Length", "User-Agent", "Max-Forwards", "Content-Type",
    ]  # fmt: skip
    assert sent.header("To") == ["<sip:notification_peer@10.0.0.1:5060>"] and sent.header("Max-Forwards") == ["2"]
    assert sent.header("From")[0].startswith("<sip:notification_peer@10.0.0.2:5060>;tag=")
    assert (sent.header("CSeq"), sent.header("Content-Type")) == (["10 KDMQ"], ["text/plain"])
    assert sent.body == "sip:10.0.0.2:5060;status=active\r\n"


def kdmq(channel: str, body: str, number: int = 1) -> str:
    return (
        f"KDMQ sip:{channel}@10.0.0.1:5060 SIP/2.0\n"
        f"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{channel}{number}{len(body)}\n"
        f"To: <sip:{channel}@10.0.0.1:5060>\nFrom: <sip:{channel}@10.0.0.2:5060>;tag=1\nCSeq: 10 KDMQ\n"
        f"Call-ID: {number}\nContent-Length: {len(body)}\nMax-Forwards: 1\n"
        f"Content-Type: text/plain\n\n{body}"
    )


def test_what_others_say(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), ())
    cluster.run(1)
    book = cluster.nodes["10.0.0.1"]
    body = "sip:10.0.0.7:5062;transport=tcp;status=active sip:10.0.0.8;status=pending garbage sip:h;status=weird"
    (sent,) = book.feed(kdmq("notification_peer", body.replace(" ", "\r\n")), "10.0.0.2")
    assert sent.first == "SIP/2.0 200 OK" and sent.header("Content-Type") == ["text/plain"]
    assert sent.body == (
        "sip:10.0.0.7:5062;transport=tcp;status=active\r\nsip:10.0.0.2:5060;status=active\r\n"
        "sip:10.0.0.1:5060;status=active\r\n"
    )
    assert cluster.rpc(1, "dmq.list_nodes")[1] == {
        "host": "10.0.0.7", "port": "5062", "proto": "tcp", "resolved_ip": "10.0.0.7", "status": "active",
        "last_notification": 0, "local": 0,
    }  # fmt: skip
    book.feed(kdmq("notification_peer", "sip:10.0.0.2:5060;status=disabled", 2), "10.0.0.2")
    assert cluster.states(1)["2"] == "disabled"
    (sent,) = book.feed(kdmq("nosuch", "x"), "10.0.0.2")
    assert sent.first == "SIP/2.0 404 User Not Found"
    script: Any = book.proxy.script
    assert script.handler.result == 7
    assert cluster.rpc(1, "dmq.remove", "sip:10.0.0.2:5060") == "Ok. DMQ node removed."
    assert cluster.rpc(1, "dmq.remove", "sip:10.0.0.1:5060") == "Ok. DMQ node removed."
    assert "2" not in cluster.states(1) and "1" in cluster.states(1)
    assert cluster.rpc(1, "dmq.remove", "xx") == "error 500: Failure"
    assert cluster.rpc(1, "dmq.remove") == "error 500: Invalid Parameters"


def test_who_does_not_answer(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), (), ())
    cluster.run(2)
    cluster.dead.update(("10.0.0.1", "10.0.0.3"))
    assert cluster.ksr(2).dmq.bcast_message("chan", "x", "y") == 1
    cluster.run(35)
    assert cluster.states(2) == {"1": "pending", "2": "active", "3": "disabled"}
    cluster.run(60)
    assert cluster.states(2) == {"1": "pending", "2": "active"}
    cluster.dead.clear()
    cluster.run(60)
    assert cluster.states(2)["1"] == "active"


OPTIONS = """OPTIONS sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP {src};branch=z9hG4bKo{n}
From: <sip:alice@10.0.0.2>;tag=a
To: <sip:bob@10.0.0.3>
Call-ID: o{n}
CSeq: 1 OPTIONS
Content-Length: 0

"""


def test_replicated_requests(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), (), ())
    cluster.run(2)
    book = cluster.nodes["10.0.0.1"]
    sent = book.feed(OPTIONS.format(src="10.0.0.99", n=1), "10.0.0.99")
    assert sorted((s.first, s.dest.ip) for s in sent) == [
        ("OPTIONS sip:bob@10.0.0.1 SIP/2.0", "10.0.0.2"),
        ("OPTIONS sip:bob@10.0.0.1 SIP/2.0", "10.0.0.3"),
    ]
    script: Any = book.proxy.script
    assert script.handler.result == 0
    module: Any = book.proxy.modules["dmq"]
    results: list[int] = []
    script.handler.__class__.ksr_request_route = lambda self, msg: results.extend(
        (module.is_from_node(book.proxy.env.run), module.t_replicate(book.proxy.env.run))
    )
    script.forget_callbacks()
    book.feed(OPTIONS.format(src="10.0.0.2", n=2), "10.0.0.2")
    book.feed(OPTIONS.format(src="10.0.0.98", n=3), "10.0.0.98")
    assert results == [1, -1, -1, 0]


TABLE = ("htable:htable=t=>size=4;dmqreplicate=1;autoexpire=60", "htable:htable=own=>size=4", "htable:enable_dmq=1")


def test_tables_that_are_the_same(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, TABLE, (*TABLE, "htable:dmq_init_sync=1"))
    one, two = cluster.ksr(1), cluster.ksr(2)
    one.htable.sht_sets("t", "before", "x")
    one.htable.sht_seti("t", "number", 4)
    cluster.run(1)
    assert (two.htable.sht_get("t", "before"), two.htable.sht_get("t", "number")) == ("x", 4)
    cluster.take()
    for call, args in (
        ("sht_sets", ("t", "a", 'b"q\\x/\u00e9')),
        ("sht_setxi", ("t", "y", 1, 40)),
        ("sht_inc", ("t", "y")),
        ("sht_setex", ("t", "y", 20)),
        ("sht_rm", ("t", "before")),
        ("sht_rm_name_re", ("t", "^n")),
        ("sht_rm_value", ("t", "sw", "zz")),
        ("sht_sets", ("own", "a", "b")),
    ):
        getattr(two.htable, call)(*args)
        cluster.run()
    head = '{"action":'
    assert [body for who, channel, body in cluster.take() if channel == "sip:htable"] == [
        head + '2,"htname":"t","cname":"a","type":2,"strval":"b\\"q\\\\x/\u00c3\u00a9","mode":1}',
        head + '2,"htname":"t","cname":"y","type":0,"intval":1,"mode":1}',
        head + '3,"htname":"t","cname":"y","type":0,"intval":40,"mode":0}',
        head + '2,"htname":"t","cname":"y","type":0,"intval":2,"mode":1}',
        head + '3,"htname":"t","cname":"y","type":0,"intval":20,"mode":0}',
        head + '4,"htname":"t","cname":"before","mode":0}',
        head + '5,"htname":"t","type":2,"strval":"^n","mode":0}',
        head + '6,"htname":"t","type":2,"strval":"zz","mode":1}',
    ]
    assert [one.htable.sht_get("t", key) for key in ("a", "y", "before", "number")] == ['b"q\\x/\u00e9', 2, None, None]
    assert 15 <= one.pv.get("$shtex(t=>y)") <= 20
    assert one.htable.sht_get("own", "a") is None


def test_what_cannot_be_done_in_a_table(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, TABLE, TABLE)
    cluster.run(1)
    book = cluster.nodes["10.0.0.1"]
    for number, body in enumerate(
        (
            "nonsense",
            "[]",
            '{"action":2,"htname":"zz"}',
            '{"action":9,"htname":"t"}',
            '{"action":5,"htname":"t","strval":"("}',
        )
    ):
        (sent,) = book.feed(kdmq("htable", body, number), "10.0.0.2")
        assert sent.first == "SIP/2.0 500 Server Internal Error"
    cells = '{"cells":[{"htname":"t","cname":"c","type":0,"intval":9,"expire":2000000000},{"htname":"zz"}]}'
    (sent,) = book.feed(kdmq("htable", cells, 9), "10.0.0.2")
    assert sent.first == "SIP/2.0 200 OK" and cluster.ksr(1).htable.sht_get("t", "c") == 9


def test_a_sandbox_has_nodes_of_its_own(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, TABLE, TABLE)
    cluster.run(1)
    proxy = cluster.nodes["10.0.0.1"].proxy
    fork: Any = proxy.modules["dmq"].fork(proxy)
    fork.nodes[0].status = "disabled"
    assert cluster.states(1)["2"] == "active"
    table: Any = proxy.modules["htable"].fork(proxy)
    assert table.tables["t"].tell is None


@pytest.mark.parametrize(
    "params",
    [
        ("dmq:server_address=nonsense",),
        ("dmq:server_address=sip:1.2.3.4:5060",),
        ("dmq:server_address=sip:10.0.0.1:5060", "dmq:multi_notify=1"),
        ("dmq:server_address=sip:10.0.0.1:5060", "dmq:notification_address=x"),
        ("htable:enable_dmq=1",),
    ],
)
def test_bad_parameters(tmp_path: Path, params: tuple[str, ...]) -> None:
    with pytest.raises(ParamError, match="dmq"):
        Playbook(tmp_path, SCRIPT, modparams=params)


def test_a_message_made_up(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (), ())
    cluster.run(2)
    dmq = cluster.ksr(1).dmq
    body = "sip:10.0.0.7:5060;status=active\r\n"
    assert dmq.process_custom_message("notification_peer", "sip:10.0.0.2:5060", body, "text/plain") == 1
    assert "7" in cluster.states(1)
    assert dmq.handle_custom_message("none", "sip:10.0.0.2:5060", body, "text/plain") == -1
    assert dmq.handle_custom_message("notification_peer", "nonsense", body, "text/plain") == -1
