"""ksrcore.pv.transformations: the recorded results of Kamailio 5.6.3, and the documented ones of what it lacks."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ksrcore.pv import families  # noqa: F401
from ksrcore.pv.accessor import compile_spec
from ksrcore.pv.errors import PvError
from ksrcore.pv.spec import parse_spec
from ksrcore.pv.state import Avps
from ksrcore.pv.transformations import compile_chain, known

TABLE: dict[str, list[list[Any]]] = json.loads((Path(__file__).parent / "data/transformations-5.6.3.json").read_text())[
    "table"
]
NULL = "$null"


def wire(value: Any) -> Any:
    return value.encode().decode("latin-1") if isinstance(value, str) else value


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run with the variables the table was recorded with, its clock in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    pv = SimpleNamespace(vars={"n": 2, "s": "b", "c": ";"}, aliases={})
    yield SimpleNamespace(proxy=SimpleNamespace(modules=SimpleNamespace(pv=pv)), avps=Avps())
    monkeypatch.undo()
    time.tzset()


def apply(run: Any, text: str, value: Any) -> Any:
    """``text``, a chain of transformations, applied to ``value``."""
    run.proxy.modules.pv.vars["x"] = value
    for step in compile_chain(parse_spec(f"$(var(x){text})").transformations):
        value = step(run, value)
    return value


@pytest.mark.parametrize("text", TABLE)
def test_as_recorded(run: Any, text: str) -> None:
    expected, got = [], []
    for value, result in TABLE[text]:
        if isinstance(result, dict):
            wanted = bytes.fromhex(result["hex"]).decode("latin-1") if "hex" in result else PvError
        else:
            wanted = wire(result)
        try:
            found: Any = apply(run, text, wire(value))
        except PvError:
            found = PvError
        expected.append((value, wanted))
        got.append((value, found))
    assert got == expected


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        # Where 5.6.3 has defects: the documented results.
        ("{s.rbefore,c}", "abcdefcgh", "abcdef"),
        ("{s.rbefore,x}", "abc", "abc"),
        ("{s.rafter,c}", "abcdefcgh", "gh"),
        ("{s.rafter,x}", "abc", ""),
        ("{s.fmtlines,4,2}", "abcdefghij", "abcd\r\n  efgh\r\n  ij"),
        ("{s.fmtlinet,4,2}", "abcdefgh", "abcd\r\n\t\tefgh"),
        ("{s.fmtlines,4,0}", "abc", "abc"),
        ("{s.fmtlines,0,1}", "abc", None),
        ("{s.decode.base58}", "Cn8eVZg", "hello\0"),
        ("{s.decode.base58}", "11", "\0\0\0"),
        ("{s.decode.base58}", "0OIl", None),
        ("{uri.saor}", "sip:alice@server.com:5060;nat=yes;transport=tcp;line=xyz", "sip:alice@server.com"),
        ("{uri.suri}", "sip:a@server.com:5060;nat=yes;transport=tcp;line=xyz", "sip:a@server.com:5060;transport=tcp"),
        ("{uri.duri}", "sip:alice@server.com:5060;nat=yes;transport=tcp;line=xyz", "sip:server.com:5060;transport=tcp"),
        ("{uri.duri}", "SIPS:h", "SIPS:h"),
        ("{uri.saor}", "tel:+123;x=y", "tel:+123"),
        ("{line.at,-2}", "a\n\nb", ""),
        ("{sock.host}", "tls:example.com:5061", "example.com"),
        ("{sock.touri}", "wss:[::1]:443", "sip:[::1]:443;transport=wss"),
        ("{urialias.decode}", "garbage", ""),
        ("{s.select,0,)}", "a)b", "a"),
        # Operations of later Kamailio versions.
        ("{s.select,1,\\s}", "a\tb c", "b"),
        ("{s.select,1,\\t}", "a\tb c", "b c"),
        ("{s.selectws,-1}", " a  b\t", "b"),
        ("{s.selectsw,0}", " a  b\t", "a"),
        ("{s.selectws,7}", "a", ""),
        ("{s.intv}", "12x", 0),
        ("{s.intv}", "-12", -12),
        ("{s.sha1}", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("{s.sha3}", "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        ("{s.sha3.224}", "", "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7"),
        ("{s.keccak}", "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("{s.keccak}", "abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        ("{s.keccak.224}", "", "f71837502ba8e10837bdd8d365adb85591895602fc552b48b7390abd"),
        ("{s.crc32}", "123456789", "cbf43926"),
        ("{s.charat,-1}", "abc", "c"),
        ("{s.charat,3}", "abc", None),
        ("{s.byteat,0}", "abc", 97),
        ("{s.rmhdws}", "a\r\n  b\r\n\tc", "a b c"),
        ("{s.rmhlws}", "a,\r\n  b\nc", "a,b\nc"),
        ("{s.escape.crlf}", "a\r\nb\\", "a\\r\\nb\\\\"),
        ("{s.unescape.crlf}", "a\\r\\nb\\\\", "a\r\nb\\"),
        ("{s.unescape.crlf}", "\\\\r", "\\r"),
        ("{uri.rmparam,lr}", "sip:a@b;lr;x=1", "sip:a@b;x=1"),
        ("{uri.rmparam,X}", "sip:a@b;lr;x=1?h=v", "sip:a@b;lr?h=v"),
        ("{uri.rmparam,z}", "sip:a@b;lr", "sip:a@b;lr"),
        ("{num.fdigit}", 1234, 1),
        ("{num.ldigit}", -1234, 4),
        ("{num.fdigit}", "1234", 0),
        ("{num.ldigit}", None, 0),
        ("{val.n0}", None, 0),
        ("{val.ne}", None, ""),
        ("{val.ne}{s.len}", None, 0),
        ("{val.json}", '"name" <sip:name@a.com>', '\\"name\\" <sip:name@a.com>'),
        ("{val.json}", None, ""),
        ("{val.json}", "\x01\n", "\\u0001\\n"),
        ("{val.jsonqe}", '"n"', '"\\"n\\""'),
        ("{val.jsonqe}", 5, 5),
        ("{val.jsonqe}", None, '""'),
    ],
)
def test_as_documented(run: Any, text: str, value: Any, result: Any) -> None:
    assert apply(run, text, value) == result


def test_errors_name_the_transformation() -> None:
    for text, message in [
        ("$(ru{s.lenn})", "unknown transformation s.lenn; nearest: s.len"),
        ("$(ru{s.len,1})", "{s.len,1}: s.len takes no parameters, got '1'"),
        ("$(ru{s.substr,1})", "{s.substr,1}: s.substr takes 2 parameters, got 1"),
        ("$(ru{s.strip,x})", "{s.strip,x}: s.strip expects a number of 32 bits or a pseudo-variable, got 'x'"),
        ("$(ru{s.select,1,ab})", "{s.select,1,ab}: s.select expects an index and one separator character"),
        ("$(ru{re.subst,/(/x/})", "{re.subst,/(/x/}: bad regular expression '('"),
        ("$(ru{param.value,a,bc})", "{param.value,a,bc}: param.value expects one separator character, got 'bc'"),
    ]:
        with pytest.raises(PvError) as error:
            compile_chain(parse_spec(text).transformations)
        assert message in str(error.value)


def test_the_result_cannot_be_assigned() -> None:
    with pytest.raises(PvError, match="read-only"):
        compile_spec("$(var(x){s.len})").set(SimpleNamespace(), 1)  # type: ignore[arg-type]


def test_all_classes_are_there() -> None:
    assert {name.partition(".")[0] for name in known()} == {
        "s", "uri", "nameaddr", "param", "tobody", "val", "num", "line", "urialias", "sock", "re", "sql", "url",
    }  # fmt: skip
