"""Small header values."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError
from ksrcore.sip.values import (
    format_date,
    parse_content_length,
    parse_content_type,
    parse_date,
    parse_expires,
    parse_max_forwards,
    parse_tokens,
)

NUMBERS: list[tuple[Callable[[str], int], int]] = [
    (parse_expires, 2**32 - 1),
    (parse_max_forwards, 255),
    (parse_content_length, 2**31 - 1),
]


@pytest.mark.parametrize(("parse", "limit"), NUMBERS)
def test_numbers(parse: Callable[[str], int], limit: int) -> None:
    assert parse("0") == 0
    assert parse(" 0068\r\n ") == 68
    assert parse(str(limit)) == limit
    for body in ("", "-1", "+1", "1.0", "x", "\u00b2", "1 2", str(limit + 1), "9" * 5000):
        with pytest.raises(ParseError):
            parse(body)


def test_session_expires_parameters_are_left_out() -> None:
    assert parse_expires("1800;refresher=uas") == 1800


def test_content_type() -> None:
    found = parse_content_type(' Multipart / Mixed ; boundary="b;1" ;Charset=UTF-8;flag')
    assert (found.type, found.subtype, found.mime) == ("multipart", "mixed", "multipart/mixed")
    assert (found.param("Boundary"), found.param("charset"), found.param("flag")) == ("b;1", "UTF-8", "")
    assert found.param("none") is None
    assert str(parse_content_type("application/SDP")) == "application/sdp"
    assert repr(parse_content_type("a/b;c")) == "ContentType('a/b;c')"
    for body in ("", "text", "/plain", "text/", "a b/c", "a/b/c", "a/b c"):
        with pytest.raises(ParseError):
            parse_content_type(body)


def test_tokens() -> None:
    assert parse_tokens("replaces, 100rel ,,timer\r\n ,") == ["replaces", "100rel", "timer"]
    assert parse_tokens('"a,b", c') == ['"a,b"', "c"]
    assert parse_tokens("") == []


def test_date() -> None:
    moment = datetime(2010, 11, 13, 23, 29, 0, tzinfo=UTC)
    assert parse_date("Sat, 13 Nov 2010 23:29:00 GMT") == moment
    assert parse_date(" sat,13 nov 2010 23:29:00 gmt ") == moment
    assert format_date(moment) == "Sat, 13 Nov 2010 23:29:00 GMT"
    assert format_date(moment.astimezone(timezone(timedelta(hours=2)))) == "Sat, 13 Nov 2010 23:29:00 GMT"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Fri, 01 Jan 2010 16:00:00 EST",
        "Sat, 31 Feb 2010 23:29:00 GMT",
        "Sat, 13 Nov 2010 24:29:00 GMT",
        "Sat, 13 Nov 2010 23:29 GMT",
        "Xxx, 13 Nov 2010 23:29:00 GMT",
        "Sat, 13 Xxx 2010 23:29:00 GMT",
        "Sat, 13 Nov 99999 23:29:00 GMT",
        "Sat, 13 Nov -1 23:29:00 GMT",
    ],
)
def test_date_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_date(body)


@given(st.datetimes(timezones=st.just(UTC)))
def test_date_round_trip(moment: datetime) -> None:
    assert parse_date(format_date(moment)) == moment.replace(microsecond=0)


@given(st.text(st.characters(max_codepoint=255)))
def test_only_parse_errors(body: str) -> None:
    for parse in (parse_expires, parse_max_forwards, parse_content_length, parse_content_type, parse_date):
        try:
            parse(body)
        except ParseError:
            pass
    parse_tokens(body)
