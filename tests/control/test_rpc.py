"""The RPC commands of the core: Kamailio's names, shapes, errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.control.rpc import commands
from ksrcore.control.rpc_core import memory
from ksrcore.kemi.declare import RpcError
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy

UDP = Listen("udp", "127.0.0.1", 5060)
OUT = Listen("tcp", "127.0.0.1", 5060, "9.9.9.9", 99, "out")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    before = logging.getLogger().level
    made, _ = make_proxy(
        transmit=lambda data, dest: True, listens=[UDP, OUT], aliases=["a.b", "tcp:c.d:5080"], now=5.0, wall=100.0
    )
    made.defines |= {"WITH_A": "", "N": "5"}
    yield made
    logging.getLogger().setLevel(before)


Ask = Any


@pytest.fixture
def ask(proxy: Proxy) -> Ask:
    known = commands(proxy)
    return lambda name, *params: known[name](list(params))


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (("core.echo", "a", 5, 2.5), ["a", "5", "2"]),
        (("core.printi", 5, "x", -7), [5, 0, -7]),
        (("core.prints", "a", 5, "b"), ["a"]),
        (("core.ppdefines",), ["WITH_A", "N"]),
        (
            ("core.ppdefines_full",),
            [{"name": "WITH_A", "type": 0, "value": "none"}, {"name": "N", "type": 0, "value": "5"}],
        ),
        (
            ("core.aliases_list",),
            {
                "myself_callbacks": "no",
                "aliases": [
                    {"alias": {"proto": "tcp", "address": "c.d", "port": 5080}},
                    {"alias": {"proto": "*", "address": "a.b", "port": "*"}},
                ],
            },
        ),
        (
            ("corex.list_aliases",),
            [{"PROTO": "tcp", "ADDR": "c.d", "PORT": 5080}, {"PROTO": "*", "ADDR": "a.b", "PORT": 0}],
        ),
        (("core.tcp_list",), []),
        (("core.udp4_raw_info",), {"udp4_raw": 0, "udp4_raw_mtu": 1500, "udp4_raw_ttl": 64}),
        (("corex.shm_status",), {}),
        (("cfg.list", "maxfwd"), ["maxfwd: max_limit"]),
        (("cfg.list", "nosuch"), []),
        (("cfg.get", "maxfwd"), {"max_limit": 70}),
        (("cfg.get", "nosuch"), {}),
        (("cfg.help", "tm"), {}),
        (("cfg.seti", "tm", "fr_timer"), {}),
        (("stats.get_statistics", "pike:"), ["pike:blocked_ips = 0"]),
        (("stats.get_statistics", "sent_replies", "nosuch", "sl:200_replies"), ["sl:sent_replies = 0"]),
        (("stats.fetch", "sl.200_replies"), {"sl.200_replies": "0"}),
        (("stats.fetchn", "dns:"), {"dns.failed_dns_request": 0, "dns.slow_dns_request": 0}),
        (("stats.clear_statistics", "nosuch"), {}),
    ],
)
def test_results(ask: Ask, call: tuple[Any, ...], result: Any) -> None:
    assert ask(*call) == result


def test_sockets(ask: Ask) -> None:
    first, second = ask("core.sockets_list")
    assert first == {
        "socket": {
            "proto": "udp", "address": "127.0.0.1", "ipaddress": "127.0.0.1", "port": "5060", "mcast": "no",
            "mhomed": "no", "virtual": "no",
        }
    }  # fmt: skip
    assert second["socket"]["proto"] == "tcp"
    assert [(row["SOCKNAME"], row["ADVERTISE"]) for row in ask("corex.list_sockets")] == [
        ("-", "-"),
        ("out", "9.9.9.9"),
    ]


def test_the_process(ask: Ask) -> None:
    pid = os.getpid()
    assert ask("core.ps")[0] == ask("core.psx")[0]["PID"] == ask("core.psa")[0]["pid"] == pid
    assert ask("core.pwd") == [os.getcwd()]
    assert ask("core.runinfo")["utime_days"] == "0d 0h 0m 0s"
    assert ask("core.info")["version"].startswith("ksrshell ")
    assert ask("core.arg") and ask("core.modules")[-1] == "pv"
    assert ask("core.tcp_info")["opened_connections"] == 0
    assert ask("core.tcp_options")["connection_lifetime"] == 120
    sizes = memory()
    assert 0 < sizes["used"] <= sizes["real_used"] <= sizes["max_used"] < sizes["total"]
    assert ask("core.shmmem", "m")["total"] == ask("shm.stats")["total"] >> 20
    assert ask("pkg.stats", "pid", pid)[0]["desc"] == "proxy sock=udp:127.0.0.1:5060,tcp:127.0.0.1:5060"


@pytest.mark.parametrize(
    ("call", "code", "reason"),
    [
        (("core.shmmem", "z"), 500, "bad param, (use b|k|m|g)"),
        (("pkg.stats", "foo"), 500, "Invalid filter type"),
        (("pkg.stats", "pid", 1), 500, "No such pid"),
        (("mod.stats",), 500, 'Module name or "all" needed'),
        (("mod.stats", "core", "pkg"), 500, "Memory is not counted by module here"),
        (("corex.pkg_summary",), 400, "Selector and value not provided"),
        (("dst_blocklist.view",), 500, "dst blocklist support disabled"),
        (("system.methodHelp",), 400, "Method Name Expected"),
        (("system.methodHelp", "x.y"), 400, "command not found"),
        (("system.methodSignature", "core.psx"), 500, "Not Implemented Yet"),
        (("stats.fetch",), 400, "Please provide which stats to retrieve"),
        (("stats.reset_statistics",), 400, "Please provide stats name"),
        (("cfg.get",), 500, "Failed to get the parameters"),
        (("cfg.get", "tm", "nosuch"), 400, "Failed to get the variable"),
        (("cfg.get", "tm", "fr_timer"), 400, "Variable exists, but it is not readable via RPC interface"),
        (("cfg.help", "tm", "nosuch"), 400, "Failed to get the variable description"),
        (("cfg.set_now_int", "tm", "nosuch", 1), 400, "Failed to set the variable"),
        (("cfg.set_now_int", "tcp", "wq_max", 1), 400, "Failed to set the variable"),
        (("cfg.set_now_string", "core", "debug", "abc"), 400, "Failed to set the variable"),
        (("cfg.reset", "core", "debug"), 500, "Reset failed"),
        (("cfg.del", "a", "b"), 400, 'Wrong group syntax. Use "group[id]"'),
        (("tm.cancel", "x", 1), 400, "Callid and CSeq expected as parameters"),
        (("tm.cancel", "x", "1"), 400, "Transaction not found"),
        (("tm.reply", 404), 400, "Reason phrase expected"),
        (("tm.reply", 404, "x", "1:2", "t"), 481, "No such transaction"),
        (("tm.reply_callid", 404, "x", "c", "1 INVITE", "t"), 404, "Transaction not found"),
        (("tm.t_uac_start", "OPTIONS"), 400, "too few parameters (-1/5)"),
    ],
)
def test_errors(ask: Ask, call: tuple[Any, ...], code: int, reason: str) -> None:
    with pytest.raises(RpcError) as caught:
        ask(*call)
    assert (caught.value.code, caught.value.reason) == (code, reason)


def test_settings_change_while_it_runs(ask: Ask, proxy: Proxy) -> None:
    tm = proxy.modules.tm
    assert ask("cfg.set_now_int", "tm", "fr_timer", 5000) == {}
    assert tm.engine.fr == 5.0
    ask("cfg.set_now_string", "tm", "default_reason", "foo")
    assert ask("cfg.get", "tm", "default_reason") == "foo"
    ask("cfg.set_delayed_int", "registrar", "max_expires", 7)
    assert ask("cfg.diff") == {
        "group name": "registrar", "variable name": "max_expires", "old value": 0, "new value": 7,
    }  # fmt: skip
    ask("cfg.rollback")
    assert ask("cfg.diff") == {}
    ask("cfg.set_delayed_int", "registrar", "max_expires", 8)
    ask("cfg.commit")
    assert ask("cfg.get", "registrar", "max_expires") == 8
    ask("cfg.set", "maxfwd", "max_limit", "20")
    assert ask("cfg.get", "maxfwd", "max_limit") == 20
    ask("cfg.reset", "tm")
    assert (tm.engine.fr, ask("cfg.get", "tm", "default_reason")) == (30.0, "Server Internal Error")
    ask("cfg.seti", "core", "debug", 3)
    assert logging.getLogger().level == logging.DEBUG
    assert ask("corex.debug") == {"debug": 3}
    assert ask("corex.debug", 1) == {"old": 3, "new": 1}


def test_counters_by_method_and_status(ask: Ask, proxy: Proxy) -> None:
    rcv = Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, UDP)
    head = (
        "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{0}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
        "Call-ID: {0}\r\n"
        "CSeq: 1 {1}\r\nContent-Length: 0\r\n\r\n"
    )
    for number, (line, method) in enumerate(
        (
            ("REGISTER sip:b SIP/2.0", "REGISTER"),
            ("FOO sip:b SIP/2.0", "FOO"),
            ("SIP/2.0 183 Progress", "INVITE"),
            ("SIP/2.0 401 No", "REGISTER"),
            ("SIP/2.0 200 OK", "FOO"),
        )
    ):
        proxy.receive(f"{line}\r\n{head.format(number, method)}".encode(), rcv, 6.0)
    found = {name: value for name, value in ask("stats.fetchn", "core:").items() if value and "rcv" in name}
    assert found == {
        "core.rcv_replies": 3,
        "core.rcv_replies_18x": 1,
        "core.rcv_replies_1xx": 1,
        "core.rcv_replies_1xx_invite": 1,
        "core.rcv_replies_2xx": 1,
        "core.rcv_replies_401": 1,
        "core.rcv_replies_4xx": 1,
        "core.rcv_replies_4xx_reg": 1,
        "core.rcv_requests": 2,
        "core.rcv_requests_register": 1,
    }
    assert ask("stats.get_statistics", "unsupported_methods") == ["core:unsupported_methods = 1"]
    assert ask("stats.clear_statistics", "rcv_requests") == "core:rcv_requests = 2"
    assert ask("stats.get_statistics", "rcv_requests") == ["core:rcv_requests = 0"]


def test_a_sandbox_changes_nothing_outside(proxy: Proxy) -> None:
    proxy.sandbox = True
    known = commands(proxy)
    for name in ("core.kill", "app_python.reload"):
        with pytest.raises(RpcError, match="sandbox"):
            known[name]([])
