"""JSON-RPC documents: the bytes that Kamailio 5.6.3 answered the same documents with."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.control.jsonrpc import dumps, from_text, run, to_text
from ksrcore.kemi.declare import Repeated, RpcError


def fail(params: list[Any]) -> Any:
    raise RpcError(500, "No such htable")


def crash(params: list[Any]) -> Any:
    raise ZeroDivisionError("oops")


COMMANDS = {
    "core.echo": lambda params: [str(p) for p in params],
    "core.pwd": lambda params: ["/"],
    "core.version": lambda params: "kamailio 5.6.3",
    "cfg.diff": lambda params: None,
    "htable.dump": fail,
    "crash": crash,
}
HEAD = '{\n\t"jsonrpc":\t"2.0",\n\t"result":\t'


@pytest.mark.parametrize(
    ("document", "body"),
    [
        ('{"jsonrpc":"2.0","method":"core.pwd","id":"abc"}', HEAD + '["/"],\n\t"id":\t"abc"\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd"}', HEAD + '["/"]\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd","id":null}', HEAD + '["/"],\n\t"id":\t0\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd","id":true}', HEAD + '["/"],\n\t"id":\t1\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd","id":{"a":1}}', HEAD + '["/"],\n\t"id":\t0\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd","id":-12345678901}', HEAD + '["/"],\n\t"id":\t-12345678901\n}'),
        ('{"jsonrpc":"2.0","method":"core.pwd","id":1.5}', HEAD + '["/"],\n\t"id":\t1.500000\n}'),
        ('{"jsonrpc":"2.0","method":"core.version","id":2} trailing', HEAD + '"kamailio 5.6.3",\n\t"id":\t2\n}'),
        ('{"method":"core.pwd","id":1}', HEAD + '{\n\t},\n\t"id":\t1\n}'),
        ('{"jsonrpc":"1.0","method":"core.version","id":2}', HEAD + '{\n\t},\n\t"id":\t2\n}'),
        ('[{"jsonrpc":"2.0","method":"core.pwd","id":1}]', HEAD + "{\n\t}\n}"),
        ('{"jsonrpc":"2.0","id":1}', HEAD + '{\n\t},\n\t"id":\t1\n}'),
        ('{"jsonrpc":"2.0","method":"cfg.diff","id":1}', HEAD + '{\n\t},\n\t"id":\t1\n}'),
        ('{"jsonrpc":"2.0","method":"core.echo","params":"x","id":1}', HEAD + '[],\n\t"id":\t1\n}'),
        ('{"jsonrpc":"2.0","method":"core.echo","params":{"a":5},"id":1}', HEAD + '["5"],\n\t"id":\t1\n}'),
        (
            '{"jsonrpc":"2.0","method":"core.echo","params":[1,"x",true,null,[1]],"id":1}',
            HEAD + '["1", "x"],\n\t"id":\t1\n}',
        ),
        (
            '{"jsonrpc":"2.0","method":"core.echo","params":["a\\"b\\u00e9\\n\\t/"],"id":1}',
            HEAD + '["a\\"b\xc3\xa9\\n\\t/"],\n\t"id":\t1\n}',
        ),
        # Bytes that are no UTF-8 come back as they are.
        (
            '{"jsonrpc":"2.0","method":"core.echo","params":["caf\xe9 \x01"],"id":1}',
            HEAD + '["caf\xe9 \\u0001"],\n\t"id":\t1\n}',
        ),
        (
            '{"jsonrpc":"2.0","method":"no.such","id":1}',
            '{\n\t"jsonrpc":\t"2.0",\n\t"error":\t{\n\t\t"code":\t500,\n\t\t"message":\t"Method Not Found"\n\t},'
            '\n\t"id":\t1\n}',
        ),
    ],
)
def test_documents(document: str, body: str) -> None:
    answer = run(COMMANDS, document)
    assert answer is not None
    assert answer.body == body


@pytest.mark.parametrize("document", ["", "xx", '{"jsonrpc"', "[" * 100_000])
def test_what_is_no_json_is_not_answered(document: str) -> None:
    assert run(COMMANDS, document) is None


def test_a_method_that_is_no_string_is_an_empty_result() -> None:
    """Kamailio 5.6.3 ends with a segmentation fault."""
    answer = run(COMMANDS, '{"jsonrpc":"2.0","method":5,"id":1}', pretty=False)
    assert answer is not None and answer.body == '{"jsonrpc":"2.0","result":{},"id":1}'


def test_errors() -> None:
    answer = run(COMMANDS, '{"jsonrpc":"2.0","method":"htable.dump","reply_name":"f","id":1}', pretty=False)
    assert answer is not None
    assert (answer.code, answer.reason, answer.reply_name) == (500, "No such htable", "f")
    assert answer.body == '{"jsonrpc":"2.0","error":{"code":500,"message":"No such htable"},"id":1}'
    answer = run(COMMANDS, '{"jsonrpc":"2.0","method":"crash","id":1}', pretty=False)
    assert answer is not None and answer.reason == "ZeroDivisionError: oops"


def test_objects_in_lists() -> None:
    """As core.psx and ul.dump print them."""
    value: dict[str, Any] = {
        "result": [{"a": 1, "l": [{"b": "x"}]}, {"a": 2.5}],
        "n": None,
        "t": True,
        "e": [],
        "o": {},
    }
    assert dumps(value) == (
        '{\n\t"result":\t[{\n\t\t\t"a":\t1,\n\t\t\t"l":\t[{\n\t\t\t\t\t"b":\t"x"\n\t\t\t\t}]\n\t\t}, {\n\t\t\t"a":\t'
        '2.500000\n\t\t}],\n\t"n":\tnull,\n\t"t":\ttrue,\n\t"e":\t[],\n\t"o":\t{\n\t}\n}'
    )
    assert dumps(value, pretty=False) == (
        '{"result":[{"a":1,"l":[{"b":"x"}]},{"a":2.500000}],"n":null,"t":true,"e":[],"o":{}}'
    )


@pytest.mark.parametrize(
    ("value", "text"), [(17.0, "17"), (1e-9, "1.000000e-09"), (2.5e9 + 0.5, "2.500000e+09"), (float("nan"), "null")]
)
def test_numbers(value: float, text: str) -> None:
    assert dumps(value) == text


def test_a_name_more_than_once() -> None:
    value = {Repeated("shv"): 1, Repeated("shv"): 2}
    assert dumps(value, pretty=False) == '{"shv":1,"shv":2}'


def test_text_has_a_character_a_byte() -> None:
    assert to_text({"k": ["é", 1]}) == {"k": ["\xc3\xa9", 1]}
    assert from_text({"k": ("\xc3\xa9", "\xe9", "naïve…")}) == {"k": ["é", "\udce9", "naïve…"]}
    assert to_text("\udce9") == "\xe9"
