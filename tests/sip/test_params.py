"""``;name=value`` lists and quoted strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError
from ksrcore.sip.params import (
    check_params,
    find_outside,
    iter_params,
    quote,
    quoted_end,
    split_outside,
    split_params,
    unescape,
    unquote,
)

LATIN1 = st.text(st.characters(max_codepoint=255))
HARD = st.text('";=,\\ \ta\r\n')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("lr", [("lr", None)]),
        ("a=1;b=2", [("a", "1"), ("b", "2")]),
        (";a=;;B ", [("a", ""), ("B", None)]),
        (" a = 1 ;\r\n b=\t2", [("a", "1"), ("b", "2")]),
        ('a="x;y=z";b', [("a", "x;y=z"), ("b", None)]),
        (r'a="x\";y";b="\\";c', [("a", r"x\";y"), ("b", r"\\"), ("c", None)]),
        ('a="open;b=2', [("a", '"open;b=2')]),
        ("a=b=c", [("a", "b=c")]),
    ],
)
def test_split_params(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert split_params(text) == expected


def test_split_params_takes_another_separator() -> None:
    assert split_params('a=1, b="x,y"', ",") == [("a", "1"), ("b", "x,y")]


@pytest.mark.parametrize(
    ("text", "end"), [('"a" b', 3), (r'"a\"b"', 6), (r'"a\\"b"', 5), ('"abc', -1), (r'"\"', -1), ('"', -1), ('""', 2)]
)
def test_quoted_end(text: str, end: int) -> None:
    assert quoted_end(text, 0) == end


def test_find_outside_skips_quotes() -> None:
    assert find_outside('a"b;c";d', ";") == 6
    assert find_outside('a"b;c', ";") == -1
    assert find_outside("a,b;c", ";,") == 1
    assert find_outside('a;"', ";") == 1


def test_unquote_and_unescape() -> None:
    assert unquote('"a"') == "a"
    assert unquote('"') == '"'
    assert unquote("a") == "a"
    assert unescape(r"a\"\\b") == 'a"\\b'
    assert unescape("a\\") == "a"


@pytest.mark.parametrize("text", ["a", "a=1", 'a = "x y" ; b', "a=;b"])
def test_check_params_accepts(text: str) -> None:
    check_params(text)


@pytest.mark.parametrize("text", ["", "a;", ";a", "a;;b", "=x", "a b", "a=b c", 'a="b', 'a="b"c', 'a=b"c"', 'a="b" c'])
def test_check_params_refuses(text: str) -> None:
    with pytest.raises(ParseError):
        check_params(text)


@given(HARD | LATIN1)
def test_quote_round_trip(text: str) -> None:
    quoted = quote(text)
    assert quoted_end(quoted, 0) == len(quoted)
    assert unescape(unquote(quoted)) == text


@given(HARD | LATIN1)
def test_split_outside_loses_nothing(text: str) -> None:
    assert ";".join(text[start:end] for start, end in split_outside(text, ";")) == text


@given(HARD | LATIN1, st.integers(0, 50))
def test_iter_params_agrees_with_split_params(text: str, base: int) -> None:
    found = list(iter_params(text, base))
    assert [(name, value) for name, value, _, _ in found] == split_params(text)
    for name, _, start, end in found:
        assert text[start - base : end - base].startswith(name)
