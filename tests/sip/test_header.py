"""Header fields: their parts, what is shared, broken ones, the slow way to cut a message."""

from __future__ import annotations

import pytest

from ksrcore.sip.errors import ParseError
from ksrcore.sip.header import MAX_LINES, Header, field, fields_of, split_slow
from ksrcore.sip.message import parse_message


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Via: x", ("Via", "via", "x", 5)),
        ("v: x", ("v", "via", "x", 3)),
        ("CALL-ID:x", ("CALL-ID", "call-id", "x", 8)),
        ("Subject : a: b ", ("Subject", "subject", "a: b", 10)),
        ("Subject:\t a", ("Subject", "subject", "a", 10)),
        ("Subject:", ("Subject", "subject", "", 8)),
        ("Subject: ", ("Subject", "subject", "", 9)),
        ("X-A:b: c", ("X-A", "x-a", "b: c", 4)),
        ("Subject: a\r\n b", ("Subject", "subject", "a\r\n b", 9)),
    ],
)
def test_the_parts_of_a_field(line: str, parts: tuple[str, str, str, int]) -> None:
    for _ in range(2):  # the name is known the second time
        header = Header(line)
        assert (header.name, header.key, header.body, header.body_start) == parts
        assert header.raw == line + "\r\n"


@pytest.mark.parametrize("line", ["Via", "", ": x", "a b: x", " Via: x", "Vi\xe4: x"])
def test_what_is_no_field(line: str) -> None:
    Header("Via: x")
    with pytest.raises(ParseError):
        Header(line)


def test_short_lines_share_a_field() -> None:
    assert field("Subject: shared") is field("Subject: shared")
    long = "Subject: " + "x" * 600
    assert field(long) is not field(long)


def test_a_broken_field_stays_as_text() -> None:
    (good, bad), defect = fields_of(["To: x", "nonsense"], ["\n", "\r\n"])
    assert (good.raw, good.key) == ("To: x\n", "to")
    assert (bad.raw, bad.name, bad.key, bad.body) == ("nonsense\r\n", "", "", "nonsense")
    assert isinstance(defect, ParseError)


def test_the_slow_way_keeps_folds_and_line_ends() -> None:
    text = "\r\nOPTIONS sip:x SIP/2.0\r\nA: 1\n 2\r\nB: 3\n\nbody"
    first, head_at, headers_end, body_at, lines, eols = split_slow(text)
    assert (first, lines, eols) == ("OPTIONS sip:x SIP/2.0", ["A: 1\n 2", "B: 3"], ["\r\n", "\n"])
    assert text[head_at:headers_end] == "A: 1\n 2\r\nB: 3\n"
    assert text[body_at:] == "body"


def test_an_empty_message() -> None:
    with pytest.raises(ParseError):
        split_slow("\r\n\r\n")


@pytest.mark.parametrize("line", ["X: y\r\n", "nonsense\r\n", "X: y\n", " y\r\n", ": x\r\n"])
def test_lines_are_bounded(line: str) -> None:
    head = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nZ: z"
    end = "\r\n\r\n"
    with pytest.raises(ParseError, match="at most 1000 lines of header fields"):
        parse_message((head + "\r\n" + line * MAX_LINES + end).encode())
    few = parse_message((head + "\r\n" + line * (MAX_LINES - 10) + end + line * 5000).encode())
    assert few.buf.endswith(line * 5000)
