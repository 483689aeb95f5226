"""The pseudo-variables as recorded from Kamailio 5.6.3: tables of name and value for one message each."""

import json
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.pv import Pv
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ksrcore.sip.message import parse_message

MESSAGES: dict[str, Any] = json.loads((Path(__file__).parent / "data/variables-5.6.3.json").read_text())["messages"]

UDP = Listen("udp", "127.0.0.1", 25371, name="s1")
ADVERTISED = Listen("udp", "127.0.0.1", 25372, "192.0.2.7", 5090)
TCP = Listen("tcp", "127.0.0.1", 25371)
UDP6 = Listen("udp", "::1", 25371)
RECEIVED_ON = {"advertised": ADVERTISED, "tcp": TCP, "ipv6": UDP6}


def make_run(name: str) -> Run:
    """The proxy and message a table was recorded with."""
    proxy = Proxy(transmit=lambda data, dest: True, listens=[UDP, ADVERTISED, TCP, UDP6], wall=1_700_000_000.0)
    pv = Pv(proxy)
    proxy.modules["pv"] = pv
    pv.set_param("shvset", "debug=i:1")
    pv.set_param("varset", "h=s:X-A")
    pv.set_param("varset", "one=i:1")
    pv.start()
    pv.proxy.defines.update(ABC="xyz", NUM="12")
    pv.custom.update({"custom.ival": 10, "custom.sval": "hello"})
    message = MESSAGES[name]
    listen = RECEIVED_ON.get(name, UDP)
    rcv = Rcv(listen.proto, listen.host, message["port"], listen.host, listen.port, listen, int(name == "tcp"))
    msg = parse_message(message["text"].encode(), rcv)
    run = proxy.fake_run()
    return Run(proxy, msg, REQUEST_ROUTE if msg.is_request else CORE_ONREPLY_ROUTE, run.record, run.avps)


def expected(message: dict[str, Any], value: Any) -> Any:
    if isinstance(value, dict):
        text = message["text"]
        return text if value["text"] == "all" else text.split("\r\n", 1)[1]
    return value


@pytest.mark.parametrize("name", MESSAGES)
def test_as_recorded(name: str) -> None:
    run = make_run(name)
    # What a test without a server cannot have: its server_id.
    run.proxy.modules[""] = type("Core", (Pv,), {"server_id": 7})(run.proxy)
    message = MESSAGES[name]
    wanted, got = {}, {}
    for text, value in message["values"].items():
        try:
            found: Any = compile_spec(text).get(run)
        except PvError as error:
            found = error
        wanted[text] = expected(message, value)
        got[text] = found
    # A bool is no int here: 1 and True are different answers.
    differing = {t: (wanted[t], got[t]) for t in wanted if repr(wanted[t]) != repr(got[t])}
    assert differing == {}


def values(run: Run, *names: str) -> list[Any]:
    return [compile_spec(name).get(run) for name in names]


def test_lists_of_header_values_come_in_order() -> None:
    run = make_run("full")
    assert values(run, "$(hfl(Contact)[0]{nameaddr.uri})", "$(hfl(Contact)[1]{nameaddr.uri})", "$(hfl(m)[2])") == [
        "sip:alice@10.0.0.1:5062;ob",
        "sip:alice2@10.0.0.2",
        "<sip:alice3@10.0.0.3>",
    ]
    assert values(run, "$(hfl(Via)[1])", "$(hfl(Via)[3])", "$ctu") == [
        "SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKb;received=10.0.0.9",
        None,
        "sip:alice@10.0.0.1:5062;ob",
    ]
    assert values(run, "$msgbuf(0)", "$msgbuf(3)", "$msgbuf($var(one))", "$msgbuf(99999)") == ["I", "I", "N", None]


def test_time() -> None:
    run = make_run("minimal")
    run.proxy.now = 60.5
    assert values(run, "$TS", "$Tb", "$TV(sn)", "$TV(un)", "$TV(Sn)") == [
        1_700_000_060,
        1_700_000_000,
        1_700_000_060,
        500_000,
        "1700000060.500000",
    ]
    assert values(run, "$Ts", "$TV(s)", "$TV(u)") == [1_700_000_000, 1_700_000_000, 0]
    assert values(run, "$utime(year)", "$utime(mon)", "$utime(mday)", "$utime(hour)", "$utime(min)", "$utime(sec)") == [
        2023, 11, 14, 22, 14, 20,
    ]  # fmt: skip
    assert values(run, "$utime(wday)", "$utime(yday)", "$utime(isdst)") == [3, 318, 0]
    assert values(run, "$utimef(%Y-%m-%d)") == ["2023-11-14"]


def test_what_is_being_sent_is_known_in_onsend_routes_only() -> None:
    run = make_run("minimal")
    names = ("ip", "port", "proto", "sproto", "af")
    assert values(run, *[f"$sndto({name})" for name in names]) == [None] * 5
    run.dest = Dest("tcp", "::1", 5080, UDP6)
    run.local["text"] = "INVITE sip:b SIP/2.0\r\n\r\n"
    assert values(run, *[f"$sndto({name})" for name in names]) == ["::1", 5080, 2, "tcp", 10]
    assert values(run, *[f"$snd({name})" for name in names]) == ["::1", 5080, 2, "tcp", 10]
    assert values(run, *[f"$sndfrom({name})" for name in names]) == ["::1", 25371, 2, "tcp", 10]
    assert values(run, "$snd(len)", "$sndto(buf)") == [24, "INVITE sip:b SIP/2.0\r\n\r\n"]


def test_who_authenticated_comes_before_from() -> None:
    run = make_run("full")
    assert values(run, "$AU", "$Au") == ["alice", "alice@atlanta.example.com"]
    run.msg.extra["auth"] = run.msg.get("proxy-authorization")
    assert values(run, "$AU", "$Au") == ["alice", "alice@atlanta"]


def test_counters_are_found_without_their_group() -> None:
    run = make_run("minimal")
    run.proxy.count("core:rcv_requests", 3)
    assert values(run, "$stat(rcv_requests)", "$stat(nope)") == [3, None]


def test_static_facts() -> None:
    run = make_run("full")
    assert values(run, "$version(num)", "$sid", "$null", "$$", "$rc", "$shvinc(debug)", "$shvinc(debug)") == [
        "5.6.3", 0, None, "$", 0, 2, 3,
    ]  # fmt: skip
    assert values(run, "$sel(via[2].host)", "$sel(via[3].transport)", "$sel(from.tag)", "$sel(via[9].host)") == [
        "10.0.0.1",
        "TLS",
        "1928",
        None,
    ]
    assert values(make_run("star"), "$cts", "$tts") + values(run, "$cts", "$tts") == [1, 0, 0, 0]
    assert values(run, "$rul", "$ful", "$mts") == [len(run.msg.ruri), 48, "rq"]
    escapes = "$Eb $En $Er $Et $Es $Ec $Eq $Ek $Ei $Ej $Ev".split()
    assert values(run, *escapes) == list("\\\n\r\t ,\"':;`")
    number = compile_spec("$RANDOM").get(run)
    assert isinstance(number, int) and 0 <= number < 2**31


@pytest.mark.parametrize("name", ["advertised", "tcp", "ipv6", "full"])
def test_a_message_that_did_not_come_has_no_addresses(name: str) -> None:
    run = make_run(name)
    run.msg.rcv = None
    assert values(run, "$si", "$sp", "$Ri", "$Ru", "$pr", "$conid", "$RAu") == [None] * 7


def test_broken_values_are_null() -> None:
    run = make_run("minimal")
    text = run.msg.buf.replace("From: sip:a@b.c;tag=1", 'From: "open <sip:a@b.c>').replace("Via: SIP/2.0/UDP", "Via: x")
    text = text.replace("Content-Length: 0", "Contact: <\r\nExpires: x\r\nDiversion: \r\nContent-Length: y")
    run.msg = parse_message(text.encode("latin-1"), run.msg.rcv)
    names = "$fu $fU $fd $fn $ft $via0(host) $cl $expires(min) $ctu $di $au $AU $Au".split()
    assert values(run, *names) == [None] * len(names)
    run.msg.new_uri = "garbage"
    assert values(run, "$rU", "$rd", "$rp", "$rP", "$rz") == [None] * 5
