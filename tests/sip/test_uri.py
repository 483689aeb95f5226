"""URIs. What is accepted and how it is split was compared with Kamailio 5.6.3's $ru, $rU, $rd and $rp."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError, UnknownScheme
from ksrcore.sip.uri import Uri, aor, default_port, is_ipv4, is_ipv6_ref, parse_uri, strip_brackets, uri_equal

LATIN1 = st.text(st.characters(max_codepoint=255))


@pytest.mark.parametrize(
    ("text", "user", "password", "host", "port", "params", "headers"),
    [
        ("sip:h", "", "", "h", "", "", ""),
        ("sip:a@h", "a", "", "h", "", "", ""),
        ("SIP:A@H", "A", "", "H", "", "", ""),
        ("sips:a:pw@h:5061", "a", "pw", "h", "5061", "", ""),
        ("sip:a:@h", "a", "", "h", "", "", ""),
        ("sip:a@h:", "a", "", "h", "", "", ""),
        ("sip:a@h:05060", "a", "", "h", "05060", "", ""),
        ("sip:a@h.;lr;", "a", "", "h.", "", "lr;", ""),
        ("sip:a@h;;x", "a", "", "h", "", ";x", ""),
        ("sip:a@h?", "a", "", "h", "", "", ""),
        ("sip:a@h:5060?a=b?c=d", "a", "", "h", "5060", "", "a=b?c=d"),
        ("sip:a@h;lr?b=c&d=", "a", "", "h", "", "lr", "b=c&d="),
        ("sip:a;b?c@h;lr", "a;b?c", "", "h", "", "lr", ""),
        ("sip:h;p=a@b", "h;p=a", "", "b", "", "", ""),
        ("sip:h?S=a@b", "h?S=a", "", "b", "", "", ""),
        ("sip:h;x=sip:u@g:5060", "h;x=sip", "u", "g", "5060", "", ""),
        ("sip:a@[::1]", "a", "", "[::1]", "", "", ""),
        ("sip:[2001:db8::1]:5070;lr", "", "", "[2001:db8::1]", "5070", "lr", ""),
        ("sip:a/b&c=d+e$f,g@h", "a/b&c=d+e$f,g", "", "h", "", "", ""),
        ('sip:a"b@h;x="y"', 'a"b', "", "h", "", 'x="y"', ""),
        ("sip:%00@h", "%00", "", "h", "", "", ""),
        ("tel:+1-2.(3);phone-context=x", "+1-2.(3)", "", "", "", "phone-context=x", ""),
        ("tel:12?x", "12", "", "", "", "", "x"),
        ("urn:service:sos.fire", "service", "", "sos.fire", "", "", ""),
        ("urn:service", "", "", "service", "", "", ""),
    ],
)
def test_parts(text: str, user: str, password: str, host: str, port: str, params: str, headers: str) -> None:
    uri = parse_uri(text)
    assert (uri.user, uri.password, uri.host, uri.port, uri.params, uri.headers) == (
        user,
        password,
        host,
        port,
        params,
        headers,
    )
    assert uri.text == str(uri) == text
    assert uri.port_no == int(port or 0)
    assert uri.scheme == text.split(":")[0].lower()


@pytest.mark.parametrize(
    "text",
    [
        *["", "x", "sip", "sip:", "sip:a@", "sip:@h", "sip::p@h", "sip:a:b:c@h", "sip:a@h;p=a@b", "sip:a@h?x=a@b"],
        *["sip:a@h:99999", "sip:a@h:123456", "sip:a@h:12a", "sip:a@h:-1", "sip:a@h:\u00b2", "sip:a@h:1 "],
        *["sip:a@h:5060?x=y;z", "sip:a@h;x?y=1;z", "sip:a@h_x", "sip:a@h/x", "sip:a@h x", "sip:a@-h", "sip:a@.h"],
        *[
            "sip:a@[::1",
            "sip:a@[]",
            "sip:a@[::1]x",
            "sip:a@h%41",
            "sip:a@\u00e9",
            "tel:",
            "tel:1 2",
            "urn:",
            ":x",
            "1a:b",
        ],
    ],
)
def test_errors(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_uri(text)
    assert caught.value.text == text


@pytest.mark.parametrize(
    "text", ["http://foo/", "nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://h", "tels:+12"]
)
def test_unknown_scheme_is_its_own_error(text: str) -> None:
    with pytest.raises(UnknownScheme):
        parse_uri(text)


def test_parameters() -> None:
    uri = parse_uri(
        "sip:a@h;Transport=TCP;lr;maddr=1.2.3.4;method=INVITE;ttl=5;user=phone;r2=on;ob;gr;x=1;X=2;y=a=b;=z"
    )
    assert uri.transport == "tcp"
    assert uri.lr and uri.ob
    assert (uri.maddr, uri.method, uri.ttl, uri.user_param, uri.r2) == ("1.2.3.4", "INVITE", "5", "phone", "on")
    assert uri.gr == ""
    assert uri.param("x") == uri.param("X") == "2"
    assert uri.param("y") == "a=b"
    assert uri.param("none") is None
    assert uri.params_list()[0] == ("Transport", "TCP")
    assert ("", "z") not in uri.params_list()
    bare = parse_uri("sip:a@h")
    assert not bare.lr and not bare.ob and bare.gr is None
    assert bare.transport == bare.maddr == bare.method == bare.ttl == bare.user_param == bare.r2 == ""
    assert parse_uri("sip:h?a=b&c&d=").headers_list() == [("a", "b"), ("c", ""), ("d", "")]


def test_with_replaces_parts_as_kamailio_does() -> None:
    uri = parse_uri("sip:u:p@h:5070;x=y?h=1")
    assert uri.with_() == uri.text
    assert uri.with_(user="new") == "sip:new:p@h:5070;x=y?h=1"
    assert uri.with_(host="newd") == "sip:u:p@newd:5070;x=y?h=1"
    assert uri.with_(port=99) == "sip:u:p@h:99;x=y?h=1"
    assert uri.with_(user="") == "sip:h:5070;x=y?h=1"
    assert uri.with_(password="", port="", params="", headers="") == "sip:u@h"
    assert uri.with_(port=0, params="lr") == "sip:u:p@h;lr?h=1"
    assert uri.with_(host="::1") == "sip:u:p@[::1]:5070;x=y?h=1"
    assert parse_uri("tel:+1;a=b").with_(user="2", host="ignored") == "tel:2;a=b"
    assert parse_uri("urn:service:sos").with_(user="x") == "urn:service:sos"


def test_hosts() -> None:
    assert is_ipv4("1.2.3.255") and is_ipv4("01.2.3.4")
    assert not any(map(is_ipv4, ["1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", "1.2.3.", "1.2.3.\u00b2", ""]))
    assert is_ipv6_ref("[::1]") and is_ipv6_ref("[2001:db8::1]")
    assert not any(map(is_ipv6_ref, ["::1", "[::1", "[]", "[x]", "", "[1.2.3.4]"]))
    assert strip_brackets("[::1]") == "::1"
    assert strip_brackets("h") == "h"
    ports = [default_port("sip"), default_port("sip", "TLS"), default_port("sips", "tcp"), default_port("sip", "ws")]
    assert ports == [5060, 5061, 5061, 80]
    assert default_port("sips", "ws") == default_port("sip", "wss") == 443


def test_aor() -> None:
    assert aor("sip:a:pw@h:5060;x") == "a@h"
    assert aor(parse_uri("sips:h")) == "h"
    assert aor("tel:+12;x=y") == "+12"
    assert aor("urn:service:sos") == "service"


EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("tel:+1-201-555-0123", "tel:+12015550123"),
    ("urn:service:sos", "URN:service:sos"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:bob@h", "sips:bob@h"),
    ("sip:a%40b@h", "sip:a%3Bb@h"),
    ("tel:+1", "tel:+1;ext=2"),
    ("urn:service:sos", "urn:service:fire"),
    ("sip:a@h", "sip:a:p@h"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    """RFC 3261 19.1.4's examples."""
    assert uri_equal(a, b) and uri_equal(parse_uri(b), parse_uri(a))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert not uri_equal(a, b)
    assert not uri_equal(b, a)


def test_broken_escapes_compare_as_text() -> None:
    assert uri_equal("sip:a%zz%4@h", "sip:a%zz%4@h")
    assert uri_equal("sip:a%3a@h", "sip:a%3A@h")


def test_results_are_shared_and_the_cache_is_bounded() -> None:
    first = parse_uri("sip:cache@h")
    assert parse_uri("sip:cache@h") is first
    for number in range(5000):
        parse_uri(f"sip:{number}@h")
    assert parse_uri("sip:cache@h") == first
    assert hash(parse_uri("sip:cache@h")) == hash(first)
    assert first != "sip:cache@h"
    assert repr(first) == "Uri('sip:cache@h')"


@given(LATIN1 | st.text("sipteluurn:@;?=[]%.-a1 ") | st.builds("sip:{}".format, st.text('a1:@;?=&[]%.-"< ')))
def test_only_parse_errors_and_round_trip(text: str) -> None:
    try:
        uri = parse_uri(text)
    except ParseError:
        return
    again = parse_uri(uri.with_())
    for part in ("scheme", "user", "password", "host", "port", "params", "headers"):
        assert getattr(again, part) == getattr(uri, part)
    assert uri_equal(uri, uri)
    for name, _ in uri.params_list():
        assert uri.param(name.upper()) is not None or uri.param(name) is not None


TOKEN = st.text("abcXYZ019-_.!~*'()&=+$,;?/%", min_size=1)
HOST = st.sampled_from(["h", "example.com", "192.0.2.1", "[2001:db8::1]"])
VALUE = st.text("abcXYZ019-_.[]/:&+$%")


@given(
    TOKEN,
    VALUE.filter(lambda text: ":" not in text),
    HOST,
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(st.text("abc", min_size=1), VALUE)),
)
def test_parts_come_back(user: str, password: str, host: str, port: int | None, params: list[tuple[str, str]]) -> None:
    tail = "".join(f";{name}={value}" for name, value in params)
    text = f"sip:{user}:{password}@{host}" + (f":{port}" if port is not None else "") + tail
    uri: Uri = parse_uri(text)
    assert (uri.user, uri.password, uri.host) == (user, password, host)
    assert uri.port == ("" if port is None else str(port))
    assert uri.params_list() == params
