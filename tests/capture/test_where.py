"""Filters over captured messages: what they answer, and what they refuse."""

from __future__ import annotations

from random import Random

import pytest

from ksrcore.capture.where import Names, WhereError, compile_tree, compile_where, holds, parse_where
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy

LISTEN = Listen("udp", "127.0.0.1", 5060)
REPLY = "SIP/2.0 404 %99999999999d\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 INVITE\r\n\r\n\\("


def answers(text: str) -> list[bool]:
    """For a reply and for a datagram that is no SIP message."""
    proxy = Proxy(transmit=lambda data, dest: True, listens=[LISTEN])
    rcv = Rcv("udp", "10.0.0.1", 5060, "127.0.0.1", 5060, LISTEN)
    matches = compile_where(text)
    return [matches(proxy.recorder.add(0.0, rcv, data), proxy) for data in (REPLY, "\0garbage")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status == 404", [True, False]),
        ("method == 'INVITE'", [True, False]),
        ("size > 0", [True, True]),
        ("id % 2 == 1", [True, False]),
        ("-id % 2 == 1", [True, False]),
        ("reason % 1", [False, False]),
        ("id % 0", [False, False]),
        ('re("\\d", reason)', [True, False]),
        ("re(body, reason)", [False, False]),
        ("hdr(5) or called(6)", [False, False]),
        (f"id - 1.5 < {10**400}", [True, True]),
        (f"id + 1.5 - {10**400} < 1", [False, False]),
        ("pv(cseq) == 1", [False, False]),
    ],
)
def test_what_a_filter_answers(text: str, expected: list[bool]) -> None:
    assert answers(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x y",
        "no_such_name",
        "(" * 300,
        "not " * 900 + "id",
        "re('(', body)",
        "re('(?=x)', body)",
        r"re(r'(a)\1', body)",
        "re('a{1,9999}', body)",
        "pv('$nope')",
        "'%d' % 3",
        "id.x",
        "f'{id}'",
    ],
)
def test_what_a_filter_must_not_be(text: str) -> None:
    with pytest.raises(WhereError):
        compile_where(text)


def test_a_misspelt_field_is_named() -> None:
    with pytest.raises(WhereError, match=r"'methd' is neither .* pseudo-variable; did you mean method\?$"):
        compile_where("methd == 'INVITE'")


def test_a_search_that_takes_too_long_ends_the_query() -> None:
    proxy = Proxy(transmit=lambda data, dest: True, listens=[LISTEN])
    rcv = Rcv("udp", "10.0.0.1", 5060, "127.0.0.1", 5060, LISTEN)
    body = "".join(Random(1).choices("ab", k=50_000))
    record = proxy.recorder.add(0.0, rcv, f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 A\r\n\r\n{body}")
    text = "re('(a|b)*a(a|b){14}c', body)"
    with pytest.raises(WhereError, match="takes too long: write a simpler pattern"):
        compile_where(text)(record, proxy)
    # What runs with traffic takes it for no match.
    assert not holds(compile_tree(parse_where(text)), Names(record, proxy))
    assert not compile_where("re('(a+)+$', body + '!')")(record, proxy)
