"""ksrcore.kemi.pv, pvx and pv.*: reading and writing as recorded from Kamailio 5.6.3, and what differs on purpose."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.kemi.declare import KsrError, ParamError, RpcError
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.sip.message import parse_message

SEQUENCES: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "pv/data/sequences-5.6.3.json").read_text()
)["sequences"]  # fmt: skip
TEXT = SEQUENCES["avp"]["text"]

UDP = Listen("udp", "127.0.0.1", 25371, name="s1")
LISTENS = [UDP, Listen("udp", "127.0.0.1", 25372), Listen("tcp", "127.0.0.1", 25371), Listen("udp", "::1", 25371)]
PARAMS = [
    "pv:shvset=debug=i:1",
    "pv:varset=gw=s:sip:11.11.11.11;transport=tcp",
    "pv:avp_aliases=email=s:email_addr;tmp=i:100",
]


class Script:
    """KSR with a message in hand, and the short names of the recorded calls."""

    def __init__(self, text: str = TEXT) -> None:
        self.proxy: Proxy
        self.KSR: Any
        self.proxy, self.KSR = make_proxy(
            transmit=lambda data, dest: True, listens=LISTENS, modparams=PARAMS, wall=1_700_000_000.0
        )
        fake = self.proxy.fake_run()
        rcv = Rcv("udp", "127.0.0.1", 5070, "127.0.0.1", 25371, UDP)
        self.run = self.proxy.env.run = Run(
            self.proxy, parse_message(text.encode(), rcv), REQUEST_ROUTE, fake.record, fake.avps
        )

    def set(self, name: str, value: str | int | None) -> bool:
        pv = self.KSR.pv
        if value is None:
            return bool(pv.unset(name))
        return bool(pv.sets(name, value) if isinstance(value, str) else pv.seti(name, value))

    def get(self, *names: str) -> list[str | int | None]:
        return [self.KSR.pv.get(name) for name in names]

    def eval(self, call: str) -> Any:
        return eval(call, {"S": self.set, "G": self.get, "KSR": self.KSR, "p": self.KSR.pvx})


@pytest.mark.parametrize("name", SEQUENCES)
def test_as_recorded(name: str) -> None:
    script = Script(SEQUENCES[name]["text"])
    steps = SEQUENCES[name]["steps"]
    assert [[call, script.eval(call)] for call, _ in steps] == steps


@pytest.fixture
def script() -> Script:
    return Script()


def test_unknown_names_raise(script: Script) -> None:
    pv = script.KSR.pv
    for call, message in [
        (lambda: pv.get("$nosuch"), "KSR.pv.get: $nosuch: unknown pseudo-variable $nosuch"),
        (lambda: pv.gete("ru"), "KSR.pv.gete: ru: expected a pseudo-variable such as $ru"),
        (lambda: pv.is_null("$rru"), "KSR.pv.is_null: $rru: unknown pseudo-variable $rru; nearest: $ru"),
        (lambda: pv.sets("$var(x", "1"), "KSR.pv.sets: $var(x: expected ')' to close '(' at offset 4"),
        (lambda: pv.get("$tls_version"), "Kamailio has $tls_version (module tls,tls_wolfssl), ksrshell does not"),
        (lambda: pv.get("$(ru{json.parse,a})"), "{json.parse,a}: Kamailio has it (module json), ksrshell does not"),
        (lambda: pv.get("$ru(x)"), "$ru takes no name in parentheses, got (x)"),
        (lambda: pv.get("$rcv(nope)"), "expected one of buf, len, srcip"),
        (lambda: pv.get("$avp()"), "expected a name: $avp(x), $avp(s:x) or $avp(i:5)"),
        (lambda: pv.get("$xavp(a[0)"), "expected ']' after the index"),
        (lambda: pv.get("$sel(no.such)"), "the select 'no.such' is not implemented"),
        (lambda: pv.get("$_s($nosuch)"), "in a format: $nosuch: unknown pseudo-variable $nosuch"),
    ]:  # fmt: skip
        with pytest.raises(KsrError) as error:
            call()  # type: ignore[no-untyped-call]
        assert message in str(error.value)


def test_a_value_that_is_refused_is_logged(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    assert script.KSR.pv.seti("$ru", 5) is False
    assert script.KSR.pv.sets("$rp", "abc") is False
    assert script.KSR.pv.sets("$ua", "x") is True
    assert [record.getMessage() for record in caplog.records] == [
        "KSR.pv.seti: $ru: expects a string, got 5",
        "KSR.pv.sets: $rp: expects a port from 0 to 65535, got 'abc'",
        "KSR.pv.sets: $ua is read-only and stays as it is",
    ]
    assert script.get("$ru") == ["sip:bob@ex.com"]


def test_text_is_utf8_to_the_script_and_bytes_inside(script: Script) -> None:
    script.KSR.pv.sets("$avp(x)", "é")
    assert script.get("$avp(x)", "$(avp(x){s.len})", "$(avp(x){s.encode.hexa})") == ["é", 2, "c3a9"]


def test_evalx(script: Script) -> None:
    pvx = script.KSR.pvx
    assert pvx.evalx("$var(z)", "$rm $$ $(ru{s.len})") == 1
    assert script.get("$var(z)") == ["INVITE $ 14"]
    assert [pvx.evalx("$nosuch", "x"), pvx.evalx("$rm", "x"), pvx.evalx("$var(z)", "$nosuch")] == [-1, -1, -1]


def test_documented_where_kamailio_5_6_3_differs(script: Script) -> None:
    pvx = script.KSR.pvx
    for name in ("d-0", "d-1", "d-2"):
        script.set("$xavp(d=>x)", name)
    assert pvx.xavp_copy("d", 0, "e") == 1
    assert pvx.xavp_copy_dst("d", 2, "d", 0) == 1
    assert pvx.xavp_copy_dst("e", 0, "d", 2) == 1
    assert script.get("$xavp(d[0]=>x)", "$xavp(d[1]=>x)", "$xavp(d[2]=>x)") == ["d-0", "d-1", "d-2"]
    assert [pvx.xavp_copy_dst("d", 0, "d", 9), pvx.xavp_copy_dst("d", 9, "d", 0)] == [-1, -1]
    assert pvx.xavu_params_explode("a=b;c=d;n", "u") == 1
    assert pvx.xavu_params_implode("u", "$var(out)") == 1
    assert script.get("$var(out)") == ["n=;c=d;a=b;"]
    assert [pvx.xavp_getd("d"), pvx.xavi_get_keys("d", 0)] == [None, None]


def test_functions_of_later_versions(script: Script) -> None:
    pvx = script.KSR.pvx
    assert [pvx.shvinc_get("debug"), pvx.shvinc_get("debug"), pvx.shv_sets("debug", "x"), pvx.shvinc_get("debug")] == [
        2, 3, 1, None,
    ]  # fmt: skip
    for name in ("$xavp(a)", "$xavp(a)", "$xavp(b)", "$xavi(A)"):
        script.set(name, 1)
    assert [pvx.xavp_rm_all("a"), pvx.xavi_rm_all("a")] == [1, 1]
    assert script.get("$xavp(a)", "$xavp(b)", "$xavi(A)") == [None, 1, None]
    assert [script.KSR.pv.setl("$var(l)", 2**40), script.KSR.pv.getl("$var(l)")] == [True, 2**40]


def test_the_lists_can_be_logged(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    script.set("$xavp(a=>b)", "c")
    script.set("$xavu(x)", 5)
    with caplog.at_level(logging.INFO):
        pvx = script.KSR.pvx
        assert [pvx.pv_xavp_print(), pvx.pv_xavi_print(), pvx.pv_xavu_print()] == [1, 1, 1]
    assert [r.getMessage() for r in caplog.records] == [
        "XAVP name: a", "  XAVP name: b value: c", "XAVU name: x value: 5",
    ]  # fmt: skip


def test_a_sandbox_has_its_own_variables(script: Script) -> None:
    script.set("$var(x)", "live")
    script.set("$shv(y)", 1)
    fork = script.proxy.modules.pv.fork(script.proxy)
    fork.vars["x"] = "sandbox"
    fork.shared["y"] = 2
    assert script.get("$var(x)", "$shv(y)") == ["live", 1]


def test_repeated_writes_of_from_keep_one_edit(script: Script) -> None:
    for value in ("one", "two", "three"):
        script.set("$fU", value)
    script.set("$fd", "host")
    script.set("$fn", '"A"')
    script.set("$fn", '"B"')
    assert script.KSR.pv.get("$mbu").split("\r\n")[2] == 'From: "B" <sip:three@host>;tag=1'


def test_a_display_name_brings_brackets() -> None:
    script = Script(TEXT.replace("<sip:f@fd.com>", "sip:f@fd.com"))
    script.set("$fn", '"A"')
    assert script.KSR.pv.get("$mbu").split("\r\n")[2] == 'From: "A" <sip:f@fd.com>;tag=1'


def test_modparams_are_checked() -> None:
    for param, message in [
        ("pv:shvset=x=1", "modparam pv:shvset expects name=i:1 or name=s:text, got 'x=1'"),
        ("pv:varset=x=i:one", "modparam pv:varset: 'one' in 'x=i:one' is no integer"),
        ("pv:avp_aliases=a", "modparam pv:avp_aliases expects alias=s:name;alias=i:5, got 'a'"),
        ("pv:avp_aliases=a=i:x", "expected a number after i:, got 'x'"),
    ]:
        with pytest.raises(ParamError) as error:
            make_proxy(transmit=lambda data, dest: True, listens=LISTENS, modparams=[param])
        assert message in str(error.value)


def test_rpc(script: Script) -> None:
    pv: Any = script.proxy.modules["pv"]
    pv.shared |= {"n": 1, "m": "x"}
    assert pv.rpc_shv_set(["n", "int", 5]) == "Ok. Variable set to new value."
    assert pv.rpc_shv_get(["n"]) == {"name": "n", "type": "int", "value": 5}
    assert list(pv.rpc_shv_get([])["items"].values())[:2] == [
        {"name": "m", "type": "string", "value": "x"},
        {"name": "n", "type": "int", "value": 5},
    ]
    assert script.get("$shv(n)") == [5]
    with pytest.raises(RpcError, match="Variable not found"):
        pv.rpc_shv_get(["zz"])
    for params, text in (
        ([], "Missing parameter varname"),
        (["n"], "Missing parameter type"),
        (["n", "foo", 1], "Unknown parameter type"),
        (["n", "int"], "Missing integer parameter value"),
        (["n", "str", 5], "Missing parameter value"),
        (["zz", "int", 5], "Variable not found"),
    ):
        with pytest.raises(RpcError, match=text):
            pv.rpc_shv_set(params)
    pv.rpc_shv_set(["n", "int", "7"])
    assert pv.shared["n"] == 0


def test_xavps_of_later_versions(script: Script) -> None:
    pvx, pv = script.KSR.pvx, script.KSR.pv
    assert pvx.xavp_xparams_explode('a=b,c="d,e",f=5', ",", "x") == 1
    assert script.get("$xavp(x=>a)", "$xavp(x=>c)", "$xavp(x=>f)") == ["b", "d,e", "5"]
    bad = (("a=b", "", "x"), ("", ",", "x"), ("a=b", ",", ""))
    assert [pvx.xavp_xparams_explode(*args) for args in bad] == [-1] * 3
    assert pvx.xavp_xparams_explode("a=b;c=d", ";", "y") == 1 and script.get("$xavp(y=>c)") == ["d"]
    pv.seti("$xavp(z=>n)", -1)
    pv.sets("$xavp(z[0]=>t)", "x")
    assert pvx.xavp_params_implode_qval("z", "$var(o)") == 1
    assert sorted(str(pv.get("$var(o)")).split(";")) == ["", "n=4294967295", 't="x"']
    assert pvx.xavp_params_implode_qval("none", "$var(o)") == -1


def test_xavps_turned(script: Script) -> None:
    pvx, pv = script.KSR.pvx, script.KSR.pv
    for number in (10, 20, 30):
        pv.seti("$xavp(n)", number)
        pv.seti("$xavp(other)", number)

    def now(name: str = "n") -> list[str | int | None]:
        return script.get(*(f"$xavp({name}[{index}])" for index in range(3)))

    assert now() == [30, 20, 10]
    assert pvx.xavp_lshift("n", 1) == 1 and now() == [20, 10, 30]
    assert pvx.xavp_lshift("n", 4) == 1 and now() == [10, 30, 20]
    assert pvx.xavp_lshift("n", -1) == 1 and now() == [20, 10, 30]
    assert pvx.xavp_lshift("none", 1) == -1 and now("other") == [30, 20, 10]


def test_a_destination_from_an_xavp(script: Script) -> None:
    pvx, pv = script.KSR.pvx, script.KSR.pv
    pv.sets("$xavp(d=>uri)", "sip:alice@server.com")
    pv.sets("$xavp(d[0]=>dsturi)", "sip:proxy.com")
    pv.sets("$xavp(d[0]=>socket)", "udp:127.0.0.1:25372")
    assert pvx.xavp_push_dst("d") == 1
    assert script.get("$ru", "$du", "$fs") == ["sip:alice@server.com", "sip:proxy.com", "udp:127.0.0.1:25372"]
    pv.sets("$xavp(e=>socket)", "udp:1.2.3.4:5060")
    pv.sets("$xavp(e[0]=>uri)", "sip:x@y.com")
    assert [pvx.xavp_push_dst("e"), pvx.xavp_push_dst("none")] == [-1, -1]
    assert script.get("$ru") == ["sip:alice@server.com"]
