"""Name-addr values. What is accepted was compared with Kamailio 5.6.3's $fu, $fn and $ft."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError
from ksrcore.sip.nameaddr import NameAddr, parse_nameaddr, parse_nameaddrs

LATIN1 = st.text(st.characters(max_codepoint=255))
HARD = st.text('"\\<>;,=: \r\n\ta*@')


def check_spans(value: NameAddr, body: str) -> None:
    assert body[value.start : value.end] == value.text == str(value)
    assert body[value.uri_start : value.uri_end] == value.uri
    assert body[value.params_start : value.end] == value.params_text
    assert value.text.startswith(value.display)
    assert value.text == value.text.strip(" \t\r\n")
    if value.brackets:
        assert "<" in body[value.start : value.uri_start]


@pytest.mark.parametrize(
    ("body", "display", "uri", "tag"),
    [
        ("<sip:a@b>;tag=1", "", "sip:a@b", "1"),
        ("sip:a@b;tag=1;x", "", "sip:a@b", "1"),
        ("sip:a@b ;tag=1", "", "sip:a@b", "1"),
        ("sip:a,b@c;tag=1", "", "sip:a,b@c", "1"),
        ("sip:a@b?x=y;tag=1", "", "sip:a@b?x=y", "1"),
        ("*", "", "*", ""),
        ("foo", "", "foo", ""),
        ("Bell, Alexander <sip:a@b>;tag=1", "Bell, Alexander", "sip:a@b", "1"),
        ("sip:alice <sip:a@b>;tag=1", "sip:alice", "sip:a@b", "1"),
        ("A B   <sip:a@b>;tag=1", "A B", "sip:a@b", "1"),
        ('"A B"<sip:a@b>;tag=1', '"A B"', "sip:a@b", "1"),
        ('"" <sip:a@b>;tag=1', '""', "sip:a@b", "1"),
        (r'"J \"R\" \\"  <sip:a@b>;tag=1', r'"J \"R\" \\"', "sip:a@b", "1"),
        ('"<sip:x@y>;,\\"" <sip:a@b;p=1>;tag=1', '"<sip:x@y>;,\\""', "sip:a@b;p=1", "1"),
        ("< sip:a@b >;tag=1", "", "sip:a@b", "1"),
        ("<sip:a@b>;x=1;TAG=9", "", "sip:a@b", "9"),
        ("<sip:a@b>;tag=1;tag=2", "", "sip:a@b", "2"),
        ('<sip:a@b>;tag="q;x"', "", "sip:a@b", "q;x"),
        ("<sip:a@b>;tag=x,y", "", "sip:a@b", "x,y"),
        ("<sip:a@b>;tag", "", "sip:a@b", ""),
        ("<sip:a@b>;tag=", "", "sip:a@b", ""),
        (" \r\n A\r\n B <sip:a@b>\r\n ;\r\n tag = 5 ", "A\r\n B", "sip:a@b", "5"),
    ],
)
def test_one_value(body: str, display: str, uri: str, tag: str) -> None:
    value = parse_nameaddr(body)
    assert (value.display, value.uri, value.tag) == (display, uri, tag)
    check_spans(value, body)
    assert parse_nameaddr(body) is value


@pytest.mark.parametrize(
    "body",
    [
        *["", " ", "<>", "< >", ";tag=1", "<sip:a@b;tag=1", '"A <sip:a@b>', '"A" B <sip:a@b>', 'A"B" <sip:a@b>', '"A"'],
        *["<sip:a@b> junk;tag=1", "sip:a@b junk;tag=1", "<sip:a@b>;tag=x y", "<sip:a@b>;;tag=1", "<sip:a@b>;tag=1;"],
        *["<sip:a@b>;=x;tag=1", '<sip:a@b>;tag="x', "<sip:a b@c>;tag=1", "<sip:a@b>,<sip:c@d>", "sip:a@b>"],
    ],
)
def test_one_value_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_nameaddr(body)


def test_list() -> None:
    body = ' "Bob, at; work" <sip:a@b;x=1,2>;q=1.0;expires=60 ,, sip:c@d;q=0.1\r\n , <sip:e@f> , X Y <sip:g@h>;a="1,2"'
    values = parse_nameaddrs(body)
    assert [(value.display, value.uri, value.params) for value in values] == [
        ('"Bob, at; work"', "sip:a@b;x=1,2", [("q", "1.0"), ("expires", "60")]),
        ("", "sip:c@d", [("q", "0.1")]),
        ("", "sip:e@f", []),
        ("X Y", "sip:g@h", [("a", "1,2")]),
    ]
    for value in values:
        check_spans(value, body)
    assert values[0].parsed_uri.user == "a"
    values.clear()
    assert len(parse_nameaddrs(body)) == 4


def test_list_takes_any_display_name() -> None:
    values = parse_nameaddrs('"A" B <sip:a@b>, C"D,<" <sip:c d@e>')
    assert [(value.display, value.uri) for value in values] == [('"A" B', "sip:a@b"), ('C"D,<"', "sip:c d@e")]


def test_list_lets_empty_parameters_through() -> None:
    assert [value.params for value in parse_nameaddrs("<sip:a@b>;;lr;,<sip:c@d>;")] == [[("lr", None)], []]


@pytest.mark.parametrize(
    "body", ["", ",", "<sip:a@b>,<sip:c", "<sip:a@b> x", '"a', '<sip:a@b>;x="1,<sip:c@d>', "a b,c"]
)
def test_list_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_nameaddrs(body)


@pytest.mark.parametrize(
    ("text", "q"),
    [("1", 1000), ("1.0", 1000), ("0.5", 500), (".25", 250), ("0.1234", 123), ("0", 0), ("1.", 1000)]
    + [("2", None), ("1.001", None), ("x", None), ("", None), (".", None), ("-1", None), ("0.\u00b2", None)],
)
def test_q(text: str, q: int | None) -> None:
    assert parse_nameaddrs(f"<sip:a@b>;q={text}")[0].q == q


def test_contact_parameters() -> None:
    bare = parse_nameaddr("<sip:a@b>")
    assert bare.q is None and bare.expires is None and bare.param("x") is None
    assert parse_nameaddr("<sip:a@b>;expires=60").expires == 60
    assert parse_nameaddr("<sip:a@b>;expires=x").expires is None
    assert parse_nameaddr("<sip:a@b>;expires=" + "9" * 5000).expires == 2**32 - 1
    assert parse_nameaddr('<sip:a@b>;+sip.instance="<urn:uuid:1>"').param("+SIP.instance") == "<urn:uuid:1>"
    assert repr(bare) == "NameAddr('<sip:a@b>')"
    with pytest.raises(ParseError):
        _ = parse_nameaddr("*").parsed_uri


def test_caches_are_bounded() -> None:
    for number in range(3000):
        assert parse_nameaddr(f"<sip:{number}@h>").uri == parse_nameaddrs(f"<sip:{number}@h>")[0].uri


@given(LATIN1 | HARD)
def test_only_parse_errors_and_spans_agree(body: str) -> None:
    try:
        check_spans(parse_nameaddr(body), body)
    except ParseError:
        pass
    try:
        values = parse_nameaddrs(body)
    except ParseError:
        return
    end = 0
    for value in values:
        check_spans(value, body)
        assert value.start >= end
        end = value.end
        assert parse_nameaddrs(value.text)[0].uri == value.uri


@given(
    st.lists(
        st.tuples(
            st.text('abc ,;<>\\"').map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
            st.text("abc;,", min_size=1),
        ),
        min_size=1,
    )
)
def test_lists_come_back(parts: list[tuple[str, str]]) -> None:
    body = " , ".join(f"{display} <sip:{user}@h>;x={display}" for display, user in parts)
    assert [(value.display, value.uri, value.param("x")) for value in parse_nameaddrs(body)] == [
        (display, f"sip:{user}@h", display[1:-1]) for display, user in parts
    ]


def test_values_are_bounded() -> None:
    assert len(parse_nameaddrs(", ".join(["<sip:a>"] * 256))) == 256
    with pytest.raises(ParseError, match="at most 256 values in a list"):
        parse_nameaddrs(", ".join(["<sip:a>"] * 257))
