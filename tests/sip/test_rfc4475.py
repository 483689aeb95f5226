"""The header values of RFC 4475's messages and of the corpus, one parser at a time."""

from collections.abc import Callable

import pytest

from ksrcore.sip.cseq import parse_cseq
from ksrcore.sip.digest import parse_credentials
from ksrcore.sip.errors import ParseError, UnknownScheme
from ksrcore.sip.event import parse_event
from ksrcore.sip.nameaddr import parse_nameaddr, parse_nameaddrs
from ksrcore.sip.sdp import parse_sdp
from ksrcore.sip.uri import parse_uri
from ksrcore.sip.values import (
    parse_content_length,
    parse_content_type,
    parse_date,
    parse_expires,
    parse_max_forwards,
    parse_tokens,
)
from ksrcore.sip.via import parse_vias

COMPACT = {"v": "via", "f": "from", "t": "to", "m": "contact", "l": "content-length", "c": "content-type", "o": "event"}
PARSERS: dict[str, Callable[[str], object]] = {
    "via": parse_vias,
    "from": parse_nameaddr,
    "to": parse_nameaddr,
    "refer-to": parse_nameaddr,
    "contact": parse_nameaddrs,
    "route": parse_nameaddrs,
    "record-route": parse_nameaddrs,
    "path": parse_nameaddrs,
    "p-asserted-identity": parse_nameaddrs,
    "cseq": parse_cseq,
    "authorization": parse_credentials,
    "event": parse_event,
    "expires": parse_expires,
    "max-forwards": parse_max_forwards,
    "content-length": parse_content_length,
    "content-type": parse_content_type,
    "date": parse_date,
    "supported": parse_tokens,
    "require": parse_tokens,
}


def read(data: bytes) -> tuple[str, list[tuple[str, str]], str]:
    """First line, (name, value) of the headers, body: enough of a message parser for well framed messages."""
    text = data.decode("latin-1").replace("\r\n", "\n").lstrip("\n")
    head, _, body = text.partition("\n\n")
    first, _, rest = head.partition("\n")
    headers: list[tuple[str, str]] = []
    for line in rest.split("\n"):
        if line[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], headers[-1][1] + "\r\n" + line)
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((COMPACT.get(name, name), value))
    return first, headers, body


def failures(data: bytes) -> list[str]:
    """Names of the parts that raise ParseError; anything else raised is a failure of the test."""
    first, headers, body = read(data)
    found = []
    words = first.split(" ")
    if len(words) == 3 and words[2] == "SIP/2.0":
        try:
            parse_uri(words[1])
        except ParseError:
            found.append("r-uri")
    for name, value in headers:
        if name in PARSERS:
            try:
                PARSERS[name](value)
            except ParseError:
                found.append(name)
    if ("content-type", " application/sdp") in headers:
        try:
            parse_sdp(body)
        except ParseError:
            found.append("sdp")
    return found


def header(data: bytes, name: str) -> str:
    return next(value for found, value in read(data)[1] if found == name)


# The messages with a value no parser takes; what else is wrong with a message is for its other readers to find.
BAD = {
    "baddate": ["date"],
    "badinv01": ["via"],
    "badvers": ["via"],
    "ltgtruri": ["r-uri"],
    "ncl": ["content-length"],
    "novelsc": ["r-uri"],
    "quotbal": ["to"],
    "scalar02": ["cseq", "max-forwards", "expires"],
    "scalarlg": ["cseq"],
    "unkscm": ["r-uri"],
}


def test_what_the_corpus_fails_on(corpus: dict[str, bytes]) -> None:
    assert {name: parts for name, data in corpus.items() if (parts := failures(data))} == BAD


def test_the_corpus_is_whole(corpus: dict[str, bytes]) -> None:
    names = (
        "badaspec badbranch baddate baddn badinv01 badvers bcast bext01 bigcode clerr cparam01 cparam02 dblreq esc01"
        " esc02 escnull escruri insuf intmeth inv2543 invut longreq ltgtruri lwsdisp lwsruri lwsstart mcl01 mismatch01"
        " mismatch02 mpart01 multi01 ncl noreason novelsc quotbal regaut01 regbadct regescrt scalar02 scalarlg sdp01"
        " semiuri transports trws unkscm unksm2 unreason wsinv zeromf"
    ).split()
    assert len(names) == 49
    assert set(names) <= set(corpus)
    assert b"\r\n" in corpus["invite"] and b"\r" not in corpus["bare-lf"]


def test_wsinv(corpus: dict[str, bytes]) -> None:
    _, headers, _ = read(corpus["wsinv"])
    values = dict(headers)
    assert parse_nameaddr(values["to"]).tag == "1918181833n"
    assert parse_nameaddr(values["from"]).display == r'"J Rosenberg \\\""'
    assert parse_max_forwards(values["max-forwards"]) == 68
    assert parse_cseq(values["cseq"]).number == 9
    vias = [via for name, value in headers if name == "via" for via in parse_vias(value)]
    assert [(via.transport, via.host, via.branch) for via in vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    (contact,) = parse_nameaddrs(values["contact"])
    assert (contact.display, contact.q, contact.param("newparam")) == (r'"Quoted string \"\""', 330, "newvalue")
    (route,) = parse_nameaddrs(values["route"])
    assert route.parsed_uri.lr and route.parsed_uri.param("unknown-no-value") == ""


def test_intmeth(corpus: dict[str, bytes]) -> None:
    first, _, _ = read(corpus["intmeth"])
    uri = parse_uri(first.split(" ")[1])
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == "example.com"
    caller = parse_nameaddr(header(corpus["intmeth"], "from"))
    assert caller.display == "token1~` token2'+_ token3*%!.-"
    assert caller.tag == "_token~1'+`*%!-."
    assert parse_nameaddr(header(corpus["intmeth"], "to")).display.startswith('"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f')


def test_escapes_stay(corpus: dict[str, bytes]) -> None:
    assert parse_uri(read(corpus["esc01"])[0].split(" ")[1]).user == "sips%3Auser%40example.com"
    assert parse_nameaddr(header(corpus["esc01"], "contact")).parsed_uri.params == "%6C%72;n%61me=v%61lue%25%34%31"
    assert "%00" in parse_nameaddr(header(corpus["escnull"], "contact")).parsed_uri.user
    assert parse_uri(read(corpus["semiuri"])[0].split(" ")[1]).user == "user;par=u%40example.net"


def test_transports(corpus: dict[str, bytes]) -> None:
    vias = [via for name, value in read(corpus["transports"])[1] if name == "via" for via in parse_vias(value)]
    assert [via.transport for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_display_names(corpus: dict[str, bytes]) -> None:
    assert parse_nameaddr(header(corpus["lwsdisp"], "from")).display == "caller"
    assert parse_nameaddr(header(corpus["baddn"], "from")).display == "Bell, Alexander"
    assert parse_nameaddr(header(corpus["badaspec"], "to")).uri == "sip:t.watson@example.org"
    name = parse_nameaddr(header(corpus["utf8-display"], "from")).display
    assert name.encode("latin-1").decode() == '"Zoë Ångström 雪"'


def test_header_and_uri_parameters_are_told_apart(corpus: dict[str, bytes]) -> None:
    (outside,) = parse_nameaddrs(header(corpus["cparam01"], "contact"))
    assert outside.param("unknownparam") == "" and outside.parsed_uri.params == ""
    (inside,) = parse_nameaddrs(header(corpus["cparam02"], "contact"))
    assert inside.param("unknownparam") is None and inside.parsed_uri.params == "unknownparam"


def test_unknown_schemes(corpus: dict[str, bytes]) -> None:
    for name in ("unkscm", "novelsc"):
        with pytest.raises(UnknownScheme):
            parse_uri(read(corpus[name])[0].split(" ")[1])


def test_unknown_authorization_scheme(corpus: dict[str, bytes]) -> None:
    assert parse_credentials(header(corpus["regaut01"], "authorization")).scheme == "NoOneKnowsThisScheme"


def test_lists_of_the_corpus(corpus: dict[str, bytes]) -> None:
    headers = read(corpus["multi-route"])[1]
    routes = [route for name, value in headers if name == "route" for route in parse_nameaddrs(value)]
    assert [route.parsed_uri.host for route in routes] == [f"p{number}.example.com" for number in (1, 1, 2, 3)]
    assert routes[0].parsed_uri.r2 == "on"
    contacts = parse_nameaddrs(header(corpus["register-contacts"], "contact"))
    assert [(contact.q, contact.expires) for contact in contacts] == [(1000, None), (None, 60), (100, None)]
    assert parse_nameaddrs(header(corpus["register-star"], "contact"))[0].uri == "*"
