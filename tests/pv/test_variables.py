"""The pseudo-variables as recorded from Kamailio 5.6.3: tables of name and value for one message each."""

import json
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.pv import Pv
from ksrcore.net.address import Listen, Rcv
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
    pv.defines.update(ABC="xyz", NUM="12")
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
