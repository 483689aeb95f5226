"""KSR.dispatcher; what Kamailio 5.6.3 does with the same is compared by tests/parity/cases/dispatcher."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.kemi.declare import ParamError, RpcError
from ksrcore.kemi.dispatcher import Dispatcher
from ksrcore.kemi.dispatcher_list import ListError, Loader, Sets, file_rows
from ksrcore.kemi.dispatcher_select import ds_hash
from ksrcore.net.address import Dest, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.sip.message import parse_message
from lab.observed import LISTENS, UDP, WALL

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK1\r\n"
    "From: <sip:alice@a.com>;tag=f\r\nTo: <sip:bob@b.com>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class Script:
    """Stands in for a script: ``told`` are the events."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def has(self, name: str) -> bool:
        return name == "ksr_event"

    def call(self, run: Run, name: str, *args: str) -> None:
        self.told.append((args[0], run.msg.new_uri or run.msg.ruri))


class World:
    def __init__(self, folder: Path, text: str, *params: str) -> None:
        self.file = folder / "list"
        self.file.write_text(text)
        self.sent: list[tuple[Dest, str]] = []
        self.proxy, self.KSR = make_proxy(
            transmit=self.transmit,
            listens=LISTENS,
            modparams=[f"dispatcher:list_file={self.file}", *params],
            now=10.0,
            wall=WALL,
        )
        self.script = Script()
        self.proxy.script = self.script  # type: ignore[assignment]
        module = self.proxy.modules["dispatcher"]
        assert isinstance(module, Dispatcher)
        self.module = module

    def transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest, data.decode("latin-1")))
        return True

    def request(self, text: str = INVITE, proxy: Proxy | None = None) -> Run:
        proxy = proxy or self.proxy
        rcv = Rcv("udp", "127.0.0.1", 5999, UDP.host, UDP.port, UDP, 0)
        fake = proxy.fake_run()
        run = proxy.env.run = Run(proxy, parse_message(text.encode(), rcv), REQUEST_ROUTE, fake.record, fake.avps)
        return run

    def selected(self, number: int, algorithm: int, **change: str) -> str:
        run = self.request(INVITE.replace("c1", change.get("callid", "c1")))
        self.KSR.dispatcher.ds_select_dst(number, algorithm)
        return run.msg.dst_uri

    def states(self) -> list[str]:
        return [item.state for _, item in self.module.sets.destinations()]

    def answer(self, at: int, code: int, now: float) -> None:
        """A reply to the ``at``-th request sent."""
        dest, text = self.sent[at]
        fields = "\r\n".join(re.findall(r"(?m)^(?:Via|From|To|Call-ID|CSeq):[^\r]*", text))
        reply = f"SIP/2.0 {code} Because\r\n{fields}\r\nContent-Length: 0\r\n\r\n"
        self.proxy.receive(reply.encode(), Rcv("udp", dest.ip, dest.port, UDP.host, UDP.port, UDP, 0), now)


SEVEN = "".join(f"1 sip:10.0.0.{n}:5060\n" for n in range(1, 8))


def test_hashes_as_dispatcher_hash_tells_them() -> None:
    assert ds_hash("alice", "server.com") == 1412806172
    assert ds_hash("alice") == 1834153949
    assert ds_hash("bob", "server.com") == 3883463682
    assert ds_hash("y") == 118
    assert ds_hash("") == 1


def test_call_ids_go_where_kamailio_sends_them(tmp_path: Path) -> None:
    world = World(tmp_path, SEVEN)
    last = {
        "a": 3, "ab": 2, "abc": 1, "abcd": 7, "abcde": 7, "843817637684230@998sdasdh09": 4, "x" * 61: 7,
    }  # fmt: skip
    for callid, number in last.items():
        assert world.selected(1, 0, callid=callid) == f"sip:10.0.0.{number}:5060", callid


def test_a_tree_of_sets_is_told_in_kamailios_order() -> None:
    sets = Sets()
    for number in (1, 2, 3, 5):
        sets.make(number)
    assert [each.id for each in sets] == [1, 5, 3, 2]
    turned = Sets()
    for number in (5, 9, 7):
        turned.make(number)
    assert [each.id for each in turned] == [5, 9, 7]
    other = Sets()
    for number in (9, 5, 7, 6, 8, 4, 3):
        other.make(number)
    assert [each.id for each in other] == [3, 4, 6, 5, 8, 9, 7]
    assert [each.id for each in other.copy()] == [each.id for each in other]


def test_lines_of_the_file() -> None:
    text = "# no\n\n 1 sip:a 8 3 x=y;z more\n2\tsip:b\n3 sip:c w=1\n4 sip:d 0 0 # no"
    assert list(file_rows(text)) == [
        (1, "sip:a", 8, 3, "x=y;z"),
        (2, "sip:b", 0, 0, ""),
        (3, "sip:c", 0, 0, "w=1"),
        (4, "sip:d", 0, 0, ""),
    ]
    with pytest.raises(ListError, match="line 2: expected 'SET URI"):
        list(file_rows("1 sip:a\n8\n"))


def test_host_names_are_resolved_when_the_list_is_read(tmp_path: Path) -> None:
    proxy = World(tmp_path, SEVEN).proxy
    loader = Loader(proxy, {"gw.example": "10.9.9.9"}.get, None, False, False)  # type: ignore[arg-type]
    sets = loader.load(
        [(1, "sip:gw.example", 0, 0, ""), (1, "sip:no.example", 0, 0, ""), (1, "sip:x.example", 16, 0, "")]
    )
    assert [(item.uri, item.ip) for _, item in sets.destinations()] == [
        ("sip:x.example", ""), ("sip:gw.example", "10.9.9.9"),
    ]  # fmt: skip
    assert loader.skipped
    with pytest.raises(ListError, match=r"no\.example cannot be resolved"):
        Loader(proxy, lambda name: "", None, False, True).load([(1, "sip:no.example", 0, 0, "")])


def test_shares_follow_weights(tmp_path: Path) -> None:
    world = World(
        tmp_path, "".join(f"1 sip:10.0.0.{n} 0 0 weight={w};rweight={w}\n" for n, w in ((1, 50), (2, 30), (3, 20)))
    )
    for algorithm in (9, 11):
        counted = Counter(world.selected(1, algorithm) for _ in range(100))
        assert counted == {"sip:10.0.0.1": 50, "sip:10.0.0.2": 30, "sip:10.0.0.3": 20}
    world.module.rpc_set_state(["i", 1, "sip:10.0.0.1"])
    assert Counter(world.selected(1, 11) for _ in range(100)) == {"sip:10.0.0.2": 60, "sip:10.0.0.3": 40}


def test_congestion_lowers_a_share(tmp_path: Path) -> None:
    world = World(tmp_path, "".join(f"1 sip:10.0.0.{n} 0 0 weight=50;rweight=50;cc=1\n" for n in (1, 2)))
    (found,) = world.module.sets
    slow = found.items[0].latency
    slow.average, slow.estimate = 20.0, 45.0
    found.deal_relative(world.proxy.random)
    assert Counter(found.relative) == {0: 33, 1: 67}
    slow.estimate = 90.0
    found.deal_relative(world.proxy.random)
    assert Counter(found.relative) == {1: 100}
    fast = found.items[1].latency
    fast.average, fast.estimate = 20.0, 230.0
    found.deal_relative(world.proxy.random)
    assert Counter(found.relative) == {0: 75, 1: 25}


def test_probes_change_states_and_tell(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        "1 sip:127.0.0.2 9 9\n1 sip:127.0.0.3 0 8 ping_from=sip:me@x\n1 sip:127.0.0.4 4\n"
        "1 sip:127.0.0.5 0 7 obproxy=sip:127.0.0.6:5070\n",
        "dispatcher:ds_ping_interval=5",
        "dispatcher:ds_probing_mode=1",
        "dispatcher:ds_probing_threshold=2",
        "dispatcher:ds_ping_latency_stats=1",
        "dispatcher:event_callback=ksr_event",
    )
    world.proxy.advance(15.0)
    assert [dest.text for dest, _ in world.sent] == ["udp:127.0.0.2:5060", "udp:127.0.0.3:5060", "udp:127.0.0.6:5070"]
    assert "OPTIONS sip:127.0.0.5 SIP/2.0" in world.sent[2][1]
    assert "From: <sip:me@x>;tag=" in world.sent[1][1]
    world.answer(0, 200, 15.02)
    world.answer(1, 500, 15.03)
    assert world.states() == ["AP", "TP", "AX", "DX"]
    assert world.script.told == [("dispatcher:dst-up", "sip:127.0.0.2")]
    world.proxy.advance(20.0)
    at = next(n for n, (_, text) in enumerate(world.sent) if n > 2 and "OPTIONS sip:127.0.0.3" in text)
    world.answer(at, 500, 20.01)
    assert world.states()[1] == "IP"
    assert world.script.told[1:] == [("dispatcher:dst-down", "sip:127.0.0.3")]
    latency = world.module.rpc_list([])["RECORDS"][0]["SET"]["TARGETS"][0]["DEST"]["LATENCY"]
    assert latency == {"AVG": 20, "STD": 0, "EST": 20, "MAX": 20, "TIMEOUT": 0}
    world.module.rpc_ping_active([0])
    known = {re.findall("Call-ID: (.*)\r", text)[0] for _, text in world.sent}
    world.proxy.advance(25.0)
    assert {re.findall("Call-ID: (.*)\r", text)[0] for _, text in world.sent} == known


def test_a_probe_without_a_reply_counts_as_a_failure(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        "1 sip:127.0.0.2 8\n",
        "dispatcher:ds_ping_interval=5",
        "dispatcher:ds_ping_latency_stats=1",
        "dispatcher:ds_ping_reply_codes=class=3;code=404",
        "tm:fr_timer=1000",
    )
    world.proxy.advance(15.0)
    world.answer(0, 404, 15.0)
    assert world.states() == ["AX"]
    world.module.rpc_set_state(["ap", 1, "sip:127.0.0.2"])
    world.proxy.advance(20.0)
    for now in (20.5, 21.0, 21.5, 22.0):
        world.proxy.advance(now)
    assert world.states() == ["IX"]
    (dest,) = (item for _, item in world.module.sets.destinations())
    assert dest.latency.timeout == 1


def test_a_sandbox_has_its_own_states_and_calls(tmp_path: Path) -> None:
    world = World(
        tmp_path, SEVEN.replace(":5060\n", " 0 0 duid=x\n"), "dispatcher:flags=2", "dispatcher:ds_hash_size=2"
    )
    world.selected(1, 10)
    fork = world.module.fork(world.proxy)
    run = world.request()
    fork.ds_select_dst(run, 1, 4)
    fork.ds_mark_dst(run)
    fork.loads.remove("c1")
    assert world.states() == ["AX"] * 7
    assert sum(item.load for _, item in world.module.sets.destinations()) == 1
    assert sum(item.load for _, item in fork.sets.destinations()) == 0
    assert not world.sent


def test_calls_whose_end_is_never_seen_are_forgotten(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        "1 sip:10.0.0.1 0 0 duid=a\n",
        "dispatcher:ds_hash_size=2",
        "dispatcher:ds_hash_initexpire=10",
        "dispatcher:ds_hash_expire=100",
        "dispatcher:ds_hash_check_interval=1",
    )
    world.selected(1, 10, callid="one")
    world.selected(1, 10, callid="two")
    reply = INVITE.replace("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK").replace("c1", "two")
    assert world.module.ds_load_update(world.request(reply)) == 0
    (item,) = (item for _, item in world.module.sets.destinations())
    assert item.load == 2
    world.proxy.advance(25.0)
    assert item.load == 1
    world.proxy.advance(125.0)
    assert item.load == 0


def test_without_a_list_there_are_no_sets() -> None:
    proxy, KSR = make_proxy(transmit=lambda data, dest: True, listens=LISTENS)
    proxy.env.run = proxy.fake_run()
    assert KSR.dispatcher.ds_select_dst(1, 4) == -1
    module = proxy.modules["dispatcher"]
    assert isinstance(module, Dispatcher)
    with pytest.raises(RpcError, match="No Destination Sets"):
        module.rpc_list([])


@pytest.mark.parametrize(
    ("param", "text"),
    [
        ("list_file=/nonexistent/list", "no destinations"),
        ("ds_ping_reply_codes=4xx", "class=2;code=403"),
        ("ds_dns_mode=8", "SRV"),
        ("ds_default_socket=udp:1.1.1.1:1", "none of the listen sockets"),
        ("ds_default_sockname=x", "no listen socket is named x"),
        ("hash_pvar=$nope(x)", "expect variables"),
        ("ds_db_extra_attrs=x", "name=column"),
    ],
)
def test_parameters_that_cannot_be(param: str, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        make_proxy(transmit=lambda data, dest: True, listens=LISTENS, modparams=[f"dispatcher:{param}"])


def test_addresses_are_looked_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = iter(["10.0.0.1", "10.0.0.2", ""])

    def getaddrinfo(name: str, *rest: Any, **more: Any) -> Any:
        address = next(addresses)
        if name != "gw.example" or not address:
            raise OSError
        return [(2, 2, 17, "", (address, 0))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    params = ("dispatcher:ds_dns_mode=4", "dispatcher:ds_dns_interval=30")
    world = World(tmp_path, "1 sip:gw.example\n1 sip:10.0.0.9\n", *params)

    def now() -> list[str]:
        return sorted(item.ip for _, item in world.module.sets.destinations())

    assert now() == ["10.0.0.1", "10.0.0.9"]
    for later in (29.0, 31.0, 31.0, 60.0, 62.0):
        world.proxy.advance(10.0 + later)
    assert now() == ["10.0.0.2", "10.0.0.9"]
    assert next(addresses, None) is None


def test_functions_that_wait(tmp_path: Path) -> None:
    assert list(World(tmp_path, "").module.waits()) == ["ds_is_from_list_uri"]
    assert len(World(tmp_path, "", "dispatcher:ds_dns_mode=2").module.waits()) == 4
