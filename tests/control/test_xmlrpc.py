"""XML-RPC documents: the bytes that Kamailio 5.6.3 answered the same documents with."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.control.xmlrpc import ONE, run
from ksrcore.kemi.declare import RpcError

CALL = '<?xml version="1.0"?><methodCall><methodName>{}</methodName><params>{}</params></methodCall>'
HEAD = '<?xml version="1.0"?>\n<methodResponse>\n<params>\n<param>\n<value>'
TAIL = "</value>\n</param>\n</params>\n</methodResponse>"


def fail(params: list[Any]) -> Any:
    raise RpcError(500, "Key name doesn't exist in htable.")


COMMANDS = {
    "core.echo": lambda params: [str(p) for p in params],
    "uptime": lambda params: {"now": "Mon\r", "uptime": 18, "f": 2.0, "l": [{"a": 1}, "x"]},
    "help": lambda params: "what <it> is",
    "htable.get": fail,
}


def param(*values: str) -> str:
    return "".join(f"<param><value>{value}</value></param>" for value in values)


def fault(code: int, reason: str) -> str:
    return (
        '<?xml version="1.0"?>\n<methodResponse>\n<fault>\n<value>\n<struct>\n<member>\n<name>faultCode</name>\n'
        f"<value><int>{code}</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>{reason}"
        "</string></value>\n</member>\n</struct>\n</value>\n</fault>\n</methodResponse>"
    )


@pytest.mark.parametrize(
    ("params", "values"),
    [
        ("", []),
        (param("<string>a&lt;b</string>", "<int>5</int>", "plain"), ["a&lt;b", "5", "plain"]),
        (param("<boolean>1</boolean>", "<double>2.5</double>", "<i4>-7</i4>"), ["1", "2.5", "-7"]),
        # What Kamailio does not read ends the parameters.
        (param("a", "<array><data><value>b</value></data></array>", "c"), ["a"]),
        (param("<int>zz</int>"), []),
        (param("  a b\r\n c "), ["  a b\n c "]),
        (param("<string>caf\xc3\xa9</string>"), ["caf\xc3\xa9"]),
    ],
)
def test_parameters(params: str, values: list[str]) -> None:
    items = "".join(f"<value><string>{value}</string></value>\n" for value in values)
    assert run(COMMANDS, CALL.format("core.echo", params)) == f"{HEAD}<array><data>\n{items}</data></array>{TAIL}"


def test_results() -> None:
    assert run(COMMANDS, CALL.format("help", "")) == f"{HEAD}<string>what &lt;it&gt; is</string>\n{TAIL}"
    answer = run(COMMANDS, CALL.format("uptime", ""))
    assert answer == (
        f"{HEAD}<struct><member><name>now</name><value><string>Mon&#xD;</string></value></member><member><name>uptime"
        "</name><value><int>18</int></value></member><member><name>f</name><value><double>2</double></value></member>"
        "<member><name>l</name><value><array><data>\n<value><struct><member><name>a</name><value><int>1</int></value>"
        f"</member></struct></value><value><string>x</string></value></data></array></value></member></struct>\n{TAIL}"
    )
    assert "<string>Mon\r</string>" in run(COMMANDS, CALL.format("uptime", ""), escape_cr=False)
    assert ONE == f"{HEAD}<int>1</int>{TAIL}"


def test_two_line_feeds_for_a_line_end() -> None:
    document = CALL.format("core.echo", param("a\n\nb"))
    assert "<string>a&#xD;\nb</string>" in run(COMMANDS, document, crlf=True)


@pytest.mark.parametrize(
    ("document", "code", "reason"),
    [
        ("junk", 400, "Invalid XML-RPC Document"),
        ("", 400, "Invalid XML-RPC Document"),
        ("<a/>", 400, "Root Element Is Not methodCall"),
        ("<methodCall><params></params></methodCall>", 400, "Method Name Not Found"),
        (CALL.format("no.such", ""), 500, "Method Not Found"),
        (CALL.format("htable.get", param("t", "k")), 500, "Key name doesn't exist in htable."),
    ],
)
def test_faults(document: str, code: int, reason: str) -> None:
    assert run(COMMANDS, document) == fault(code, reason)
